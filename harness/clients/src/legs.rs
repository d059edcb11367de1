//! Legs as they are being held, and the journal made of them.

use model::HostName;
use model::case::{CertificateFault, Reached, SignsIn, Told};
use model::journal::{ClientLeg, Exchange, Journal};

use crate::network::Person;
use crate::wire::Broken;

/// A conversation with one namespace, not yet at its end.
pub(crate) struct Leg {
    pub(crate) dials: HostName,
    reached: Reached,
    exchanges: Vec<Exchange>,
    pub(crate) prompts: u8,
    faults: Vec<CertificateFault>,
    pub(crate) signed_in: SignsIn,
}

impl Leg {
    pub(crate) fn new(dials: &HostName, reached: Reached) -> Leg {
        Leg {
            dials: dials.clone(),
            reached,
            exchanges: vec![],
            prompts: 0,
            faults: vec![],
            signed_in: SignsIn::None,
        }
    }

    /// Writes a request down.
    pub(crate) fn add(&mut self, exchange: Exchange) {
        self.exchanges.push(exchange);
    }

    /// A person is asked about a certificate, once a leg for each fault.
    pub(crate) fn asks_about(&mut self, fault: CertificateFault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A person is asked for credentials.
    pub(crate) fn asks_for_credentials(&mut self) {
        self.prompts = self.prompts.saturating_add(1);
    }

    /// The end.
    pub(crate) fn tells(self, told: Told) -> ClientLeg {
        self.end(told, None)
    }

    /// The end, with a sentence on why.
    pub(crate) fn tells_because(self, told: Told, note: impl Into<String>) -> ClientLeg {
        self.end(told, Some(note.into()))
    }

    /// The end that a broken exchange brings.
    pub(crate) fn breaks(self, broken: &Broken) -> ClientLeg {
        self.end(Told::Failed(0), Some(broken.to_string()))
    }

    fn end(self, told: Told, note: Option<String>) -> ClientLeg {
        ClientLeg {
            dials: self.dials,
            reached: self.reached,
            exchanges: self.exchanges,
            credential_prompts: self.prompts,
            certificate_prompts: self.faults,
            signed_in: self.signed_in,
            told,
            note,
        }
    }
}

/// A name that did not resolve gives no leg, unless nothing else was dialled either.
pub(crate) fn journal(legs: Vec<ClientLeg>) -> Journal {
    let dialled = |leg: &ClientLeg| leg.exchanges.iter().any(|exchange| exchange.dialled.is_some());
    match legs.iter().any(dialled) {
        true => Journal { legs: legs.into_iter().filter(dialled).collect() },
        false => Journal { legs: legs.into_iter().take(1).collect() },
    }
}

/// What reading the content of this address's mailbox says: the colour where it is the leased one, else another's name.
pub(crate) fn mailbox_read(address: &str, person: &Person) -> (Told, Option<String>) {
    if address.eq_ignore_ascii_case(&person.address) {
        return (Told::Mailbox(person.mailbox.clone()), None);
    }
    let local = address.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let colour = local.rsplit_once('-').map_or(local.as_str(), |(colour, _)| colour);
    let note = format!("read {address}");
    match colour.parse() {
        Ok(mailbox) => (Told::Mailbox(mailbox), Some(note)),
        Err(_) => (Told::Failed(200), Some(note)),
    }
}

//! Legs as they are being held, and the journal made of them.

use model::HostName;
use model::case::{CertificateFault, Computer, Reached, SignsIn, Told};
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
    pub(crate) computer: Option<Computer>,
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
            computer: None,
        }
    }

    /// Writes a request down.
    pub(crate) fn add(&mut self, exchange: Exchange) {
        self.exchanges.push(exchange);
    }

    /// Whether anything was dialled.
    pub(crate) fn has_dialled(&self) -> bool {
        self.exchanges.iter().any(|exchange| exchange.dialled.is_some())
    }

    /// Takes over what a second connection of the same conversation saw.
    pub(crate) fn absorb(&mut self, other: Leg) {
        self.exchanges.extend(other.exchanges);
        for fault in other.faults {
            self.asks_about(fault);
        }
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
        self.ends(Ending { told, note: None })
    }

    /// The end, with a sentence on why.
    pub(crate) fn tells_because(self, told: Told, note: impl Into<String>) -> ClientLeg {
        self.ends(Ending::because(told, note))
    }

    /// The end that an action came to.
    pub(crate) fn ends(self, ending: Ending) -> ClientLeg {
        let Ending { told, note } = ending;
        ClientLeg {
            dials: self.dials,
            reached: self.reached,
            exchanges: self.exchanges,
            credential_prompts: self.prompts,
            certificate_prompts: self.faults,
            signed_in: self.signed_in,
            computer: self.computer,
            told,
            note,
        }
    }
}

/// What a client was told at the end of a leg, and why, where a sentence helps.
#[derive(Debug, PartialEq)]
pub(crate) struct Ending {
    pub(crate) told: Told,
    pub(crate) note: Option<String>,
}

impl Ending {
    pub(crate) fn told(told: Told) -> Ending {
        Ending { told, note: None }
    }

    pub(crate) fn because(told: Told, note: impl Into<String>) -> Ending {
        Ending { told, note: Some(note.into()) }
    }

    /// An answer came, and it is not what the client can use.
    pub(crate) fn useless(status: u16, note: impl Into<String>) -> Ending {
        Ending::because(Told::Failed(status), note)
    }
}

impl From<Broken> for Ending {
    fn from(broken: Broken) -> Ending {
        Ending::because(Told::Failed(0), broken.to_string())
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

/// What reading the content of this address's mailbox says: the colour where it is the leased one, else whose it is.
pub(crate) fn mailbox_read(address: &str, person: &Person) -> Ending {
    if address.eq_ignore_ascii_case(&person.address) {
        return Ending::told(Told::Mailbox(person.mailbox.clone()));
    }
    let local = address.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let colour = local.rsplit_once('-').map_or(local.as_str(), |(colour, _)| colour);
    // Another lease of the same colour must not pass for the person's own.
    let name = if colour == person.mailbox.as_str() { local.as_str() } else { colour };
    match name.parse() {
        Ok(mailbox) if mailbox != person.mailbox => {
            Ending::because(Told::Mailbox(mailbox), format!("read {address}"))
        }
        _ => Ending::useless(200, format!("read {address}")),
    }
}

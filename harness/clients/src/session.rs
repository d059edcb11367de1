//! What a client brings to sign in with: stored credentials, and the forms in which they travel.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::HostName;
use model::case::{ClientKind, Password, Scheme, SignsIn, Told, When};

use crate::bound;
use crate::legs::{Ending, Leg};
use crate::network::Person;
use crate::ntlm::Login;
use crate::wire::{LineId, Reply, Request, Wire};

/// The password that a client or its user gives, where it gives one.
pub(crate) fn password(when: &When, person: &Person) -> Option<String> {
    match when.password {
        Password::Right => Some(person.password.clone()),
        // No account's password ends so, and its length gives nothing away.
        Password::Wrong => Some(format!("{} (wrong)", person.password)),
        Password::None => None,
    }
}

/// The value of an Authorization header for Basic (RFC 7617), in UTF-8.
pub(crate) fn basic(account: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{account}:{password}")))
}

/// Text as a query or an `application/x-www-form-urlencoded` body holds it: every byte but the unreserved ones of RFC
/// 3986 percent-encoded, a space included, which every server reads alike.
pub fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// A form's fields as a body.
pub(crate) fn urlencoded(fields: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
    pairs.join("&")
}

/// Credentials that a client has stored. Outlook gives them to a host only after it asked, and then on every request
/// (rule X-AD-3), or where the scheme is bound to the connection, once a connection; a device gives them to every host
/// that it turns to; none gets them over plain HTTP (rule X-SEC-5).
pub(crate) struct Stored {
    account: String,
    password: Option<String>,
    scheme: Scheme,
    asked: HashSet<HostName>,
    /// Hosts that do not offer the scheme, and offer Basic.
    by_basic: HashSet<HostName>,
    /// The connection on which a host knows who asks.
    known: HashMap<HostName, LineId>,
    /// A device does not wait to be asked.
    eager: bool,
    /// What Outlook numbers its requests with.
    request_id: Option<String>,
}

impl Stored {
    pub(crate) fn new(when: &When, person: &Person) -> Stored {
        Stored {
            account: person.account.clone(),
            password: password(when, person),
            scheme: when.sign_in,
            asked: HashSet::new(),
            by_basic: HashSet::new(),
            known: HashMap::new(),
            eager: when.client == ClientKind::Device,
            request_id: (when.client == ClientKind::Outlook).then(|| format!("{{{}}}", person.request_id)),
        }
    }

    /// The Authorization header for a host that has asked before.
    pub(crate) fn header_for(&self, host: &HostName, tls: bool) -> Option<String> {
        let by_basic = self.scheme == Scheme::Basic || self.by_basic.contains(host);
        let gives = tls && by_basic && (self.eager || self.asked.contains(host));
        let password = self.password.as_ref().filter(|_| gives)?;
        Some(basic(&self.account, password))
    }

    /// The request as its program numbers it: what says whose it is, when nothing else in it does.
    pub(crate) fn numbered(&self, request: Request) -> Request {
        match &self.request_id {
            Some(id) => request.header("client-request-id", id),
            None => request,
        }
    }

    /// Asks, signing in where the host wants it.
    pub(crate) async fn ask(
        &mut self,
        wire: &mut Wire<'_>,
        leg: &mut Leg,
        request: Request,
    ) -> Result<Reply, Ending> {
        let request = self.numbered(request);
        let by_basic = self.scheme == Scheme::Basic || self.by_basic.contains(&request.url.host);
        match self.password.clone().filter(|_| request.url.tls && !by_basic) {
            Some(password) => self.ask_bound(wire, leg, request, &password).await,
            None => self.ask_by_basic(wire, leg, request).await,
        }
    }

    async fn ask_by_basic(
        &mut self,
        wire: &mut Wire<'_>,
        leg: &mut Leg,
        request: Request,
    ) -> Result<Reply, Ending> {
        let host = request.url.host.clone();
        let tls = request.url.tls;
        let mut sent = self.header_for(&host, tls);
        let first = match &sent {
            Some(value) => request.clone().header("authorization", value),
            None => request.clone(),
        };
        let mut reply = wire.exchange(leg, first).await?;
        if reply.status == 401 && sent.is_none() && tls && reply.offers("Basic") && self.password.is_some() {
            self.asked.insert(host.clone());
            sent = self.header_for(&host, tls);
            let again = request.header("authorization", sent.as_deref().unwrap_or_default());
            reply = wire.exchange(leg, again).await?;
        }
        match (reply.status, &sent) {
            (401, sent) => {
                if sent.is_some() {
                    leg.signed_in = SignsIn::Basic;
                }
                // Whoever has nothing stored that is taken asks the person.
                leg.asks_for_credentials();
                Err(Ending::told(Told::Refused(401)))
            }
            (_, Some(_)) => {
                leg.signed_in = SignsIn::Basic;
                Ok(reply)
            }
            (_, None) => Ok(reply),
        }
    }

    /// By a scheme that is bound to the connection: on one that the host knows, nothing more is said; elsewhere the sign-in
    /// begins anew.
    async fn ask_bound(
        &mut self,
        wire: &mut Wire<'_>,
        leg: &mut Leg,
        request: Request,
        password: &str,
    ) -> Result<Reply, Ending> {
        let host = request.url.host.clone();
        let known = self.known.get(&host).is_some_and(|line| wire.kept(&request) == Some(*line));
        let waits_to_be_asked = self.scheme != Scheme::Ticket && !self.asked.contains(&host);
        if known || waits_to_be_asked {
            let reply = wire.exchange(leg, request.clone()).await?;
            match (reply.status, known) {
                (401, true) => {}
                (401, false) if reply.offers(spelling(self.scheme)) => {}
                (401, false) => {
                    self.by_basic.insert(host.clone());
                    self.asked.insert(host);
                    return self.ask_by_basic(wire, leg, request).await;
                }
                (_, true) => {
                    leg.signed_in = way(self.scheme);
                    return Ok(reply);
                }
                (_, false) => return Ok(reply),
            }
            self.asked.insert(host.clone());
        }
        let login = Login::of(&self.account, password);
        let reply = match self.scheme {
            Scheme::Ticket => bound::first_request(wire, leg, &request, login).await?,
            scheme => bound::three_legs(wire, leg, &request, spelling(scheme), login).await?,
        };
        if reply.status == 401 {
            self.known.remove(&host);
            leg.signed_in = way(self.scheme);
            leg.asks_for_credentials();
            return Err(Ending::told(Told::Refused(401)));
        }
        if let Some(line) = wire.kept(&request) {
            self.known.insert(host, line);
        }
        leg.signed_in = way(self.scheme);
        Ok(reply)
    }
}

/// A scheme as this client writes it.
pub(crate) fn spelling(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Basic | Scheme::Plain => "Basic",
        Scheme::Ntlm | Scheme::Profile => "NTLM",
        Scheme::NtlmLowerCase => "ntlm",
        Scheme::Negotiate | Scheme::Ticket => "Negotiate",
        Scheme::Nego2 => "Nego2",
    }
}

pub(crate) fn way(scheme: Scheme) -> SignsIn {
    match scheme {
        Scheme::Basic | Scheme::Plain => SignsIn::Basic,
        Scheme::Ntlm | Scheme::NtlmLowerCase | Scheme::Profile => SignsIn::Ntlm,
        Scheme::Negotiate | Scheme::Nego2 | Scheme::Ticket => SignsIn::Negotiate,
    }
}

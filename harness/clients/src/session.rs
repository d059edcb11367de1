//! What a client brings to sign in with: stored credentials, and the forms in which they travel.

use std::collections::HashSet;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::HostName;
use model::case::{ClientKind, Password, SignsIn, Told, When};

use crate::legs::{Ending, Leg};
use crate::network::Person;
use crate::wire::{Reply, Request, Wire};

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
pub(crate) fn percent(text: &str) -> String {
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
/// (rule X-AD-3); a device gives them to every host that it turns to;
/// none gets them over plain HTTP (rule X-SEC-5).
pub(crate) struct Stored {
    account: String,
    password: Option<String>,
    asked: HashSet<HostName>,
    /// A device does not wait to be asked.
    eager: bool,
}

impl Stored {
    pub(crate) fn new(when: &When, person: &Person) -> Stored {
        Stored {
            account: person.account.clone(),
            password: password(when, person),
            asked: HashSet::new(),
            eager: when.client == ClientKind::Device,
        }
    }

    /// The Authorization header for a host that has asked before.
    pub(crate) fn header_for(&self, host: &HostName, tls: bool) -> Option<String> {
        let password = self.password.as_ref().filter(|_| tls && (self.eager || self.asked.contains(host)))?;
        Some(basic(&self.account, password))
    }

    /// Asks, signing in where the host wants it.
    pub(crate) async fn ask(
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
        if reply.status == 401 && sent.is_none() && tls && reply.offers_basic() && self.password.is_some() {
            self.asked.insert(host.clone());
            sent = self.header_for(&host, tls);
            let again = request.header("authorization", sent.as_deref().unwrap_or_default());
            reply = wire.exchange(leg, again).await?;
        }
        match (reply.status, &sent) {
            (401, Some(_)) => {
                leg.asks_for_credentials();
                Err(Ending::told(Told::Refused(401)))
            }
            (401, None) => Err(Ending::told(Told::Refused(401))),
            (_, Some(_)) => {
                leg.signed_in = SignsIn::Basic;
                Ok(reply)
            }
            (_, None) => Ok(reply),
        }
    }
}

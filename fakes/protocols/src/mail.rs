//! What IMAP and POP have in common: lines with a limit, what a server offers before anybody has signed in, and a message
//! as both show it. Time limits are the caller's.

mod message;
mod talk;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Version;
use model::mail::{LoginType, MailService};

pub use message::Letter;
pub(crate) use message::internal_date;
pub use talk::{Ended, Talk};

/// How often a client may fail to sign in on one connection.
pub const MOST_FAILURES: u32 = 3;

/// What a server is, and what it offers whoever has not signed in.
#[derive(Debug, Clone)]
pub struct Offers {
    /// Its generation.
    pub version: Version,
    /// What the greeting says instead of the usual words.
    pub banner: Option<String>,
    /// How one may sign in without TLS.
    pub login: LoginType,
    /// Whether it offers NTLM.
    pub ntlm: bool,
    /// Whether it is the 2013 back end, whose client is a front end.
    pub back_end: bool,
}

impl Offers {
    /// As a service is set.
    pub fn of(version: Version, service: &MailService, back_end: bool) -> Offers {
        Offers {
            version,
            banner: service.banner.clone(),
            login: service.login_type,
            ntlm: service.ntlm,
            back_end,
        }
    }

    /// Whether a password may be said in clear on a connection with TLS or without.
    pub(crate) fn takes_passwords(&self, tls: bool) -> bool {
        tls || self.login == LoginType::PlainTextLogin
    }
}

/// Credentials as a client gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The name, in whatever form.
    pub user: String,
    /// The password.
    pub password: String,
    /// By what: `LOGIN`, `AUTHENTICATE PLAIN`, `PASS`, `AUTH PLAIN`.
    pub by: &'static str,
    /// What the answer begins with: the command's tag in IMAP, nothing in POP.
    pub tag: String,
}

/// What a client wants that has not signed in.
#[derive(Debug, PartialEq, Eq)]
pub enum Wants {
    /// TLS: it has been told to begin, and what it wrote behind the command is still to be dropped.
    Tls,
    /// To sign in.
    SignIn(Given),
    /// To prove by NTLM who it is: the tag of its command, or nothing in POP.
    Ntlm(String),
    /// Nothing more: it has taken its leave, or was told to go.
    Nothing,
}

/// The message of SASL PLAIN (RFC 4616): whom to act for, who it is, and the password, with zeros between.
pub(crate) fn sasl_plain(encoded: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded.trim_ascii()).ok()?).ok()?;
    let mut parts = text.split('\0');
    let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    (parts.next().is_none() && !user.is_empty()).then(|| (user.to_owned(), password.to_owned()))
}

/// SASL PLAIN as a client writes it.
pub fn plain(user: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{user}\0{password}"))
}

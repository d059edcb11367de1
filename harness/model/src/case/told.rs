//! What a client was told at the end of a leg: exactly one thing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Position;
use crate::names::{HostName, MailboxName, OabName};
use crate::url::WebUrl;

/// What a client was told at the end of a leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Told {
    /// It read this mailbox.
    Mailbox(MailboxName),
    /// It read an Autodiscover answer.
    Answer(Answer),
    /// It downloaded this Offline Address Book.
    Oab(OabName),
    /// A plain 302 to this address. No credentials travel.
    Found(WebUrl),
    /// Moved here without a prompt: what the user typed travels along (the virtual directory's address).
    SilentRedirect(WebUrl),
    /// A page with a link to this address.
    ManualRedirect(WebUrl),
    /// 451 naming this address.
    Http451(WebUrl),
    /// 451 without an address: it must run Autodiscover again.
    Http451Nowhere(u16),
    /// A logon page, with its reason (0 none, 2 wrong user name or password), after which the user gives up.
    LogonPage(u8),
    /// Its sign-in or request was refused, with this status; 0 for IMAP's `NO` or `BYE` and POP's `-ERR`, which have none.
    Refused(u16),
    /// A supported-protocols answer to OPTIONS: MS-ASProtocolVersions.
    Versions(String),
    /// An answer with one of these statuses, whatever it holds; 0 is a connection that ended without one.
    Answered(Vec<u16>),
    /// An error with one of these statuses, in time.
    Unavailable(Vec<u16>),
    /// It failed: a status, or 0 for a connection that was refused, reset or never answered.
    Failed(u16),
}

/// An Autodiscover answer, cell by cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answer {
    /// Who wrote it.
    pub by: Position,
    /// Outlook Anywhere's external host.
    pub outlook_anywhere: Cell,
    /// The host of the external EWS address.
    pub ews: Cell,
    /// The host of the external OAB address.
    pub oab: Cell,
    /// The host of the ActiveSync address.
    pub eas: Cell,
    /// ExHTTP servers in order; `[]` means absent.
    pub exhttp: Vec<HostName>,
    /// The host of the external MAPI over HTTP address. A case that leaves it out says `absent`: a server names one to nobody
    /// who does not ask for it (rule X-MAPI-1).
    #[serde(default, skip_serializing_if = "Cell::is_absent")]
    pub mapi_http: Cell,
}

/// A host, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Cell {
    /// The answer names this host.
    Host(HostName),
    /// It names none: written `absent`.
    #[default]
    Absent,
}

impl Cell {
    /// Whether it names none.
    pub fn is_absent(&self) -> bool {
        *self == Cell::Absent
    }
}

impl TryFrom<String> for Cell {
    type Error = crate::names::BadName;
    fn try_from(given: String) -> Result<Self, Self::Error> {
        match given.as_str() {
            "absent" => Ok(Cell::Absent),
            host => host.parse().map(Cell::Host),
        }
    }
}

impl From<Cell> for String {
    fn from(cell: Cell) -> String {
        cell.to_string()
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Host(host) => write!(f, "{host}"),
            Cell::Absent => f.write_str("absent"),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Mailbox(mailbox) => write!(f, "mailbox {mailbox}"),
            Told::Answer(a) => {
                let exhttp: Vec<&str> = a.exhttp.iter().map(HostName::as_str).collect();
                let mapi_http = match &a.mapi_http {
                    Cell::Absent => String::new(),
                    named => format!(", mapi-http {named}"),
                };
                write!(
                    f,
                    "answer by {}: outlook-anywhere {}, ews {}, oab {}, eas {}{mapi_http}, exhttp [{}]",
                    a.by,
                    a.outlook_anywhere,
                    a.ews,
                    a.oab,
                    a.eas,
                    exhttp.join(", ")
                )
            }
            Told::Oab(oab) => write!(f, "address book {oab}"),
            Told::Found(url) => write!(f, "302 {url}"),
            Told::SilentRedirect(url) => write!(f, "silent redirect {url}"),
            Told::ManualRedirect(url) => write!(f, "page with a link {url}"),
            Told::Http451(url) => write!(f, "451 {url}"),
            Told::Http451Nowhere(_) => f.write_str("451 without an address"),
            Told::LogonPage(reason) => write!(f, "logon page, reason {reason}"),
            Told::Refused(0) => f.write_str("refused"),
            Told::Refused(status) => write!(f, "refused with {status}"),
            Told::Versions(versions) => write!(f, "protocol versions {versions}"),
            Told::Answered(statuses) => {
                let all: Vec<String> = statuses.iter().map(u16::to_string).collect();
                write!(f, "answered {}", all.join(" or "))
            }
            Told::Unavailable(statuses) => {
                let all: Vec<String> = statuses.iter().map(u16::to_string).collect();
                write!(f, "failed with {}", all.join(" or "))
            }
            Told::Failed(0) => f.write_str("failed: no answer"),
            Told::Failed(status) => write!(f, "failed with {status}"),
        }
    }
}

//! What a client is told to open: an address, a mailbox that it is set up for, a server that it speaks another protocol with.

use serde::{Deserialize, Serialize};

use crate::mail::MailAddress;
use crate::names::{HostName, MailboxName};
use crate::url::WebUrl;

/// What a client is told to open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Opens {
    /// An address.
    Url(WebUrl),
    /// Outlook set up for a mailbox.
    Outlook(MailboxName),
    /// A device set up for a mailbox.
    Device(MailboxName),
    /// A server or array that RPC over TCP is spoken with.
    Rpc(HostName),
    /// A mail server.
    Mail(MailAddress),
}

impl TryFrom<String> for Opens {
    type Error = String;
    fn try_from(given: String) -> Result<Self, String> {
        if let Some(mailbox) = given.strip_prefix("outlook:") {
            return mailbox.parse().map(Opens::Outlook).map_err(|e| format!("{e}"));
        }
        if let Some(mailbox) = given.strip_prefix("device:") {
            return mailbox.parse().map(Opens::Device).map_err(|e| format!("{e}"));
        }
        if let Some(host) = given.strip_prefix("rpc:") {
            return host.parse().map(Opens::Rpc).map_err(|e| format!("{e}"));
        }
        if let Some("imap" | "pop") = given.split(['+', ':']).next() {
            return given.parse().map(Opens::Mail).map_err(|error| format!("{error}"));
        }
        given.parse().map(Opens::Url).map_err(|error| format!("{error}, or like `outlook:purple`"))
    }
}

impl From<Opens> for String {
    fn from(opens: Opens) -> String {
        match opens {
            Opens::Url(url) => url.to_string(),
            Opens::Outlook(mailbox) => format!("outlook:{mailbox}"),
            Opens::Device(mailbox) => format!("device:{mailbox}"),
            Opens::Rpc(host) => format!("rpc:{host}"),
            Opens::Mail(address) => address.to_string(),
        }
    }
}

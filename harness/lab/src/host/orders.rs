//! What the runner tells a station, and what that answers.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use exchange::{Dictated, Script};
use model::case::FaultAt;
use model::{HostName, MailboxName, Protocol, ServerName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a connection to the door is for; its first frame.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Opening {
    /// A station reports, under the name that its container has.
    Station(String),
    /// A server asks, in this lab.
    Lab(u64),
}

/// What a server asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    /// The ledger.
    Ledger(ledger::far::Asked),
    /// The directory.
    Directory(directory::far::Asked),
    /// Where a name of the inside leads.
    Leads(HostName),
}

/// What a station is told to do. It does one thing after the other, and answers each.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Be this server of this lab.
    TakeUp(Box<Post>),
    /// End being a server; what it was running as a process ends too.
    Leave,
    /// Have a fault at a place, or none any more.
    Fault(FaultAt, Option<Script>),
    /// Know these facts from now on.
    Renew(Facts),
    /// Have this piece of a file, where it does not see the runner's own.
    Have(Piece),
    /// Start a subject.
    Run(Box<Program>),
    /// Send the subject's process group a signal, by its number.
    Signal(i32),
    /// Go, and never come back: why it is not wanted.
    Go(String),
}

/// A piece of a file that a subject is told to read. The folders that are made for it go when the station leaves its place.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// The file.
    pub(crate) file: PathBuf,
    /// Whether it begins with this, or goes on.
    pub(crate) first: bool,
    pub(crate) bytes: Bytes,
}

/// Bytes of any kind, base64 in JSON.
#[derive(Debug)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        BASE64_STANDARD.encode(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Bytes).map_err(serde::de::Error::custom)
    }
}

/// Every fact of a lab. Orders to a thousand servers share it.
#[derive(Debug, Clone)]
pub(crate) struct Facts(pub(crate) Arc<directory::far::Facts>);

impl Facts {
    /// To be held by one alone.
    pub(crate) fn into_own(self) -> directory::far::Facts {
        Arc::unwrap_or_clone(self.0)
    }
}

impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Facts, D::Error> {
        directory::far::Facts::deserialize(deserializer).map(|facts| Facts(Arc::new(facts)))
    }
}

/// A server's place in a lab, with all that it is to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Post {
    /// The lab's number at the door.
    pub(crate) lab: u64,
    pub(crate) server: ServerName,
    /// Where it listens; it dials from the first one.
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether a subject sits there: then the lab runs MS-RPC there alone.
    pub(crate) seat: bool,
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
    pub(crate) root_pem: String,
    pub(crate) facts: Facts,
    pub(crate) faults: Vec<(FaultAt, Script)>,
    pub(crate) answers: Vec<Dictation>,
}

/// What a server is told to answer to a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Dictation {
    pub(crate) protocol: Protocol,
    pub(crate) to: MailboxName,
    pub(crate) answers: Vec<Dictated>,
}

/// A subject's program, ready to be started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The image whose container it is to be in, beside that of a server.
    pub(crate) image: Option<(String, ServerName)>,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) work: PathBuf,
    pub(crate) log: PathBuf,
}

/// What a station says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// An order is carried out; a program's process has this number.
    Done(Option<u32>),
    /// It could not be, and why.
    Refused(String),
    /// The subject has written this, where the runner does not see its log.
    Wrote(Bytes),
    /// The subject has ended, with this status as wait(2) has it.
    Ended(i32),
}

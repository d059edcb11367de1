//! What the runner tells a station, and what that answers.

use std::net::IpAddr;
use std::path::PathBuf;

use exchange::{Dictated, Script};
use model::case::FaultAt;
use model::{HostName, MailboxName, Protocol, ServerName};
use serde::{Deserialize, Serialize};

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
    Renew(Box<directory::far::Facts>),
    /// Start a subject.
    Run(Box<Program>),
    /// Send the subject's process group a signal, by its number.
    Signal(i32),
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
    pub(crate) facts: directory::far::Facts,
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
    /// The subject has ended, with this status as wait(2) has it.
    Ended(i32),
}

//! Deliberate misbehaviour, switched on by a case and never by a client's field.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::case::Answering;
use model::{MailboxName, Protocol, ServerName};

/// One answer gone wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This status and an error page.
    Status(u16),
    /// 451 without `X-MS-Location` (rule X-EAS-3).
    Http451WithoutLocation,
}

impl FromStr for Fault {
    type Err = String;
    fn from_str(word: &str) -> Result<Fault, String> {
        match word {
            "451-without-location" => Ok(Fault::Http451WithoutLocation),
            status => match status.parse() {
                Ok(status @ 400..=599) => Ok(Fault::Status(status)),
                _ => Err(format!("`{word}` is no fault; a right one: `503` or `451-without-location`")),
            },
        }
    }
}

/// The faults of a lab: a script for each protocol of a server, one word an answer; and answers that a case dictates.
#[derive(Debug, Default)]
pub struct Faults {
    scripts: Mutex<HashMap<(ServerName, Protocol), VecDeque<Fault>>>,
    dictated: Mutex<HashMap<(ServerName, Protocol, MailboxName), VecDeque<Dictated>>>,
}

/// An answer that a case dictates.
#[derive(Debug, Clone)]
pub struct Dictated {
    /// What it is.
    pub answer: Answering,
    /// How long `after-quiet` is quiet.
    pub quiet: Duration,
}

impl Faults {
    /// Sets the script of a protocol at a server.
    pub fn set(&self, server: ServerName, protocol: Protocol, script: Vec<Fault>) {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).insert((server, protocol), script.into());
    }

    /// Dictates what a server answers to a user over a protocol, one an answer. What comes after is its own again.
    pub fn dictate(&self, server: ServerName, protocol: Protocol, to: MailboxName, answers: Vec<Dictated>) {
        let mut dictated = self.dictated.lock().unwrap_or_else(PoisonError::into_inner);
        dictated.insert((server, protocol, to), answers.into());
    }

    /// The next answer's fault.
    pub(crate) fn next(&self, server: &ServerName, protocol: Protocol) -> Option<Fault> {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.get_mut(&(server.clone(), protocol))?.pop_front()
    }

    /// Whether an answer is dictated here.
    pub(crate) fn dictates(&self, server: &ServerName, protocol: Protocol, to: &MailboxName) -> bool {
        let dictated = self.dictated.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (server.clone(), protocol, to.clone());
        dictated.get(&key).is_some_and(|answers| !answers.is_empty())
    }

    /// The next answer that is dictated here.
    pub(crate) fn next_dictated(
        &self,
        server: &ServerName,
        protocol: Protocol,
        to: &MailboxName,
    ) -> Option<Dictated> {
        let mut dictated = self.dictated.lock().unwrap_or_else(PoisonError::into_inner);
        dictated.get_mut(&(server.clone(), protocol, to.clone()))?.pop_front()
    }
}

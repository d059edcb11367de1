//! Deliberate misbehaviour, switched on by a case and never by a client's field.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use model::{Protocol, ServerName};

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

/// The faults of a lab: a script for each protocol of a server, one word an answer.
#[derive(Debug, Default)]
pub struct Faults(Mutex<HashMap<(ServerName, Protocol), VecDeque<Fault>>>);

impl Faults {
    /// Sets the script of a protocol at a server.
    pub fn set(&self, server: ServerName, protocol: Protocol, script: Vec<Fault>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((server, protocol), script.into());
    }

    /// The next answer's fault.
    pub(crate) fn next(&self, server: &ServerName, protocol: Protocol) -> Option<Fault> {
        let mut scripts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.get_mut(&(server.clone(), protocol))?.pop_front()
    }
}

//! Deliberate misbehaviour, switched on by a case and never by a client's field.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use model::case::{Answering, Askers, FaultAt};
use model::{MailboxName, Protocol, ServerName};
use protocols::answer::Answer;
use protocols::{eas, iis};
use serde::{Deserialize, Serialize};

/// One answer gone wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// This status and an error page.
    Status(u16),
    /// 451 without `X-MS-Location` (rule X-EAS-3).
    Http451WithoutLocation,
}

impl Fault {
    /// What is answered in place of the right answer.
    pub(crate) fn answer(self) -> Answer {
        match self {
            Fault::Status(status) => {
                iis::status(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE))
            }
            Fault::Http451WithoutLocation => eas::http451(None),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Status(status) => write!(f, "{status}"),
            Fault::Http451WithoutLocation => f.write_str("451-without-location"),
        }
    }
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

fn read(of: Askers, word: &str) -> Result<Fault, String> {
    match word.parse() {
        Ok(status @ 200..400) if of == Askers::Pings => Ok(Fault::Status(status)),
        _ => word.parse(),
    }
}

/// A row of faults, one an answer, and whether the last one stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    answers: VecDeque<Fault>,
    stays: bool,
}

/// The word at the end of a script that says that the one before it holds from then on.
const AND_SO_ON: &str = "...";

impl Script {
    /// Reads a script, one word an answer. Health may be asked for with any answer; to clients an answer below 400 is no fault.
    ///
    /// # Errors
    /// A word that is no fault, by its number.
    pub fn read(of: Askers, words: &[String]) -> Result<Script, (usize, String)> {
        let (words, stays) = match words.split_last() {
            Some((last, before)) if last == AND_SO_ON && !before.is_empty() => (before, true),
            _ => (words, false),
        };
        let answers = words.iter().enumerate().map(|(at, word)| read(of, word).map_err(|says| (at, says)));
        Ok(Script { answers: answers.collect::<Result<_, _>>()?, stays })
    }

    /// What is left of it, as it would be written.
    fn words(&self) -> Vec<String> {
        let and_so_on = self.stays.then(|| AND_SO_ON.to_owned());
        self.answers.iter().map(Fault::to_string).chain(and_so_on).collect()
    }

    fn next(&mut self) -> Option<Fault> {
        match (self.stays, self.answers.len()) {
            (true, 1) => self.answers.front().copied(),
            _ => self.answers.pop_front(),
        }
    }
}

/// The faults of a lab: a script for each protocol of a server and whose requests it shows in; and answers that a case
/// dictates.
#[derive(Debug, Default)]
pub struct Faults {
    scripts: Mutex<HashMap<(Askers, ServerName, Protocol), Script>>,
    dictated: Mutex<HashMap<(ServerName, Protocol, MailboxName), VecDeque<Dictated>>>,
}

/// An answer that a case dictates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dictated {
    /// What it is.
    pub answer: Answering,
    /// How long `after-quiet` is quiet.
    pub quiet: Duration,
}

impl Faults {
    /// Sets the script of a place; what was set there before is forgotten.
    pub fn set(&self, FaultAt { of, server, protocol }: FaultAt, script: Script) {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).insert((of, server, protocol), script);
    }

    /// Every place that has a fault, and what is left of its script, as it would be written.
    pub fn all(&self) -> Vec<(FaultAt, Vec<String>)> {
        let scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        let left = scripts.iter().filter(|(_, script)| !script.answers.is_empty());
        let at = |(of, server, protocol): &(Askers, ServerName, Protocol)| FaultAt {
            of: *of,
            server: server.clone(),
            protocol: *protocol,
        };
        let mut all: Vec<_> = left.map(|(place, script)| (at(place), script.words())).collect();
        all.sort();
        all
    }

    /// A place has no fault any more.
    pub fn mend(&self, FaultAt { of, server, protocol }: FaultAt) {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner).remove(&(of, server, protocol));
    }

    /// Dictates what a server answers to a user over a protocol, one an answer. What comes after is its own again.
    pub fn dictate(&self, server: ServerName, protocol: Protocol, to: MailboxName, answers: Vec<Dictated>) {
        let mut dictated = self.dictated.lock().unwrap_or_else(PoisonError::into_inner);
        dictated.insert((server, protocol, to), answers.into());
    }

    /// The next answer's fault.
    pub(crate) fn next(&self, of: Askers, server: &ServerName, protocol: Protocol) -> Option<Fault> {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.get_mut(&(of, server.clone(), protocol))?.next()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn script(words: &[&str]) -> Result<Script, (usize, String)> {
        Script::read(Askers::Clients, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_script_is_one_word_an_answer_and_its_last_one_may_stay() {
        let faults = Faults::default();
        let at = |place: &str| place.parse::<FaultAt>().unwrap();
        let server: ServerName = "cas2010-s1".parse().unwrap();
        let next = |of| faults.next(of, &server, Protocol::Ews);
        faults.set(at("pings cas2010-s1/ews"), script(&["502", "503", "..."]).unwrap());
        let said: Vec<_> = (0..4).filter_map(|_| next(Askers::Pings)).collect();
        assert_eq!(said, [502, 503, 503, 503].map(Fault::Status));
        assert_eq!(next(Askers::Clients), None, "another's requests");
        faults.set(at("cas2010-s1/ews"), script(&["503"]).unwrap());
        assert_eq!([next(Askers::Clients), next(Askers::Clients)], [Some(Fault::Status(503)), None]);
        faults.mend(at("pings cas2010-s1/ews"));
        assert_eq!(next(Askers::Pings), None);
        let fine = Script::read(Askers::Pings, &["204".to_owned()]).unwrap();
        assert_eq!(fine.answers, [Fault::Status(204)]);
    }

    #[test]
    fn what_is_no_script_is_told_by_its_word() {
        for (words, at) in
            [(&["503", "tea"][..], 1), (&["..."], 0), (&["503", "...", "503"], 1), (&["302"], 0)]
        {
            assert_eq!(script(words).unwrap_err().0, at, "{words:?}");
        }
    }
}

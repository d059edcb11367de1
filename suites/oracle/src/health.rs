//! What the oracle knows of health: what each endpoint is asked and answers, and which servers take no requests, worked out
//! from what a case has them answer, round by round.

use std::collections::{BTreeMap, BTreeSet};

use model::case::{Awaited, Steering};
use model::{Protocol, ServerName, Topology, Version};

/// Servers that take no requests of a protocol.
pub type Down = BTreeSet<(ServerName, Protocol)>;

/// What an endpoint is asked, and what a healthy server answers: the article's log, and for Exchange 2007, which has neither
/// Control Panel nor remote PowerShell, 404 there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The server's generation.
    pub version: Version,
    /// The protocol.
    pub protocol: Protocol,
    /// `HEAD`
    pub verb: &'static str,
    /// `/EWS`
    pub path: &'static str,
    /// Status, substatus and the code of Windows: `401 2 5`.
    pub answer: &'static str,
}

/// The endpoints of both older generations.
#[derive(Debug, Clone)]
pub struct Endpoints(Vec<Endpoint>);

/// How many cells a row has that can be flipped.
const CELLS: usize = 3;

impl Endpoints {
    /// The rule book's (CX-HLT-1, CX-HLT-10).
    pub fn standard() -> Endpoints {
        use Protocol::{Eas, Ecp, Ews, Oab, Owa, PowerShell};
        use Version::{Exchange2007 as E12, Exchange2010 as E14};
        const DEFAULT_EAS: &str = "/Microsoft-Server-ActiveSync/default.eas";
        let rows = [
            (E14, Ecp, "HEAD", "/ecp", "302 0 0"),
            (E14, PowerShell, "HEAD", "/PowerShell", "401 0 0"),
            (E14, Ews, "HEAD", "/EWS", "401 0 0"),
            (E14, Owa, "GET", "/owa", "301 0 0"),
            (E14, Eas, "HEAD", DEFAULT_EAS, "401 2 5"),
            (E14, Oab, "HEAD", "/OAB", "401 2 5"),
            (E12, Ecp, "HEAD", "/ecp", "404 0 0"),
            (E12, PowerShell, "HEAD", "/PowerShell", "404 0 0"),
            (E12, Ews, "HEAD", "/EWS", "401 0 0"),
            (E12, Owa, "GET", "/owa", "301 0 0"),
            (E12, Eas, "HEAD", DEFAULT_EAS, "401 2 5"),
            (E12, Oab, "HEAD", "/OAB", "401 2 5"),
        ];
        let endpoint =
            |(version, protocol, verb, path, answer)| Endpoint { version, protocol, verb, path, answer };
        Endpoints(rows.map(endpoint).into())
    }

    /// What a server is asked over a protocol; nothing, where its generation is not asked.
    pub fn of(&self, topology: &Topology, server: &ServerName, protocol: Protocol) -> Option<Endpoint> {
        let version = topology.server(server)?.version;
        self.0.iter().find(|row| (row.version, row.protocol) == (version, protocol)).copied()
    }

    /// How many cells there are.
    pub fn cells(&self) -> usize {
        self.0.len() * CELLS
    }

    /// The same with one cell that says something else, and what it is called.
    pub fn flipped(&self, cell: usize) -> Option<(Endpoints, String)> {
        let mut flipped = self.clone();
        let row = flipped.0.get_mut(cell / CELLS)?;
        let name = ["verb", "path", "answer"][cell % CELLS];
        let name = format!("{} {} {name}", row.version, row.protocol);
        match cell % CELLS {
            0 => row.verb = if row.verb == "GET" { "HEAD" } else { "GET" },
            1 => row.path = "/health",
            _ => row.answer = "200 0 0",
        }
        Some((flipped, name))
    }
}

impl Endpoint {
    /// The line of the server's log, as far as it is the same in every round.
    pub fn logged(&self, fqdn: &str) -> String {
        let Endpoint { verb, path, answer, .. } = self;
        format!("{verb} {path} - 443 - HTTP/1.1 HttpProxy.ClientAccessServer2010Ping - - {fqdn} {answer}")
    }

    /// The status alone.
    pub fn status(&self) -> &'static str {
        self.answer.split(' ').next().unwrap_or_default()
    }
}

/// Rounds while they come: what endpoints are told to answer, and what follows from it (CX-HLT-2 to CX-HLT-6).
#[derive(Debug, Clone, Default)]
pub struct Rounds {
    /// By place, what is still to be answered.
    scripts: BTreeMap<(ServerName, Protocol), Vec<String>>,
    /// By place, what was answered, round by round.
    answered: BTreeMap<(ServerName, Protocol), Vec<Vec<String>>>,
    down: Down,
    rounds: usize,
}

impl Rounds {
    /// Before the first of them, with what a case has servers answer to pings.
    pub fn begin(faults: &BTreeMap<String, Vec<String>>) -> Rounds {
        let mut rounds = Rounds::default();
        rounds.fails(faults);
        rounds
    }

    /// Something is done to the lab.
    pub fn steered(&mut self, steering: &Steering) {
        match steering {
            Steering::Fails(faults) => self.fails(faults),
            Steering::Mends(at) => self.mends(at),
            Steering::WaitsFor(Awaited::HealthRound) => self.round(),
            _ => {}
        }
    }

    /// From now on servers answer so; what concerns no pings is passed over.
    fn fails(&mut self, faults: &BTreeMap<String, Vec<String>>) {
        for (at, script) in faults {
            if let Some(place) = place(at) {
                self.scripts.insert(place, script.clone());
            }
        }
    }

    /// A place answers as a healthy server again.
    fn mends(&mut self, at: &str) {
        if let Some(place) = place(at) {
            self.scripts.remove(&place);
        }
    }

    /// One more round.
    fn round(&mut self) {
        self.rounds += 1;
        let places: Vec<_> = self.scripts.keys().chain(&self.down).cloned().collect();
        for place in places {
            let mut answers = vec![self.answer(&place)];
            if fails(&answers[0]) {
                answers.push(self.answer(&place));
            }
            match answers.iter().all(|answer| fails(answer)) {
                true => self.down.insert(place.clone()),
                false => self.down.remove(&place),
            };
            let before = self.answered.entry(place).or_default();
            // Rounds in which nobody told it what to answer.
            before.resize(self.rounds - 1, vec![HEALTHY.to_owned()]);
            before.push(answers);
        }
    }

    /// What takes no requests after the rounds so far.
    pub fn down(&self) -> &Down {
        &self.down
    }

    /// The kinds of round that a place has seen, in their order, given what a healthy server answers there.
    pub fn kinds(&self, server: &ServerName, protocol: Protocol, healthy: &str) -> Vec<Vec<String>> {
        let mut kinds = self.answered.get(&(server.clone(), protocol)).cloned().unwrap_or_default();
        kinds.resize(self.rounds, vec![HEALTHY.to_owned()]);
        for answer in kinds.iter_mut().flatten().filter(|answer| *answer == HEALTHY) {
            *answer = healthy.to_owned();
        }
        kinds.dedup();
        kinds
    }

    /// How many rounds there were.
    pub fn count(&self) -> usize {
        self.rounds
    }

    fn answer(&mut self, place: &(ServerName, Protocol)) -> String {
        let Some(script) = self.scripts.get_mut(place) else { return HEALTHY.to_owned() };
        match &script[..] {
            [] => HEALTHY.to_owned(),
            [word, and_so_on] if and_so_on == "..." => word.clone(),
            _ => script.remove(0),
        }
    }
}

/// Stands for what a server answers of itself.
const HEALTHY: &str = "healthy";

/// CX-HLT-3: these three, and no other answer.
fn fails(answer: &str) -> bool {
    ["502", "503", "504"].contains(&answer)
}

fn place(at: &str) -> Option<(ServerName, Protocol)> {
    let (server, protocol) = at.strip_prefix("pings ")?.split_once('/')?;
    Some((server.parse().ok()?, protocol.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(script: &[&str], count: usize) -> (bool, Vec<Vec<String>>) {
        let script = script.iter().map(|word| (*word).to_owned()).collect();
        let mut rounds = Rounds::begin(&[("pings cas2010-s3/ews".to_owned(), script)].into());
        (0..count).for_each(|_| rounds.round());
        let server = "cas2010-s3".parse().unwrap();
        (
            rounds.down().contains(&(server, Protocol::Ews)),
            rounds.kinds(&"cas2010-s3".parse().unwrap(), Protocol::Ews, "401"),
        )
    }

    #[test]
    fn two_failures_in_a_round_are_down_until_an_answer_is_none() {
        let kind = |answers: &[&str]| answers.iter().map(|answer| (*answer).to_owned()).collect::<Vec<_>>();
        assert_eq!(rounds(&["503"], 1), (false, vec![kind(&["503", "401"])]));
        assert_eq!(rounds(&["503", "..."], 3), (true, vec![kind(&["503", "503"])]));
        assert_eq!(rounds(&["503", "504"], 2), (false, vec![kind(&["503", "504"]), kind(&["401"])]));
        assert_eq!(rounds(&["500", "404"], 3), (false, vec![kind(&["500"]), kind(&["404"]), kind(&["401"])]));
        assert_eq!(rounds(&[], 2), (false, vec![kind(&["401"])]));
    }
}

//! Health of servers of older versions: whom to ask, how, when, and what follows from an answer. Pure; [`rounds`] does it.
//!
//! The article's words: a light request to each protocol endpoint of every Client Access server of the topology map, every 50
//! seconds; 2xx, 3xx and 4xx are life, 502, 503 and 504 a failure that is tried again at once. Where it is silent: another
//! 5xx is life too, no connection and no answer are failures, and before its first round a server is taken for up.

pub(crate) mod rounds;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use model::topology::ServerRole;
use model::{HostName, Protocol, ServerName, Topology, Version};

use crate::ports::Pulse;

/// What it calls itself, towards Exchange 2007 too (wire facts 9).
const USER_AGENT: &str = "HttpProxy.ClientAccessServer2010Ping";

/// What is asked, protocol by protocol (the article's IIS log).
const ENDPOINTS: [(Protocol, Method, &str); 6] = [
    (Protocol::Ecp, Method::HEAD, "/ecp"),
    (Protocol::PowerShell, Method::HEAD, "/PowerShell"),
    (Protocol::Ews, Method::HEAD, "/EWS"),
    (Protocol::Owa, Method::GET, "/owa"),
    (Protocol::Eas, Method::HEAD, "/Microsoft-Server-ActiveSync/default.eas"),
    (Protocol::Oab, Method::HEAD, "/OAB"),
];

/// One question to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Whom it concerns.
    pub server: ServerName,
    /// What it concerns.
    pub protocol: Protocol,
    /// The name that is dialled, on port 443.
    pub dials: HostName,
    /// The verb.
    pub verb: Method,
    /// Path and query.
    pub target: String,
    /// What `Host` says.
    pub host: HostName,
    /// What `User-Agent` says.
    pub user_agent: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An answer with this status.
    Status(u16),
    /// No connection, or no answer on it.
    Nothing,
}

/// What is known of a server's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it takes requests.
    pub up: bool,
    /// Failures since the last sign of life.
    pub failures: u32,
}

impl Default for Standing {
    /// Nothing is known yet.
    fn default() -> Standing {
        Standing { up: true, failures: 0 }
    }
}

/// When to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// At once.
    Now,
    /// In the next round.
    NextRound,
}

/// What has happened, when the interval has passed once more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SoFar {
    /// Rounds.
    pub rounds: u64,
    /// Requests of clients. When servers are asked does not depend on them (CX-HLT-8).
    pub clients: u64,
}

/// Everything that rounds have found.
pub type Health = BTreeMap<(ServerName, Protocol), Standing>;

/// What takes no requests.
pub type Down = BTreeSet<(ServerName, Protocol)>;

/// The article's way, as the production implementation.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsLogged;

impl Pulse for AsLogged {
    fn asks(&self, topology: &Topology, seat: &ServerName) -> Vec<Ping> {
        let older = topology.servers.iter().filter(|(name, server)| {
            *name != seat && server.version != Version::Exchange2013 && server.is(ServerRole::ClientAccess)
        });
        let each = older.flat_map(|(name, _)| {
            let fqdn = topology.fqdn(name);
            ENDPOINTS.map(|(protocol, verb, target)| Ping {
                server: name.clone(),
                protocol,
                dials: fqdn.clone(),
                verb,
                target: target.to_owned(),
                host: fqdn.clone(),
                user_agent: USER_AGENT.to_owned(),
            })
        });
        each.collect()
    }

    fn due(&self, _: SoFar) -> bool {
        true
    }

    fn heard(&self, before: Standing, heard: Heard) -> (Standing, Again) {
        if !matches!(heard, Heard::Nothing | Heard::Status(502..=504)) {
            return (Standing::default(), Again::NextRound);
        }
        let failures = before.failures.saturating_add(1);
        match (before.up, failures) {
            (true, 1) => (Standing { up: true, failures }, Again::Now), // CX-HLT-3: one immediate retry
            // The first failure of a later round is tried again as well (CX-HLT-5).
            (false, failures) if failures % 2 == 1 => (Standing { up: false, failures }, Again::Now),
            (_, failures) => (Standing { up: false, failures }, Again::NextRound),
        }
    }

    fn carried(&self, before: Standing, _: Protocol, _: Duration) -> Standing {
        before
    }

    fn down(&self, health: &Health) -> Down {
        health.iter().filter(|(_, standing)| !standing.up).map(|(at, _)| at.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a row of answers comes to: up or not, and how often it was asked again at once.
    fn after(answers: &[u16]) -> (bool, usize) {
        let (mut standing, mut again) = (Standing::default(), 0);
        for answer in answers {
            let heard = if *answer == 0 { Heard::Nothing } else { Heard::Status(*answer) };
            let (now, when) = AsLogged.heard(standing, heard);
            again += usize::from(when == Again::Now);
            standing = now;
        }
        (standing.up, again)
    }

    #[test]
    fn a_failure_is_tried_again_at_once_and_two_in_a_row_are_down() {
        assert_eq!(after(&[]), (true, 0));
        for life in [200, 301, 302, 401, 404, 500, 501, 505] {
            assert_eq!(after(&[life]), (true, 0), "{life}");
        }
        for failure in [502, 503, 504, 0] {
            assert_eq!(after(&[failure]), (true, 1), "{failure}");
            assert_eq!(after(&[failure, 401]), (true, 1), "{failure}");
            assert_eq!(after(&[failure, failure]), (false, 1), "{failure}");
            assert_eq!(after(&[failure, failure, 401]), (true, 1), "{failure}");
            assert_eq!(after(&[failure, failure, failure, failure]), (false, 2), "{failure}");
            assert_eq!(after(&[failure, failure, failure, 401]), (true, 2), "{failure}");
        }
    }
}

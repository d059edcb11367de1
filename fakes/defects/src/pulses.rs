//! Lies of `pulse`: other servers asked, in other words, at other times; another meaning of an answer. Health is everybody's,
//! so each is a lie to whoever is there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use model::{HostName, Protocol, ServerName, Topology, Version};
use reference::ports::Pulse;
use reference::pulse::{Again, Down, Health, Heard, Ping, SoFar, Standing};

use crate::Fired;

/// How an answer of the port is bent.
#[derive(Clone, Copy)]
pub(crate) enum Lie {
    /// Others are asked, or in other words.
    Asks(fn(Vec<Ping>, &Topology, &ServerName) -> Vec<Ping>),
    /// Rounds begin at other times.
    Due(fn(SoFar) -> bool),
    /// An answer is taken for another one.
    Hears(fn(Heard) -> Heard),
    /// Something else follows from an answer: what was known before, what is right to know now and do.
    Follows(fn(Standing, (Standing, Again)) -> (Standing, Again)),
    /// Something follows from a client's request.
    Carried(fn(Standing, Protocol, Duration) -> Standing),
    /// Other servers are taken for down.
    Down(fn(&Health) -> Down),
}

/// Long beside every answer of a lab, and shorter than the heartbeats that cases play.
const QUIET: Duration = Duration::from_millis(600);

const DOWN: Standing = Standing { up: false, failures: 2 };

const LIES: &[(&str, Lie)] = &[
    ("fears-401", Lie::Hears(|heard| if heard == Heard::Status(401) { Heard::Status(503) } else { heard })),
    (
        "fears-302",
        Lie::Hears(|heard| match heard {
            Heard::Status(300..=399) => Heard::Status(503),
            other => other,
        }),
    ),
    (
        "forgives-503",
        Lie::Hears(|heard| match heard {
            Heard::Status(502..=504) => Heard::Status(200),
            other => other,
        }),
    ),
    (
        "no-second-try",
        Lie::Follows(|_, (after, again)| match again {
            Again::Now => (DOWN, Again::NextRound),
            Again::NextRound => (after, again),
        }),
    ),
    ("tries-again-late", Lie::Follows(|_, (after, _)| (after, Again::NextRound))),
    (
        "three-strikes",
        Lie::Follows(|before, (after, again)| match (before.up, after) {
            (true, Standing { up: false, failures: 2 }) => (Standing { up: true, ..after }, Again::Now),
            _ => (after, again),
        }),
    ),
    (
        "never-forgives",
        Lie::Follows(|before, (after, again)| if before.up { (after, again) } else { (before, again) }),
    ),
    ("asks-once", Lie::Due(|so_far| so_far.rounds == 0)),
    ("asks-when-used", Lie::Due(|so_far| so_far.clients > 0)),
    (
        "asks-own-site",
        Lie::Asks(|all, topology, seat| {
            let own = topology.site_of(seat);
            all.into_iter().filter(|ping| topology.site_of(&ping.server) == own).collect()
        }),
    ),
    (
        "skips-2007",
        Lie::Asks(|all, topology, _| {
            let version = |ping: &Ping| topology.server(&ping.server).map(|server| server.version);
            all.into_iter().filter(|ping| version(ping) != Some(Version::Exchange2007)).collect()
        }),
    ),
    (
        "one-for-all",
        Lie::Down(|health| {
            let down: BTreeSet<_> =
                health.iter().filter(|(_, standing)| !standing.up).map(|((server, _), _)| server).collect();
            health.keys().filter(|(server, _)| down.contains(server)).cloned().collect()
        }),
    ),
    (
        "asks-one-path",
        Lie::Asks(|all, _, _| all.into_iter().filter(|ping| ping.protocol == Protocol::Owa).collect()),
    ),
    (
        "asks-in-own-words",
        Lie::Asks(|all, topology, _| {
            let own_words = |ping: Ping| Ping {
                verb: Method::GET,
                target: format!("{}?probe=1", ping.target),
                host: HostName::folded(&format!("mail.{}", topology.domain)).unwrap_or(ping.host),
                user_agent: "health-check/1.0".to_owned(),
                ..ping
            };
            all.into_iter().map(own_words).collect()
        }),
    ),
    (
        "ping-marks-down",
        Lie::Carried(|before, protocol, took| match protocol {
            Protocol::Eas if took >= QUIET => DOWN,
            _ => before,
        }),
    ),
];

/// The lie of this id.
pub(crate) fn lie(id: &str) -> Option<(&'static str, Lie)> {
    LIES.iter().find(|(known, _)| *known == id).copied()
}

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    LIES.iter().map(|(id, _)| *id)
}

pub(crate) struct Spoiled {
    pub(crate) id: &'static str,
    pub(crate) lie: Lie,
    pub(crate) truth: Arc<dyn Pulse>,
    pub(crate) fired: Fired,
}

impl Spoiled {
    /// What is told; noted where it is not the truth.
    fn told<T: PartialEq>(&self, lie: T, truth: &T) -> T {
        if lie != *truth {
            self.fired.lied_to_everybody(self.id);
        }
        lie
    }
}

impl Pulse for Spoiled {
    fn asks(&self, topology: &Topology, seat: &ServerName) -> Vec<Ping> {
        let truth = self.truth.asks(topology, seat);
        match self.lie {
            Lie::Asks(bend) => self.told(bend(truth.clone(), topology, seat), &truth),
            _ => truth,
        }
    }

    fn due(&self, so_far: SoFar) -> bool {
        let truth = self.truth.due(so_far);
        match self.lie {
            Lie::Due(bend) => self.told(bend(so_far), &truth),
            _ => truth,
        }
    }

    fn heard(&self, before: Standing, heard: Heard) -> (Standing, Again) {
        let truth = self.truth.heard(before, heard);
        match self.lie {
            Lie::Hears(bend) => self.told(self.truth.heard(before, bend(heard)), &truth),
            Lie::Follows(bend) => self.told(bend(before, truth), &truth),
            _ => truth,
        }
    }

    fn carried(&self, before: Standing, protocol: Protocol, took: Duration) -> Standing {
        let truth = self.truth.carried(before, protocol, took);
        match self.lie {
            Lie::Carried(bend) => self.told(bend(before, protocol, took), &truth),
            _ => truth,
        }
    }

    fn down(&self, health: &Health) -> Down {
        let truth = self.truth.down(health);
        match self.lie {
            Lie::Down(bend) => self.told(bend(health), &truth),
            _ => truth,
        }
    }
}

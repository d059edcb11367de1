//! Health rounds: how often the subject is told to ask, and waiting for one to have come. What a round is follows from the
//! topology and the ledger alone; whether it was asked well is the judge's affair.

use std::sync::Arc;
use std::time::Duration;

use ledger::Arrival;
use model::case::is_failure;
use model::journal::Order;
use model::subject::Subject;
use model::topology::ServerRole;
use model::{Protocol, ServerName, Topology, Version};

use super::{Lab, LabError};
use crate::clock;

/// Between two rounds, where a subject declares nothing else (rule CX-HLT-1).
const USUAL: Duration = Duration::from_secs(50);
/// What is waited for beyond a few rounds, however short they are: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a subject is told where nobody looks at health.
pub(super) const NEVER: &str = "never";

/// What a lab knows of its subject's rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounds {
    interval: Duration,
    /// Whether the cases of the lab look at them.
    wanted: bool,
    /// How late the subject may learn of a changed fact; at once where it declares nothing.
    discovery_ttl: Duration,
}

impl Rounds {
    pub(super) fn of(subject: Option<&Subject>, wanted: bool) -> Rounds {
        let declares = subject.map(|subject| &subject.declares);
        let interval = declares.and_then(|declares| declares.health_interval).map_or(USUAL, |span| span.0);
        let discovery_ttl = declares.and_then(|declares| declares.discovery_ttl).map(|span| span.0);
        Rounds { interval, wanted, discovery_ttl: discovery_ttl.unwrap_or_default() }
    }

    /// How often to ask, as a subject is told.
    pub(super) fn told(self) -> String {
        if self.wanted { format!("{}ms", self.interval.as_millis()) } else { NEVER.to_owned() }
    }

    /// Whether this subject asks in this lab, so that its first round can be waited for.
    pub(super) fn come_of(self, subject: &Subject) -> bool {
        self.wanted || !subject.run.uses("health-interval")
    }
}

impl Lab {
    /// Between two health rounds: what the subject declares, or as Exchange has it.
    pub fn health_interval(&self) -> Duration {
        self.rounds.interval
    }

    /// Waits until every server of an older version has been asked once since a moment.
    pub(super) async fn health_round(&self, since: Order) -> Result<(), LabError> {
        self.round_from(since, self.rounds.interval * 3 + PATIENCE).await
    }

    /// The same within a limit.
    pub(super) async fn round_from(&self, from: Order, within: Duration) -> Result<(), LabError> {
        let topology = self.directory.topology();
        let come = self.ledger.until_answers(|arrivals| missing(&topology, arrivals, from).is_empty());
        if clock::within(within, come).await.is_some() {
            return Ok(());
        }
        let missing: Vec<String> = missing(&topology, &self.ledger.all(), from)
            .into_iter()
            .map(|(server, protocol)| format!("{server}/{protocol}"))
            .collect();
        Err(LabError::NoHealthRound { within, missing: format!("not asked were {}", missing.join(", ")) })
    }

    /// Waits until the subject has had the time that it declares to learn of a change.
    pub(super) async fn discovery_ttl(&self) {
        clock::pass(self.rounds.discovery_ttl).await;
    }
}

/// Places where no whole round has come since a moment: an answer that is no failure, or two failures in a row. Of a place that
/// has ever failed, something may follow from it; that it has followed shows when the place is asked the next time.
fn missing(topology: &Topology, arrivals: &[Arc<Arrival>], since: Order) -> Vec<(ServerName, Protocol)> {
    let is_asked = |server: &ServerName, protocol: Protocol| {
        let asked: Vec<&Arc<Arrival>> = arrivals
            .iter()
            .filter(|arrival| {
                arrival.server == *server
                    && arrival.is_of_nobody()
                    && Protocol::of_path(&arrival.target) == Some(protocol)
            })
            .collect();
        let fails = |at: usize| asked[at].answer.map(|answer| is_failure(answer.status));
        let new = asked.iter().position(|arrival| arrival.order >= since).unwrap_or(asked.len());
        let ends = |at: &usize| match fails(*at) {
            Some(true) => *at > new && fails(at - 1) == Some(true),
            Some(false) => true,
            None => false,
        };
        let ever_failed = (0..asked.len()).any(|at| fails(at) == Some(true));
        let end = (new..asked.len()).find(ends);
        end.is_some_and(|end| !ever_failed || end + 1 < asked.len())
    };
    let all = topology
        .servers
        .iter()
        .filter(|(_, server)| server.is(ServerRole::ClientAccess) && server.version != Version::Exchange2013);
    let places = all.flat_map(|(name, server)| {
        let pinged = [Protocol::Owa, Protocol::Ecp, Protocol::Ews, Protocol::Eas, Protocol::Oab];
        let has = pinged.into_iter().filter(|protocol| server.directory(*protocol).is_some());
        has.map(move |protocol| (name.clone(), protocol))
    });
    places.filter(|(server, protocol)| !is_asked(server, *protocol)).collect()
}

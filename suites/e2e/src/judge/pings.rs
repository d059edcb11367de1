//! How servers were asked for their health, round by round, beside what a case says of it; and how well the interval that
//! a subject declares was kept.

use std::sync::Arc;
use std::time::Duration;

use ledger::{Arrival, w3c};
use model::case::{Pings, is_failure};
use model::{Case, Protocol, ServerName};

use super::{Judged, Trace};

/// What a ping and its retry came to: the requests of one round.
type Round<'t> = Vec<&'t Arc<Arrival>>;

pub(super) fn judge(case: &Case, trace: &Trace, judged: &mut Judged) {
    let rounds_of = |row: &'_ Pings, server: &ServerName| rounds(trace, server, row.of);
    for row in &case.pings {
        judged.observed |= row.at.iter().any(|server| !rounds_of(row, server).is_empty());
        for server in &row.at {
            if let Some(says) = difference(row, &rounds_of(row, server), trace, server) {
                judged.as_a_whole("pings", format!("{server}/{}: {says}", row.of));
            }
        }
    }
    // How it is asked, and how often, is likeness: where a case speaks of the one, it speaks of the other.
    if case.pings.iter().any(|row| row.logged.is_some()) {
        let paces = Paces::of(trace);
        let (interval, tolerance) = (trace.interval, tolerance(trace.interval));
        if let Some(middle) = paces.middle().filter(|middle| middle.abs_diff(interval) > tolerance) {
            let says = format!(
                "{middle:?} between two rounds (the middle of {}), expected {interval:?} (tolerance {tolerance:?})",
                paces.between.len()
            );
            judged.as_a_whole("pings", says);
        }
    }
}

fn difference(row: &Pings, rounds: &[Round<'_>], trace: &Trace, server: &ServerName) -> Option<String> {
    let answers: Vec<Vec<u16>> =
        rounds.iter().map(|round| round.iter().map(|ping| status(ping)).collect()).collect();
    if answers.len() < usize::from(row.rounds) {
        return Some(format!("{} rounds ({}), expected {}", answers.len(), shown(&answers), row.rounds));
    }
    let kinds = kinds(answers);
    let wanted: Vec<Vec<u16>> =
        row.answers.iter().map(|kind| kind.iter().map(|status| status.0).collect()).collect();
    if kinds != wanted && without_seams(kinds.clone()) != wanted {
        let retries =
            late(rounds, trace).map(|gap| format!("; asked again after {gap:?}")).unwrap_or_default();
        return Some(format!("rounds answered {}, expected {}{retries}", shown(&kinds), shown(&wanted)));
    }
    let wanted = row.logged.as_ref()?.replace("{fqdn}", trace.topology.fqdn(server).as_str());
    let other = rounds.iter().filter_map(|round| round.first()).map(|ping| w3c::short(ping));
    let other = other.into_iter().find(|logged| *logged != wanted)?;
    Some(format!("its log has `{other}`, expected `{wanted}`"))
}

/// The rounds in which a server was asked over a protocol. A failure that is followed by another request within half an
/// interval is one round with it (rule CX-HLT-3). The last one may still be under way: then it says nothing.
fn rounds<'t>(trace: &'t Trace, server: &ServerName, of: Protocol) -> Vec<Round<'t>> {
    let mut rounds: Vec<Round<'t>> = vec![];
    let pings = trace.pings.iter().filter(|ping| {
        ping.server == *server && ping.answer.is_some() && Protocol::of_path(&ping.target) == Some(of)
    });
    for ping in pings {
        let last = rounds.last_mut().filter(|round| {
            round
                .last()
                .is_some_and(|before| is_failure(status(before)) && gap(before, ping) * 2 < trace.interval)
        });
        match last {
            Some(round) => round.push(ping),
            None => rounds.push(vec![ping]),
        }
    }
    let under_way = |round: &Round<'_>| round.len() == 1 && is_failure(status(round[0]));
    if rounds.len() > 1 && rounds.last().is_some_and(under_way) {
        rounds.pop();
    }
    rounds
}

fn status(ping: &Arrival) -> u16 {
    ping.answer.map_or(0, |answer| answer.status)
}

fn gap(before: &Arrival, after: &Arrival) -> Duration {
    Duration::from_millis(after.time.saturating_sub(before.time))
}

/// Rounds of one kind in a row are one.
fn kinds(mut answers: Vec<Vec<u16>>) -> Vec<Vec<u16>> {
    answers.dedup();
    answers
}

/// A server that is mended between a ping and its retry makes a round that began as those before it and ended as those
/// after it: it is no kind of its own.
fn without_seams(mut kinds: Vec<Vec<u16>>) -> Vec<Vec<u16>> {
    let is_seam = |kinds: &[Vec<u16>], at: usize| {
        let (before, this, after) = (&kinds[at - 1], &kinds[at], &kinds[at + 1]);
        this.len() > 1 && this.first() == before.first() && this.last() == after.last()
    };
    if let Some(at) = (1..kinds.len().saturating_sub(1)).find(|at| is_seam(&kinds, *at)) {
        kinds.remove(at);
        kinds.dedup();
    }
    kinds
}

/// The shortest time after which a failure was not tried again at once.
fn late(rounds: &[Round<'_>], trace: &Trace) -> Option<Duration> {
    let alone = |pair: &&[Round<'_>]| pair[0].len() == 1 && is_failure(status(pair[0][0]));
    let gaps = rounds.windows(2).filter(alone).map(|pair| gap(pair[0][0], pair[1][0]));
    gaps.min().filter(|gap| *gap * 2 >= trace.interval)
}

fn shown(rounds: &[Vec<u16>]) -> String {
    let each = rounds.iter().map(|round| {
        let statuses: Vec<String> = round.iter().map(u16::to_string).collect();
        format!("[{}]", statuses.join(" "))
    });
    each.collect::<Vec<_>>().join(", then ")
}

/// How far from the declared interval the middle of all gaps may be: a tenth, and what a busy machine takes.
pub(crate) fn tolerance(interval: Duration) -> Duration {
    interval / 10 + Duration::from_millis(500)
}

/// The times between rounds, and between a failure and its retry, over every server and protocol.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paces {
    /// Between the beginnings of two rounds.
    pub(crate) between: Vec<Duration>,
    /// Between a failure and what was asked because of it.
    pub(crate) retries: Vec<Duration>,
}

impl Paces {
    /// Those of a case.
    pub(crate) fn of(trace: &Trace) -> Paces {
        let mut paces = Paces::default();
        let mut places: Vec<(&ServerName, Protocol)> = trace
            .pings
            .iter()
            .filter_map(|ping| Some((&ping.server, Protocol::of_path(&ping.target)?)))
            .collect();
        places.sort();
        places.dedup();
        for (server, of) in places {
            let rounds = rounds(trace, server, of);
            paces.between.extend(rounds.windows(2).map(|pair| gap(pair[0][0], pair[1][0])));
            let retries = rounds.iter().flat_map(|round| round.windows(2).map(|pair| gap(pair[0], pair[1])));
            paces.retries.extend(retries);
        }
        paces.between.sort();
        paces.retries.sort();
        paces
    }

    /// Those of another case beside them.
    pub(crate) fn add(&mut self, other: Paces) {
        self.between.extend(other.between);
        self.retries.extend(other.retries);
        self.between.sort();
        self.retries.sort();
    }

    /// The middle of all gaps between rounds.
    pub(crate) fn middle(&self) -> Option<Duration> {
        self.between.get(self.between.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests;

//! What a subject declares, held against what it does: cases of another reading are not for it, and where it says how it
//! speaks for users, it is heard.

use std::time::Duration;

use ledger::{Arrival, Claim, Conveyed};
use model::case::{Awaited, Case, Steering, Step, spelled_out};
use model::subject::{Balancing, Declares, LocalSite, Size, Span, Subject, ToServers};
use model::verdict::{Difference, Outcome, Verdict};
use model::{Protocol, Role};

use crate::judge::Trace;
use crate::judge::pings::{Paces, tolerance};
use crate::suite::Suite;

/// Rules whose cases depend on whom a front end answers 451 (rule X-EAS-1).
const OF_451: [&str; 4] = ["PRE-EAS-4B", "PRE-EAS-4C", "X-EAS-1", "X-EAS-4"];

/// Why a case is not for a subject that declares another behaviour than the one it is about.
pub fn not_for(suite: &Suite, case: &Case, subject: &Subject) -> Option<String> {
    other_site(case, subject)
        .or_else(|| other_retry(case, subject))
        .or_else(|| no_spread(case, subject))
        .or_else(|| other_451(suite, case, subject))
        .or_else(|| too_large(case, subject))
        .or_else(|| too_late(case, subject))
        .or_else(|| too_long(case, subject))
}

/// The longest that a case waits for a subject to learn of a change.
const PATIENCE: Duration = Duration::from_secs(120);

/// A change may be seen as late as the subject declares (rule X-OOS-1): of one that declares nothing nobody knows how long
/// to wait.
fn too_late(case: &Case, subject: &Subject) -> Option<String> {
    let waits = Steering::WaitsFor(Awaited::DiscoveryTtl);
    if !case.steps.iter().any(|step| step.before.contains(&waits)) {
        return None;
    }
    match subject.declares.discovery_ttl {
        None => Some(format!("{} declares no discovery-ttl", subject.name)),
        Some(ttl) => (ttl.0 > PATIENCE).then(|| {
            format!(
                "{} declares a discovery-ttl of {:?}; a case waits {PATIENCE:?} at most",
                subject.name, ttl.0
            )
        }),
    }
}

/// The longest session whose end a run waits for.
const LONGEST_SESSION: Span = Span(Duration::from_secs(30));

/// The end of a session is waited for where it is declared, and near (rule CX-OWA-7). Behind an edge our own front end says it.
fn too_long(case: &Case, subject: &Subject) -> Option<String> {
    let ends =
        |done: &Steering| matches!(done, Steering::WaitsFor(Awaited::OwaTimeout | Awaited::HalfOfOwaTimeout));
    let waits = case.steps.iter().flat_map(|step| &step.before).any(ends);
    if !waits || subject.role == Role::Edge {
        return None;
    }
    match subject.declares.owa_timeout {
        None => Some(format!(
            "{} declares no owa-timeout, so the end of a session is not waited for",
            subject.name
        )),
        Some(timeout) if timeout.0 > LONGEST_SESSION.0 => Some(format!(
            "{} declares owa-timeout = \"{timeout}\"; at most {LONGEST_SESSION} are waited for: declare the shorter one of a \
             configuration for tests",
            subject.name
        )),
        Some(_) => None,
    }
}

/// Of two readings of the local site a subject has one: the article's own, unless it declares the other.
fn other_site(case: &Case, subject: &Subject) -> Option<String> {
    let reads = subject.declares.oab_local_site.unwrap_or(LocalSite::Seat);
    let wanted = case.declares.oab_local_site.filter(|wanted| *wanted != reads)?;
    Some(format!("{} does not declare oab-local-site = \"{wanted}\"", subject.name))
}

/// What becomes of a mail session whose first candidate fails the article does not say: only who declares it is asked.
fn other_retry(case: &Case, subject: &Subject) -> Option<String> {
    let wanted = case.declares.mail_retry?;
    let declared = subject.declares.mail_retry == Some(wanted);
    (!declared).then(|| format!("{} does not declare mail-retry = \"{wanted}\"", subject.name))
}

/// Which of several servers is taken the article does not say: of whom declares that each in turn is, or any by chance, a few
/// clients can tell.
fn no_spread(case: &Case, subject: &Subject) -> Option<String> {
    let declared = subject.declares.balancing.is_some_and(spreads);
    let asked = case.steps.iter().any(Step::spreads);
    (asked && !declared)
        .then(|| format!("{} does not declare balancing = \"round-robin\" or \"random\"", subject.name))
}

fn spreads(balancing: Balancing) -> bool {
    matches!(balancing, Balancing::RoundRobin | Balancing::Random)
}

fn other_451(suite: &Suite, case: &Case, subject: &Subject) -> Option<String> {
    let declared = subject.declares.eas_451?;
    if subject.role != Role::FrontEnd2010 || !case.rules.iter().any(|rule| OF_451.contains(&rule.as_str())) {
        return None;
    }
    let topology = suite.topology_of(case).ok()?;
    let set = topology.server(&topology.seat)?.directory(Protocol::Eas)?.devices_451?;
    (set != declared).then(|| format!("{} declares eas-451 = \"{declared}\", not \"{set}\"", subject.name))
}

/// What is beyond a declared limit need not pass (rule X-WIRE-13).
fn too_large(case: &Case, subject: &Subject) -> Option<String> {
    let (head, body) = largest(case)?;
    let limits = [
        ("head-limit", subject.declares.head_limit, "head", head),
        ("body-limit", subject.declares.body_limit, "body", body),
    ];
    let beyond = |(key, limit, what, sent): (&str, Option<Size>, &str, u64)| {
        let limit = limit.filter(|limit| sent > limit.0)?;
        Some(format!(
            "{} declares a {key} of {} bytes; a {what} here has {sent} and more",
            subject.name, limit.0
        ))
    };
    limits.into_iter().find_map(beyond)
}

/// The largest head and the largest body, in bytes, that a case wants carried, either way; none where it may be refused. A
/// head is counted as it is written in the case, without what is added by itself.
fn largest(case: &Case) -> Option<(u64, u64)> {
    if case.steps.iter().flat_map(|step| &step.then).any(|leg| leg.may_refuse) {
        return None;
    }
    let head = |first: usize, lines: &[String]| {
        lines.iter().fold(first, |sum, line| sum + spelled_out(line).len() + 2) as u64
    };
    let sends = case.steps.iter().flat_map(|step| &step.when.sends);
    let answers = case.given.answers.values().flatten();
    let there = sends.map(|send| (head(send.verb.len() + send.target.len(), &send.lines), &send.body));
    let back = answers.map(|answer| (head(answer.status.len(), &answer.lines), &answer.body));
    let all = there.chain(back).map(|(head, body)| (head, body.as_ref().map_or(0, |body| body.size())));
    Some(all.fold((0, 0), |(h, b), (head, body)| (h.max(head), b.max(body))))
}

/// How often a subject spoke for a user as it declares, and where it did not.
#[derive(Debug, Default)]
pub struct Heard {
    /// Requests in which it did.
    pub held: usize,
    /// What was otherwise.
    pub otherwise: Vec<Difference>,
}

/// Listens how a subject spoke for users over HTTP in a case. Basic and tickets are known apart; what else a server believes, a
/// session of its own say, is no way of speaking for a user.
pub fn heard(declares: &Declares, trace: &Trace) -> Heard {
    let mut heard = Heard::default();
    let wanted = match declares.to_servers {
        Some(ToServers::Basic) => Conveyed::Basic,
        Some(ToServers::Ticket) => Conveyed::Ticket,
        _ => return heard,
    };
    let from_subject = |arrival: &&std::sync::Arc<Arrival>| {
        arrival.parent.is_none()
            && arrival.claimed_by != Claim::Socket
            && arrival.identity.believed_to_be.is_some()
            && matches!(arrival.identity.conveyed, Conveyed::Basic | Conveyed::Ticket)
            && !matches!(arrival.protocol, Protocol::Imap | Protocol::Pop)
    };
    for arrival in trace.arrivals.iter().filter(from_subject) {
        if arrival.identity.conveyed == wanted {
            heard.held += 1;
            continue;
        }
        let says = format!(
            "{} {} at {} spoke for its user otherwise than by to-servers = \"{}\", which the subject declares",
            arrival.verb,
            arrival.target,
            arrival.server,
            declares.to_servers.map_or("", ToServers::as_str)
        );
        heard.otherwise.push(Difference { leg: 0, what: "declared".to_owned(), says });
    }
    heard
}

/// How a declared interval between health rounds was kept.
fn rounds(subject: &Subject, paces: &Paces) -> Option<String> {
    let interval = subject.declares.health_interval?.0;
    let millis = |time: Option<&Duration>| time.map_or(0, |time| time.as_millis());
    let (first, last) = (millis(paces.between.first()), millis(paces.between.last()));
    let middle = millis(paces.middle().as_ref());
    let tolerance = tolerance(interval).as_millis();
    Some(format!(
        "health-interval = {} ms: {} times from one round to the next, {first} to {last} ms, in the middle {middle} \
         (tolerance of that: {tolerance} ms); {} retries, after at most {} ms",
        interval.as_millis(),
        paces.between.len(),
        paces.retries.len(),
        millis(paces.retries.last()),
    ))
}

/// What was held to what is declared, one line each; `held` counts requests that spoke for a user.
pub(crate) fn lines(subject: &Subject, held: usize, paces: &Paces, verdicts: &[Verdict]) -> Vec<String> {
    let ran_with = |wanted: &dyn Fn(&Verdict) -> bool| {
        verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Skip && wanted(verdict)).count()
    };
    let ran = |id: &str| ran_with(&|verdict| verdict.rules.iter().any(|rule| rule.as_str() == id));
    let mut lines: Vec<String> = rounds(subject, paces).into_iter().collect();
    if let Some(ttl) = subject.declares.discovery_ttl {
        let cases = ran("X-OOS-1");
        lines.push(format!("discovery-ttl = {ttl}: {cases} cases of X-OOS-1 (tolerance: none after it)"));
    }
    if let Some(way) =
        subject.declares.to_servers.filter(|way| matches!(way, ToServers::Basic | ToServers::Ticket))
    {
        lines.push(format!(
            "to-servers = \"{way}\": so in {held} requests (tolerance: none may be otherwise)"
        ));
    }
    if let Some(site) = subject.declares.oab_local_site {
        let cases = ran("CX-OAB-3");
        lines.push(format!(
            "oab-local-site = \"{site}\": {cases} cases of it (tolerance: none; those of the other are skipped)"
        ));
    }
    if let Some(retry) = subject.declares.mail_retry {
        let cases = ran("CX-IMAP-6") + ran("CX-POP-6");
        lines.push(format!(
            "mail-retry = \"{retry}\": {cases} cases of stopped services (tolerance: none; those of the other are skipped)"
        ));
    }
    if let Some(preset) = subject.declares.eas_451 {
        let cases: usize = OF_451.iter().map(|rule| ran(rule)).sum();
        lines.push(format!(
            "eas-451 = \"{preset}\": {cases} cases of it (tolerance: none; those of another are skipped)"
        ));
    }
    if let Some(balancing) = subject.declares.balancing {
        lines.push(match spreads(balancing) {
            true => format!(
                "balancing = \"{balancing}\": {} cases of it (tolerance: any share, but not all of many clients to one server)",
                ran_with(&|verdict| verdict.expected.iter().any(|leg| leg.spread))
            ),
            false => format!("balancing = \"{balancing}\": any server that would do is taken"),
        });
    }
    if let Some(timeout) = subject.declares.owa_timeout {
        lines.push(format!(
            "owa-timeout = \"{timeout}\": {} cases of it (tolerance: after half of it the mailbox, {} ms after it the \
             logon page)",
            ran("CX-OWA-7") + ran("CX-OWA-9"),
            lab::clock::owa_tolerance(timeout.0).as_millis()
        ));
    }
    for (key, limit) in
        [("head-limit", subject.declares.head_limit), ("body-limit", subject.declares.body_limit)]
    {
        if let Some(limit) = limit {
            let cases = ran("X-WIRE-13");
            lines.push(format!(
                "{key} = {} bytes: {cases} cases of X-WIRE-13 (tolerance: none up to it; larger ones are skipped)", limit.0
            ));
        }
    }
    lines
}

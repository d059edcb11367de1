//! The article's cases, from the first lab's start to the last verdict, beside the bare cost of what they did.
//!
//! The bare cost: the connections, TLS handshakes and requests that ledgers and journals list, replayed between bare
//! peers. A connection is listed by the server it came to; those to the seat, whose program keeps no ledger, by the
//! clients' journals. What DNS and the directory were asked meanwhile no client sees and no case judges: a second figure
//! replays that too, so that what is left over it is the harness's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::case::Given;
use model::subject::{Feature, LocalSite};
use model::verdict::Outcome;
use model::{Case, Role};

use super::bare::{Conversation, Load, Peers};
use super::figures::{Figures, ratio};
use super::{Setting, Unmeasured};
use crate::judge::Trace;
use crate::lab_of::{may_share, waits};
use crate::run::{Beside, Came, Hosting, How, Work, run};
use crate::suite::Suite;

/// Cases at once, as `e2e` has it unless told otherwise.
const JOBS: usize = 16;
/// Ports on which a seat speaks plain HTTP: the canonical one, and where mapped ground puts it.
const PLAIN_PORTS: [u16; 2] = [80, 10_080];

pub(super) async fn measure(setting: &Setting) -> Result<String, Unmeasured> {
    let all = cases(&setting.suite);
    let shared: Vec<Arc<Case>> = all.iter().filter(|case| may_share(case)).cloned().collect();
    let mut lines = String::new();
    let sets = [("all of them", all), ("those that share a lab", shared)];
    let peers = Peers::start(&setting.ground)?;
    for (name, cases) in sets {
        let (mut suite, mut bare, mut all) = (Figures::default(), Figures::default(), Figures::default());
        let mut load = Load::default();
        let (mut labs, mut asked) = (0, Beside::default());
        for round in 0..setting.rounds {
            let came = once(setting, &cases, round as u64).await?;
            labs = came.labs;
            suite.add_time(came.took);
            load = replayed(&came);
            bare.add_time(peers.replay(&load, JOBS).await?);
            let beside = Load { beside: came.beside, ..load.clone() };
            all.add_time(peers.replay(&beside, JOBS).await?);
            asked = came.beside;
            if setting.stop.is_cancelled() {
                break;
            }
        }
        lines.push_str(&format!("  {name}: {} cases, {labs} labs, {load}\n", cases.len()));
        lines.push_str(&suite.line("start of lab to verdict", "ms"));
        lines.push_str(&bare.line("bare cost", "ms"));
        lines.push_str(&ratio("suite over bare", &suite, &bare, "at most 1.5, and 2 s"));
        lines.push_str(&format!(
            "  beside them {} DNS queries, {} requests to directories\n",
            asked.queries, asked.directory
        ));
        lines.push_str(&all.line("bare cost with those", "ms"));
        lines.push_str(&ratio("suite over bare with those", &suite, &all, "none"));
    }
    peers.stop().await;
    Ok(lines)
}

/// Rules without X-, the two base topologies as they are; of two readings the article's own, which is the reference's. Cases
/// that wait for a time which the subject declares (its health rounds, its OWA time-out) are apart: that time is its own.
fn cases(suite: &Suite) -> Vec<Arc<Case>> {
    let read_so = |case: &Case| case.declares.oab_local_site != Some(LocalSite::Mailbox);
    let base = |case: &Case| case.given == Given::default() && !case.topology.contains('+');
    let article = |case: &Case| !case.rules.iter().any(|rule| rule.as_str().starts_with("X-"));
    let waits = |case: &Case| case.needs.contains(&Feature::Health) || waits(case) > 0;
    let its = |case: &&Arc<Case>| base(case) && article(case) && read_so(case) && !waits(case);
    suite.cases.iter().filter(its).cloned().collect()
}

async fn once(setting: &Setting, cases: &[Arc<Case>], seed: u64) -> Result<Came, Unmeasured> {
    let mut by_role: BTreeMap<Role, Vec<Arc<Case>>> = BTreeMap::new();
    for case in cases {
        by_role.entry(setting.suite.topology_of(case)?.role).or_default().push(case.clone());
    }
    let mut work = vec![];
    for (role, cases) in by_role {
        work.push(Work { subject: setting.suite.subject(Suite::reference_for(role))?, cases });
    }
    let how = How {
        gives_up: true,
        hosting: Hosting::InProcess,
        seed,
        jobs: JOBS,
        labs: JOBS.clamp(1, 8),
        isolate: false,
        folder: setting.folder.clone(),
        ledger_lines: false,
        evidence: None,
        subject: None,
    };
    let (suite, ground, stop) = (setting.suite.clone(), setting.ground.clone(), setting.stop.clone());
    let came = run(suite, ground, work, how, stop, Arc::new(|_, _, _| {})).await;
    match came.verdicts.iter().find(|verdict| verdict.outcome != Outcome::Pass) {
        Some(wrong) if !setting.stop.is_cancelled() => {
            Err(Unmeasured::Wrong(format!("{} is {}: measured is what passes", wrong.id, wrong.outcome)))
        }
        _ => Ok(came),
    }
}

/// What a run did on the wire, case by case.
fn replayed(came: &Came) -> Load {
    Load { cases: came.traces.values().map(conversations).collect(), beside: Beside::default() }
}

fn conversations(trace: &Trace) -> Vec<Conversation> {
    let mut to_servers: BTreeMap<u64, Conversation> = BTreeMap::new();
    let mut borrowed = 0;
    for arrival in &trace.arrivals {
        // A connection that another case opened is that one's: only the request is ours.
        let opened_here = arrival.request == 1 || to_servers.contains_key(&arrival.connection);
        match opened_here {
            true => {
                let opened = Conversation { tls: arrival.tls, requests: 0 };
                to_servers.entry(arrival.connection).or_insert(opened).requests += 1;
            }
            false => borrowed += 1,
        }
    }
    let mut to_seat: BTreeMap<(usize, std::net::SocketAddr), Conversation> = BTreeMap::new();
    for (step, journal) in trace.journals.iter().enumerate() {
        for dialled in journal.legs.iter().flat_map(|leg| &leg.exchanges).filter_map(|e| e.dialled) {
            if trace.positions.get(&dialled.ip()) == Some(&trace.topology.seat) {
                let opened = Conversation { tls: !PLAIN_PORTS.contains(&dialled.port()), requests: 0 };
                to_seat.entry((step, dialled)).or_insert(opened).requests += 1;
            }
        }
    }
    let mut all: Vec<Conversation> = to_seat.into_values().chain(to_servers.into_values()).collect();
    if let Some(last) = all.last_mut() {
        last.requests += borrowed;
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_article_is_measured_without_the_rules_of_other_sources() {
        let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let cases = cases(&suite);
        let names = |id: &str| cases.iter().any(|case| case.id.as_str() == id);
        assert!(names("coexistence/owa/purple") && names("pre-e15/owa/red"));
        assert!(!names("coexistence/autodiscover/violet"), "it plays in a variant");
        assert!(!names("coexistence/eas/red-451-without-location"), "X-EAS-3 is of another source");
    }
}

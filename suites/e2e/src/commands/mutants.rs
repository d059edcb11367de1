//! `coexist mutants`: each deliberate fault must be exercised, and caught by a rule that it breaks.

mod fault;
mod matrix;
mod tried;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lab::ground::Ground;
use model::case::Case;
use model::{CaseId, Role};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Mutants, say};
use crate::exit::Exit;
use crate::select::matches;
use crate::suite::Suite;

use fault::{Company, Fault};
use tried::Tried;

/// How many faults in which clients mostly wait are tried while one is that keeps a processor busy.
const WAITING: usize = 2;

pub(super) fn mutants(root: &Path, options: &Mutants) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

/// What every trial needs.
struct Bench {
    suite: Arc<Suite>,
    ground: Arc<Ground>,
    /// Which seat each case needs.
    roles: BTreeMap<CaseId, Role>,
    stop: CancellationToken,
}

fn inner(root: &Path, options: &Mutants) -> Result<Exit, Exit> {
    let ground = Arc::new(say::ground(options.ground)?);
    let suite = Arc::new(say::suite(root)?);
    let roles: BTreeMap<CaseId, Role> = suite
        .cases
        .iter()
        .filter_map(|case| Some((case.id.clone(), suite.topology_of(case).ok()?.role)))
        .collect();
    let has_case_at = |role: Role, rule: &str| {
        let its = |case: &&Arc<Case>| roles.get(&case.id) == Some(&role);
        suite.cases.iter().filter(its).any(|case| case.rules.iter().any(|held| held.as_str() == rule))
    };
    let asked = |id: &str| options.defect.is_empty() || options.defect.iter().any(|glob| matches(glob, id));
    let (chosen, waiting): (Vec<Fault>, Vec<Fault>) = fault::all(has_case_at)
        .into_iter()
        .filter(|fault| asked(fault.id()))
        .partition(|fault| fault.is_identity() || fault.rules().iter().any(|rule| has_case(&suite, rule)));
    for fault in waiting {
        eprintln!("     {:<28} waits for a case of {}", fault.id(), fault.rules().join(", "));
    }
    if chosen.is_empty() {
        say::error("no defect matched; `coexist list defects` prints every id, those not built yet as such");
        return Ok(Exit::NothingChecked);
    }
    let folder = say::Folder::make()?;
    let runtime = say::runtime()?;
    let started = Instant::now();
    let (results, interrupted) = runtime.block_on(async {
        let stop = say::interrupted();
        let bench = Arc::new(Bench { suite: suite.clone(), ground, roles, stop: stop.clone() });
        let turns = |count: usize| Arc::new(Semaphore::new(count.max(1)));
        let (alone, waiting, busy) =
            (turns(1), turns(options.jobs.saturating_mul(WAITING)), turns(options.jobs));
        let mut companies: BTreeMap<Company, Vec<(usize, Fault)>> = BTreeMap::new();
        for (number, fault) in chosen.into_iter().enumerate() {
            companies.entry(fault.company()).or_default().push((number, fault));
        }
        let mut results: Vec<(usize, Tried)> = vec![];
        for (company, faults) in companies {
            let mut running = JoinSet::new();
            for (number, fault) in faults {
                let turns = match company {
                    Company::Nobody => alone.clone(),
                    Company::FewWhoWait => waiting.clone(),
                    // Those that mostly wait have turns of their own: the others fill the time.
                    Company::All if fault.waits() => waiting.clone(),
                    Company::All => busy.clone(),
                };
                let (bench, folder) = (bench.clone(), folder.path().join(format!("defect-{number}")));
                running.spawn(async move {
                    let _turn = turns.acquire_owned().await;
                    (number, tried::one(&bench, fault, folder).await)
                });
            }
            while let Some(joined) = running.join_next().await {
                let (number, result) =
                    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                eprintln!("{:>3}  {:<28} {}", results.len() + 1, result.fault.id(), result.word());
                results.push((number, result));
            }
        }
        results.sort_by_key(|(number, _)| *number);
        (results, stop.is_cancelled())
    });
    if interrupted {
        return Ok(Exit::Interrupted);
    }
    let results: Vec<Tried> = results.into_iter().map(|(_, result)| result).collect();
    matrix::print(&suite, &results, options.defect.is_empty(), started.elapsed());
    Ok(conclude(&results))
}

fn has_case(suite: &Suite, rule: &str) -> bool {
    suite.cases.iter().any(|case| case.rules.iter().any(|held| held.as_str() == rule))
}

fn conclude(results: &[Tried]) -> Exit {
    match (results.iter().any(|tried| tried.broken.is_some()), results.iter().all(Tried::is_as_it_must_be)) {
        (true, _) => Exit::Broken,
        (false, true) => Exit::AsExpected,
        (false, false) => Exit::NotAsExpected,
    }
}

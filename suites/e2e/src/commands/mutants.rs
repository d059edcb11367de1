//! `coexist mutants`: each defect of the reference must be exercised, and caught by a rule that it breaks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use defects::Defect;
use lab::ground::Ground;
use model::CaseId;
use model::case::Case;
use model::subject::Subject;
use model::verdict::Outcome;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Mutants, say};
use crate::exit::Exit;
use crate::lab_of::may_share;
use crate::run::{How, Work, run};
use crate::select::matches;
use crate::suite::Suite;

pub(super) fn mutants(root: &Path, options: &Mutants) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &Mutants) -> Result<Exit, Exit> {
    let ground = Arc::new(say::ground(options.ground)?);
    let suite = Arc::new(say::suite(root)?);
    let asked = |id: &str| options.defect.is_empty() || options.defect.iter().any(|glob| matches(glob, id));
    let (chosen, waiting): (Vec<Defect>, Vec<Defect>) = defects::catalogue()
        .into_iter()
        .filter(|defect| defect.built && asked(defect.id))
        .partition(|defect| defect.rules.iter().any(|rule| has_case(&suite, rule)));
    for defect in waiting {
        eprintln!("     {:<28} waits for a case of {}", defect.id, defect.rules.join(", "));
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
        let turns = Arc::new(Semaphore::new(options.jobs.max(1)));
        let mut running = JoinSet::new();
        for (number, defect) in chosen.into_iter().enumerate() {
            let (suite, ground, turns, stop) = (suite.clone(), ground.clone(), turns.clone(), stop.clone());
            let folder = folder.path().join(format!("defect-{number}"));
            running.spawn(async move {
                let _turn = turns.acquire_owned().await;
                (number, one(suite, ground, defect, folder, stop).await)
            });
        }
        let mut results = vec![];
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok((number, result)) => {
                    eprintln!("{:>3}  {:<28} {}", results.len() + 1, result.id(), result.word());
                    results.push((number, result));
                }
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        results.sort_by_key(|(number, _)| *number);
        (results, stop.is_cancelled())
    });
    if interrupted {
        return Ok(Exit::Interrupted);
    }
    let results: Vec<Tried> = results.into_iter().map(|(_, result)| result).collect();
    Ok(conclude(&results, started))
}

/// What came of one defect.
struct Tried {
    defect: Defect,
    /// Failing cases of a rule that the defect names, in which it lied.
    caught_by: Vec<CaseId>,
    /// Cases that failed though it did not lie in them.
    innocent: Vec<CaseId>,
    /// Cases in which it lied.
    fired: BTreeSet<CaseId>,
    /// The lab broke.
    broken: Option<String>,
}

impl Tried {
    fn id(&self) -> &str {
        self.defect.id
    }

    fn word(&self) -> String {
        if let Some(broken) = &self.broken {
            return format!("BROKEN: {broken}");
        }
        if self.fired.is_empty() {
            return "NOT EXERCISED: the fault never ran".to_owned();
        }
        if let Some(innocent) = self.innocent.first() {
            return format!("BLAMES: {innocent} failed, and the fault did not run there");
        }
        match self.caught_by.first() {
            Some(case) => format!("caught by {case}, {} in all", self.caught_by.len()),
            None => format!(
                "MISSED by {}, though it ran in {} cases",
                self.defect.rules.join(" "),
                self.fired.len()
            ),
        }
    }

    fn is_caught(&self) -> bool {
        self.broken.is_none() && self.innocent.is_empty() && !self.caught_by.is_empty()
    }
}

fn has_case(suite: &Suite, rule: &str) -> bool {
    suite.cases.iter().any(|case| case.rules.iter().any(|held| held.as_str() == rule))
}

/// The cases of the rules that a defect breaks, and every case of the base topology beside them: none of those in which
/// the defect is silent may fail.
fn cases_for(suite: &Suite, defect: &Defect, subject: &Subject) -> Vec<Arc<Case>> {
    let plain = |case: &Case| case.given == Default::default() && may_share(case);
    let names = |case: &Case| case.rules.iter().any(|rule| defect.rules.contains(&rule.as_str()));
    suite
        .cases
        .iter()
        .filter(|case| suite.topology_of(case).is_ok_and(|topology| topology.role == subject.role))
        .filter(|case| names(case) || plain(case))
        .cloned()
        .collect()
}

async fn one(
    suite: Arc<Suite>,
    ground: Arc<Ground>,
    defect: Defect,
    folder: PathBuf,
    stop: CancellationToken,
) -> Tried {
    let mut tried =
        Tried { defect, caught_by: vec![], innocent: vec![], fired: BTreeSet::new(), broken: None };
    let (mut subject, path) = match suite.subject(Suite::reference_for(tried.defect.role)) {
        Ok(read) => read,
        Err(error) => {
            tried.broken = Some(error.to_string());
            return tried;
        }
    };
    let own = ["--defect", tried.defect.id, "--fired", "{work}/fired"];
    subject.run.command.extend(own.map(str::to_owned));
    let cases = cases_for(&suite, &tried.defect, &subject);
    let how = How {
        seed: 1,
        jobs: 16,
        labs: 2,
        isolate: false,
        folder,
        ledger_lines: false,
        evidence: None,
        subject: None,
    };
    let work = vec![Work { subject: (subject, path), cases }];
    let came = run(suite, ground, work, how, stop, Arc::new(|_, _, _| {})).await;
    tried.fired.clone_from(&came.fired);
    for verdict in came.verdicts {
        match verdict.outcome {
            Outcome::Fail | Outcome::Unobserved => {
                let named = verdict.rules.iter().any(|rule| tried.defect.rules.contains(&rule.as_str()));
                match tried.fired.contains(&verdict.id) {
                    true if named => tried.caught_by.push(verdict.id),
                    true => {}
                    false => tried.innocent.push(verdict.id),
                }
            }
            // A lie may make a server behind answer 5xx in a lab that is shared; that is no verdict on the rule.
            Outcome::Setup if !tried.fired.contains(&verdict.id) => {
                tried.broken = Some(verdict.why.first().map(|why| why.says.clone()).unwrap_or_default());
            }
            _ => {}
        }
    }
    tried
}

fn conclude(results: &[Tried], started: Instant) -> Exit {
    println!("{:<28} {:<14} {:<10} caught by", "defect", "port", "ran in");
    for tried in results {
        println!(
            "{:<28} {:<14} {:<10} {}",
            tried.id(),
            format!("{:?}", tried.defect.port),
            tried.fired.len(),
            tried.word()
        );
    }
    let caught = results.iter().filter(|tried| tried.is_caught()).count();
    println!("\n{caught} of {} defects caught in {:.1} s", results.len(), started.elapsed().as_secs_f64());
    match (results.iter().any(|tried| tried.broken.is_some()), caught == results.len()) {
        (true, _) => Exit::Broken,
        (false, true) => Exit::AsExpected,
        (false, false) => Exit::NotAsExpected,
    }
}

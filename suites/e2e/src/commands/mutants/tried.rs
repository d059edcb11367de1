//! One fault tried: the cases that it concerns, played, and what came of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use model::case::Case;
use model::subject::Subject;
use model::verdict::{Outcome, Verdict};
use model::{CaseId, Role};

use super::Bench;
use super::fault::Fault;
use crate::findings::fault::Turn;
use crate::lab_of::may_share;
use crate::run::{Hosting, How, Work, run};
use crate::suite::{Suite, SuiteError};

/// What came of one fault.
pub(super) struct Tried {
    pub(super) fault: Fault,
    /// Failing cases of a rule that the fault names, in which it was there.
    pub(super) caught_by: Vec<CaseId>,
    /// Other cases that failed because of it.
    pub(super) beside: Vec<CaseId>,
    /// Cases that failed though it was not there, and why.
    innocent: Vec<(CaseId, String)>,
    /// How many cases it was there in.
    pub(super) ran_in: usize,
    /// Of a fault that is tried in several turns, one that nothing noticed.
    missed: Option<String>,
    /// The lab broke.
    pub(super) broken: Option<String>,
}

impl Tried {
    fn new(fault: Fault) -> Tried {
        Tried {
            fault,
            caught_by: vec![],
            beside: vec![],
            innocent: vec![],
            ran_in: 0,
            missed: None,
            broken: None,
        }
    }

    /// In a sentence, for a person who watches.
    pub(super) fn word(&self) -> String {
        if let Some(broken) = &self.broken {
            return format!("BROKEN: {broken}");
        }
        if let Some((innocent, why)) = self.innocent.first() {
            return format!("BLAMES: {innocent} failed, and the fault did not run there: {why}");
        }
        if self.fault.is_identity() {
            return format!("nothing shows in {} cases", self.ran_in);
        }
        if let Some(missed) = &self.missed {
            return format!("MISSED by {missed}");
        }
        if self.ran_in == 0 {
            return "NOT EXERCISED: the fault never ran".to_owned();
        }
        match self.caught_by.first() {
            Some(case) => format!("caught by {case}, {} in all", self.caught_by.len()),
            None => {
                format!("MISSED by {}, though it ran in {} cases", self.fault.rules().join(" "), self.ran_in)
            }
        }
    }

    /// Caught, or for what is no fault: seen nowhere.
    pub(super) fn is_as_it_must_be(&self) -> bool {
        let shows = if self.fault.is_identity() { self.ran_in > 0 } else { !self.caught_by.is_empty() };
        self.broken.is_none() && self.missed.is_none() && self.innocent.is_empty() && shows
    }

    /// Each finding is spoiled in its turn, and each turn must be noticed.
    fn takes_turns(&mut self, turns: Result<Vec<Turn>, SuiteError>) {
        let turns = match turns {
            Ok(turns) => turns,
            Err(error) => return self.broken = Some(error.to_string()),
        };
        self.ran_in = turns.len();
        self.missed = turns
            .iter()
            .find(|turn| !turn.caught)
            .map(|turn| format!("{}, where {} at {} was spoiled", turn.case, turn.rule, turn.at));
        self.caught_by = turns.into_iter().filter(|turn| turn.caught).map(|turn| turn.case).collect();
        self.caught_by.dedup();
    }

    fn reads(&mut self, verdict: Verdict, was_there: bool) {
        let named = verdict.rules.iter().any(|rule| self.fault.rules().contains(&rule.as_str()));
        match verdict.outcome {
            Outcome::Fail | Outcome::Unobserved => match was_there {
                true if named => self.caught_by.push(verdict.id),
                true => self.beside.push(verdict.id),
                false => {
                    let why = verdict.why.first().map(|why| why.says.clone()).unwrap_or_default();
                    self.innocent.push((verdict.id, why));
                }
            },
            // A lie may make a server behind answer 5xx in a lab that is shared; that is no verdict on the rule.
            Outcome::Setup if !was_there => {
                self.broken = Some(verdict.why.first().map(|why| why.says.clone()).unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// Plays the cases that a fault concerns.
pub(super) async fn one(bench: &Bench, fault: Fault, folder: PathBuf) -> Tried {
    let mut tried = Tried::new(fault);
    if let Fault::Check(fault) = tried.fault {
        tried.takes_turns(fault.turns(&bench.suite));
        return tried;
    }
    let work = match work(bench, &tried.fault) {
        Ok(work) => work,
        Err(why) => {
            tried.broken = Some(why);
            return tried;
        }
    };
    let selected: usize = work.iter().map(|work| work.cases.len()).sum();
    let suite = match &tried.fault {
        Fault::Lab(fault) => Arc::new(bench.suite.with(fault)),
        _ => bench.suite.clone(),
    };
    let how = How {
        hosting: Hosting::InProcess,
        seed: 1,
        jobs: if tried.fault.waits() || tried.fault.is_identity() { 32 } else { 16 },
        gives_up: false,
        labs: 2,
        isolate: false,
        folder,
        ledger_lines: false,
        evidence: None,
        subject: None,
    };
    let silent = Arc::new(|_, _, _| {});
    let came = run(suite, bench.ground.clone(), work, how, bench.stop.clone(), silent).await;
    let everywhere = matches!(tried.fault, Fault::Lab(_));
    tried.ran_in = match &tried.fault {
        Fault::Defect(_) => came.fired.len(),
        Fault::Lab(_) | Fault::Check(_) | Fault::Identity(_) => selected,
    };
    for verdict in came.verdicts {
        let was_there = everywhere || came.fired.contains(&verdict.id);
        tried.reads(verdict, was_there);
    }
    tried
}

/// Who is to play what.
fn work(bench: &Bench, fault: &Fault) -> Result<Vec<Work>, String> {
    let reference =
        |role: Role| bench.suite.subject(Suite::reference_for(role)).map_err(|error| error.to_string());
    let spoiled = |role: Role, id: &str| {
        let (mut subject, path): (Subject, PathBuf) = reference(role)?;
        let own = ["--defect", id, "--fired", "{work}/fired"];
        subject.run.command.extend(own.map(str::to_owned));
        Ok::<_, String>((subject, path))
    };
    let of = |role: Role, wanted: &dyn Fn(&Case) -> bool| -> Vec<Arc<Case>> {
        let its = |case: &&Arc<Case>| bench.roles.get(&case.id) == Some(&role);
        let of_a_proxy = |case: &&Arc<Case>| case.finds.is_none() && wanted(case);
        bench.suite.cases.iter().filter(its).filter(of_a_proxy).cloned().collect()
    };
    let names = |case: &Case| case.rules.iter().any(|rule| fault.rules().contains(&rule.as_str()));
    Ok(match fault {
        // Every case of the base topology beside those of its rules: none in which it is silent may fail.
        Fault::Defect(defect) => {
            let cases = of(defect.role, &|case| names(case) || is_plain(case));
            vec![Work { subject: spoiled(defect.role, defect.id)?, cases }]
        }
        Fault::Identity(role) => {
            vec![Work { subject: spoiled(*role, "identity")?, cases: of(*role, &|_| true) }]
        }
        // What is found needs no lab.
        Fault::Check(_) => vec![],
        Fault::Lab(_) => {
            let roles: BTreeSet<Role> = bench.roles.values().copied().collect();
            let mut work = vec![];
            for role in roles {
                let cases = of(role, &names);
                if !cases.is_empty() {
                    work.push(Work { subject: reference(role)?, cases });
                }
            }
            work
        }
    })
}

fn is_plain(case: &Case) -> bool {
    case.given == Default::default() && may_share(case)
}

//! What a run of `mutants` prints at its end: each fault with who caught it, what is still uncovered, and the counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::CaseId;

use super::fault;
use super::tried::Tried;
use crate::suite::Suite;

pub(super) fn print(suite: &Suite, results: &[Tried], whole: bool, took: Duration) {
    println!("{:<28} {:<22} {:<7} what came of it", "fault", "at", "ran in");
    for tried in results {
        println!("{:<28} {:<22} {:<7} {}", tried.fault.id(), tried.fault.place(), tried.ran_in, tried.word());
    }
    if whole {
        lists("cases that caught nothing", &idle_cases(suite, results));
        lists("rules with a case that no fault names", &uncovered_rules(suite));
    }
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for tried in results {
        let (right, all) = classes.entry(tried.fault.class()).or_default();
        *right += usize::from(tried.is_as_it_must_be());
        *all += 1;
    }
    println!();
    for (class, (right, all)) in &classes {
        println!("  {class:<10} {right} of {all}");
    }
    let wrong: Vec<&Tried> = results.iter().filter(|tried| !tried.is_as_it_must_be()).collect();
    let right = results.len() - wrong.len();
    println!("\n{right} of {} are as they must be, in {:.1} s", results.len(), took.as_secs_f64());
    for tried in wrong {
        println!("  {:<28} {:<22} {}", tried.fault.id(), tried.fault.place(), tried.word());
    }
}

fn lists(what: &str, all: &[String]) {
    println!("\n{} {what}", all.len());
    for line in all.chunks(4) {
        println!("  {}", line.join("  "));
    }
}

/// Cases that failed under no fault.
fn idle_cases(suite: &Suite, results: &[Tried]) -> Vec<String> {
    let busy: BTreeSet<&CaseId> =
        results.iter().flat_map(|tried| tried.caught_by.iter().chain(&tried.beside)).collect();
    suite.cases.iter().map(|case| &case.id).filter(|id| !busy.contains(id)).map(CaseId::to_string).collect()
}

/// Rules for which a case stands, and that no fault which is built must fail.
fn uncovered_rules(suite: &Suite) -> Vec<String> {
    let named: BTreeSet<&str> =
        fault::all(|_, _| false).iter().flat_map(|fault| fault.rules()).copied().collect();
    let held: BTreeSet<&str> =
        suite.cases.iter().flat_map(|case| &case.rules).map(|rule| rule.as_str()).collect();
    held.difference(&named).map(|rule| (*rule).to_owned()).collect()
}

//! Reports of the parts of a run, put together as the report of the whole. What does not belong together is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::CaseId;
use model::verdict::{Counts, Ended, Outcome, RunFacts, Shard, Verdict};

use crate::in_a_row;
use crate::json::Written;

/// The report of one part.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its file, as errors call it.
    pub file: String,
    /// What it says.
    pub written: Written,
}

/// The whole.
#[derive(Debug)]
pub struct Whole {
    /// What it was; the exit code is for the caller to decide.
    pub run: RunFacts,
    /// Every verdict, in the order of their cases.
    pub verdicts: Vec<Verdict>,
    /// Which of the parts, as they were handed over, holds a case's evidence.
    pub evidence: BTreeMap<CaseId, usize>,
    /// The parts as they were handed over, in the order of their shards.
    pub order: Vec<usize>,
}

/// Why reports are no parts of one whole.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    /// A report that is no part.
    #[error(
        "{0}: this is the report of a whole run, and there is nothing to add; a part is one of `e2e --shard I/N --report DIR`"
    )]
    NoPart(String),
    /// Two that differ in what all parts of a run have in common.
    #[error(
        "{file}: its {what} is {says}, and that of {other} is {otherwise}: only parts of one run can be merged"
    )]
    Otherwise {
        /// The one.
        file: String,
        /// In what they differ.
        what: &'static str,
        /// What it says.
        says: String,
        /// The other.
        other: String,
        /// What that says.
        otherwise: String,
    },
    /// The same part again.
    #[error("{file}: this is shard {shard}, and so is {other}: name one of them")]
    Twice {
        /// The one.
        file: String,
        /// Which part.
        shard: Shard,
        /// The other.
        other: String,
    },
    /// Parts that nobody named.
    #[error("{} missing: run `e2e --shard {} --report DIR` with the same choice of cases ({selection}), and name that folder too", missing(.shards), .shards[0])]
    Missing {
        /// Which.
        shards: Vec<Shard>,
        /// What the others were chosen by.
        selection: String,
    },
    /// Counts that are not those of the cases beside them.
    #[error(
        "{0}: its counts are not those of its cases: it was changed after it was written; run that shard again"
    )]
    Changed(String),
    /// A case in two parts, with two ends.
    #[error(
        "{file}: {case} ends there as {outcome}, and in {other} as {otherwise}: a case is of one part alone; run both shards again"
    )]
    TwoEnds {
        /// The one.
        file: String,
        /// The case.
        case: CaseId,
        /// How it ended there.
        outcome: Outcome,
        /// The other.
        other: String,
        /// How it ended in that.
        otherwise: Outcome,
    },
}

fn missing(shards: &[Shard]) -> String {
    let named: Vec<String> = shards.iter().map(ToString::to_string).collect();
    let (word, verb) = if shards.len() == 1 { ("shard", "is") } else { ("shards", "are") };
    format!("{word} {} {verb}", in_a_row(&named))
}

/// Puts parts together.
///
/// # Errors
/// The first thing by which they are no parts of one run.
///
/// # Panics
/// Where there is no part at all.
pub fn whole(parts: &[Part]) -> Result<Whole, Unfit> {
    let shards = shards(parts)?;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| shards[*at]);
    let first = &parts[order[0]];
    for part in order.iter().map(|at| &parts[*at]) {
        same(part, first)?;
        let run = &part.written.run;
        if run.counts != Counts::of(run.counts.selected, &part.written.verdicts) {
            return Err(Unfit::Changed(part.file.clone()));
        }
    }
    let mut ends: BTreeMap<CaseId, (usize, Outcome)> = BTreeMap::new();
    let mut whole = Whole {
        run: together(parts, &order),
        verdicts: vec![],
        evidence: BTreeMap::new(),
        order: order.clone(),
    };
    let mut again = 0;
    for at in order {
        let part = &parts[at];
        for verdict in &part.written.verdicts {
            match ends.get(&verdict.id) {
                Some((holder, outcome)) if *holder != at && *outcome != verdict.outcome => {
                    return Err(Unfit::TwoEnds {
                        file: part.file.clone(),
                        case: verdict.id.clone(),
                        outcome: verdict.outcome,
                        other: parts[*holder].file.clone(),
                        otherwise: *outcome,
                    });
                }
                Some((holder, _)) if *holder != at => again += 1,
                _ => {
                    // Within one part a case that was repeated may well end in two ways.
                    ends.entry(verdict.id.clone()).or_insert((at, verdict.outcome));
                    whole.verdicts.push(verdict.clone());
                }
            }
        }
        for case in &part.written.evidence {
            whole.evidence.entry(case.clone()).or_insert(at);
        }
    }
    whole.verdicts.sort_by(|a, b| a.id.cmp(&b.id));
    whole.run.counts = Counts::of(whole.run.counts.selected - again, &whole.verdicts);
    Ok(whole)
}

/// Which part each is: all of them, and each once.
fn shards(parts: &[Part]) -> Result<Vec<Shard>, Unfit> {
    let mut shards: Vec<Shard> = vec![];
    for part in parts {
        let shard = part.written.run.shard.ok_or_else(|| Unfit::NoPart(part.file.clone()))?;
        if let Some(first) = shards.first().filter(|first| first.parts != shard.parts) {
            let of = |shard: &Shard| format!("one of {}", shard.parts);
            return Err(otherwise(part, &parts[0], "shard", of(&shard), of(first)));
        }
        if let Some(at) = shards.iter().position(|known| *known == shard) {
            let (file, other) = (part.file.clone(), parts[at].file.clone());
            return Err(Unfit::Twice { file, shard, other });
        }
        shards.push(shard);
    }
    let parts_in_all = shards.first().map_or(0, |shard| shard.parts);
    let wanted = (1..=parts_in_all).map(|part| Shard { part, parts: parts_in_all });
    // However many a stranger's file says that there are, only so many are named.
    const MOST_NAMED: usize = 16;
    let missing: Vec<Shard> = wanted.filter(|shard| !shards.contains(shard)).take(MOST_NAMED).collect();
    match missing.is_empty() {
        true => Ok(shards),
        false => {
            Err(Unfit::Missing { shards: missing, selection: parts[0].written.run.selection.to_string() })
        }
    }
}

/// What all parts of a run have in common.
fn same(part: &Part, first: &Part) -> Result<(), Unfit> {
    let (a, b) = (&part.written.run, &first.written.run);
    let subject = |run: &RunFacts| match run.selection.references {
        true => "the references".to_owned(),
        false => run.subject.join(", "),
    };
    // A part that had no case for a subject does not name it.
    let nobody = a.subject.is_empty() || b.subject.is_empty();
    let said = [
        ("suite", a.tree.clone(), b.tree.clone()),
        ("choice of cases", a.selection.to_string(), b.selection.to_string()),
        (
            "subject",
            subject(a),
            if nobody && a.selection.references == b.selection.references { subject(a) } else { subject(b) },
        ),
        ("host", a.host.clone(), b.host.clone()),
        ("ground", a.ground.clone(), b.ground.clone()),
    ];
    for (what, says, otherwise_says) in said {
        if says != otherwise_says {
            return Err(otherwise(part, first, what, quoted(&says), quoted(&otherwise_says)));
        }
    }
    // Which cases of an earlier report: too many to be said.
    match a.selection == b.selection {
        true => Ok(()),
        false => {
            let says = |run: &RunFacts| match &run.selection.failed {
                Some(failed) => format!("{} cases of an earlier report", failed.len()),
                None => run.selection.to_string(),
            };
            Err(otherwise(part, first, "choice of cases", says(a), format!("other than that: {}", says(b))))
        }
    }
}

fn quoted(says: &str) -> String {
    format!("`{says}`")
}

fn otherwise(part: &Part, other: &Part, what: &'static str, says: String, otherwise: String) -> Unfit {
    Unfit::Otherwise { file: part.file.clone(), what, says, other: other.file.clone(), otherwise }
}

/// What the whole was, its verdicts and its end apart.
fn together(parts: &[Part], order: &[usize]) -> RunFacts {
    let runs: Vec<&RunFacts> = order.iter().map(|at| &parts[*at].written.run).collect();
    let each = |of: fn(&RunFacts) -> Vec<String>| -> Vec<String> {
        let mut known = BTreeSet::new();
        runs.iter().flat_map(|run| of(run)).filter(|one| known.insert(one.clone())).collect()
    };
    let mut topologies = each(|run| run.topologies.clone());
    topologies.sort();
    let sum = |of: fn(&RunFacts) -> u64| runs.iter().map(|run| of(run)).fold(0, u64::saturating_add);
    // A part that asked nobody says nothing of whether somebody answers.
    let judged = runs.iter().filter(|run| run.counts.judged() > 0);
    let answered = judged.clone().any(|run| run.ended.subject_answered) || judged.count() == 0;
    RunFacts {
        seed: each(|run| vec![run.seed.clone()]).join(", "),
        subject: each(|run| run.subject.clone()),
        topologies,
        counts: Counts { selected: runs.iter().map(|run| run.counts.selected).sum(), ..Counts::default() },
        arrivals: sum(|run| run.arrivals),
        unclaimed: sum(|run| run.unclaimed),
        remarks: each(|run| run.remarks.clone()),
        took: runs.iter().map(|run| run.took).fold(Duration::ZERO, Duration::saturating_add),
        exit: 0,
        shard: None,
        ended: Ended {
            subject_answered: answered,
            recorded: sum(|run| run.ended.recorded),
            looked_at: runs.iter().map(|run| run.ended.looked_at).sum(),
        },
        ..runs[0].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{proxied_purple, run};

    fn verdict(id: &str, outcome: Outcome) -> Verdict {
        Verdict { id: id.parse().unwrap(), outcome, ..proxied_purple() }
    }

    /// Part I of three, with these verdicts.
    fn part(shard: &str, verdicts: &[Verdict]) -> Part {
        let run = RunFacts { shard: Some(shard.parse().unwrap()), ..run(0, verdicts) };
        let evidence = verdicts.iter().filter(|v| !v.outcome.as_expected()).map(|v| v.id.clone()).collect();
        let file = format!("{}/report.json", shard.replace('/', "-of-"));
        Part { file, written: Written { run, verdicts: verdicts.to_vec(), evidence } }
    }

    fn three() -> [Part; 3] {
        [
            part("3/3", &[]),
            part(
                "1/3",
                &[
                    verdict("coexistence/owa/blue", Outcome::Pass),
                    verdict("coexistence/owa/red", Outcome::Fail),
                ],
            ),
            part("2/3", &[verdict("coexistence/owa/purple", Outcome::Skip)]),
        ]
    }

    #[test]
    fn parts_in_any_order_become_the_whole() {
        let mut parts = three();
        parts[1].written.run.seed = "aaaa".to_owned();
        parts[2].written.run.remarks = vec!["slow".to_owned()];
        let whole = whole(&parts).unwrap();
        let ids: Vec<&str> = whole.verdicts.iter().map(|verdict| verdict.id.as_str()).collect();
        assert_eq!(ids, ["coexistence/owa/blue", "coexistence/owa/purple", "coexistence/owa/red"]);
        assert_eq!(whole.order, [1, 2, 0]);
        assert_eq!(whole.evidence, [("coexistence/owa/red".parse().unwrap(), 1)].into());
        let run = &whole.run;
        assert_eq!((run.counts.selected, run.counts.pass, run.counts.fail, run.counts.skip), (3, 1, 1, 1));
        assert_eq!((run.seed.as_str(), run.arrivals, run.shard), ("aaaa, 7f21", 3 * 812, None));
        assert_eq!(
            (run.remarks.clone(), run.subject.clone()),
            (vec!["slow".to_owned()], vec!["reference-2013".to_owned()])
        );
        assert!(run.ended.subject_answered);
    }

    #[test]
    fn a_part_that_asked_nobody_says_nothing_of_answers() {
        let mut parts = three();
        parts[1].written.run.ended.subject_answered = false;
        assert!(!whole(&parts).unwrap().run.ended.subject_answered);
    }

    #[test]
    fn a_case_that_was_repeated_in_its_part_may_end_in_two_ways_and_no_other_may() {
        let mut parts = three();
        let twice =
            [verdict("coexistence/owa/red", Outcome::Fail), verdict("coexistence/owa/red", Outcome::Pass)];
        parts[1] = part("1/3", &twice);
        assert_eq!(whole(&parts).unwrap().run.counts.selected, 3);
        parts[2] = part("2/3", &[verdict("coexistence/owa/red", Outcome::Fail)]);
        let same = whole(&parts).unwrap();
        assert_eq!((same.run.counts.selected, same.verdicts.len()), (2, 2));
        parts[2] = part("2/3", &[verdict("coexistence/owa/red", Outcome::Setup)]);
        let says = whole(&parts).unwrap_err().to_string();
        assert!(says.starts_with("2-of-3/report.json: coexistence/owa/red ends there as setup, and in 1-of-3/report.json as fail"), "{says}");
    }

    #[test]
    fn what_is_no_part_of_one_run_is_refused() {
        type Spoils = fn(&mut Vec<Part>);
        let cases: [(Spoils, &str); 11] = [
            (
                |all| all[1].written.run.tree = "beef".to_owned(),
                "2-of-3/report.json: its suite is `5d0c`, and that of 1-of-3/report.json is `beef`: only parts of one run",
            ),
            (
                |all| all[2].written.run.selection.cases = vec!["*".to_owned()],
                "2-of-3/report.json: its choice of cases is `--case * --level result`, and that of 1-of-3/report.json is `--level result`",
            ),
            (
                |all| all[2].written.run.selection.failed = Some(vec![]),
                "2-of-3/report.json: its choice of cases is `--failed (0 cases) --level result`",
            ),
            (
                |all| all[2].written.run.ground = "mapped".to_owned(),
                "2-of-3/report.json: its ground is `mapped`, and that of 1-of-3/report.json is `own`",
            ),
            (
                |all| {
                    for one in all {
                        one.written.run.selection.references = false;
                        if one.file.starts_with('2') {
                            one.written.run.subject = vec!["mine".to_owned()]
                        }
                    }
                },
                "2-of-3/report.json: its subject is `mine`, and that of 1-of-3/report.json is `reference-2013`",
            ),
            (
                |all| all[2] = all[1].clone(),
                "1-of-3/report.json: this is shard 1/3, and so is 1-of-3/report.json: name one of them",
            ),
            (
                |all| drop(all.remove(0)),
                "shard 3/3 is missing: run `e2e --shard 3/3 --report DIR` with the same choice of cases (--level result)",
            ),
            (|all| all.truncate(1), "shards 1/3 and 2/3 are missing: run `e2e --shard 1/3"),
            (|all| all[0].written.run.shard = None, "3-of-3/report.json: this is the report of a whole run"),
            (
                |all| all[2] = part("2/4", &[]),
                "2-of-4/report.json: its shard is one of 4, and that of 3-of-3/report.json is one of 3",
            ),
            (
                |all| drop(all[1].written.verdicts.pop()),
                "1-of-3/report.json: its counts are not those of its cases",
            ),
        ];
        for (spoil, says) in cases {
            let mut parts = three().to_vec();
            spoil(&mut parts);
            let refused = whole(&parts).unwrap_err().to_string();
            assert!(refused.starts_with(says), "{refused}");
        }
    }

    #[test]
    fn a_part_without_a_case_for_the_subject_fits_every_other() {
        let mut parts = three();
        parts.iter_mut().for_each(|part| part.written.run.selection.references = false);
        parts[0].written.run.subject.clear();
        assert_eq!(whole(&parts).unwrap().run.subject, ["reference-2013"]);
    }
}

//! An earlier report beside this run, case by case: what is new, mended, regressed, unsteady or no longer checked. It
//! excuses nothing: for that a subject has its deviations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use model::CaseId;
use model::verdict::{Outcome, Verdict};

/// How often a case must fail alone before it is called a regression.
const ALONE: usize = 2;

/// What an earlier report says of each case.
pub(super) struct Baseline {
    path: PathBuf,
    outcomes: BTreeMap<String, Outcome>,
    /// Cases that failed here and passed alone.
    unsteady: BTreeSet<CaseId>,
}

impl Baseline {
    /// Reads an earlier report.json.
    ///
    /// # Errors
    /// What is wrong with it, by its name.
    pub(super) fn read(path: &Path) -> Result<Baseline, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let no_report = |why: &str| {
            format!(
                "{}: no report: {why}; a right one is REPORT/report.json of an earlier run",
                path.display()
            )
        };
        let report: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| no_report(&error.to_string()))?;
        let cases = report["cases"].as_array().ok_or_else(|| no_report("it lists no cases"))?;
        let mut outcomes = BTreeMap::new();
        for case in cases {
            let (Some(id), Some(word)) = (case["id"].as_str(), case["outcome"].as_str()) else {
                return Err(no_report("a case without id or outcome"));
            };
            let outcome = word.parse().map_err(|error| no_report(&format!("{id}: {error}")))?;
            outcomes.insert(id.to_owned(), outcome);
        }
        Ok(Baseline { path: path.to_owned(), outcomes, unsteady: BTreeSet::new() })
    }

    /// Cases that were as expected then and are not now, and which may be so by chance. That one user was served as
    /// another is never taken for chance.
    pub(super) fn doubtful(&self, verdicts: &[Verdict]) -> BTreeSet<CaseId> {
        let leaked = |verdict: &Verdict| verdict.why.iter().any(|why| why.what == "stranger");
        verdicts
            .iter()
            .filter(|verdict| self.fell(verdict) && !leaked(verdict))
            .map(|verdict| verdict.id.clone())
            .collect()
    }

    fn fell(&self, verdict: &Verdict) -> bool {
        let then = self.outcomes.get(verdict.id.as_str());
        matches!(verdict.outcome, Outcome::Fail | Outcome::Unobserved)
            && then.is_some_and(|then| then.as_expected() && *then != Outcome::Skip)
    }

    /// Holds what `verdicts` says of the doubtful against runs of each alone: who did not fail in each of them is
    /// unsteady, and its last verdict that was as expected stands.
    pub(super) fn weigh(&mut self, verdicts: &mut [Verdict], alone: &[Vec<Verdict>]) {
        for verdict in verdicts.iter_mut() {
            if !self.fell(verdict) {
                continue;
            }
            let tried: Vec<&Verdict> =
                alone.iter().flatten().filter(|again| again.id == verdict.id).collect();
            let held = tried.iter().rfind(|again| again.outcome.as_expected());
            if let Some(held) = held.filter(|_| tried.len() >= ALONE) {
                self.unsteady.insert(verdict.id.clone());
                *verdict = (*held).clone();
            }
        }
    }

    /// The comparison as text, and whether a case that was checked then is not any more.
    pub(super) fn compare(&self, verdicts: &[Verdict], in_suite: impl Fn(&str) -> bool) -> (String, bool) {
        let mut lines: Vec<(&str, String)> = vec![];
        let mut lost = false;
        for verdict in verdicts {
            let id = verdict.id.as_str();
            let now = verdict.outcome;
            let Some(then) = self.outcomes.get(id).copied() else {
                lines.push(("new", format!("{id}: {now}")));
                continue;
            };
            let (good_then, good_now) = (then.as_expected(), now.as_expected());
            if self.unsteady.contains(&verdict.id) {
                lines.push(("unsteady", format!("{id}: failed beside others, and not alone")));
            } else if now == Outcome::Skip && then != Outcome::Skip {
                lost = true;
                let why = verdict.why.first().map_or("", |why| why.says.as_str());
                lines.push(("unchecked", format!("{id}: {then} then, skipped now: {why}")));
            } else if self.fell(verdict) {
                let how = if verdict.why.iter().any(|why| why.what == "stranger") {
                    "one user was served as another"
                } else {
                    "alone too"
                };
                lines.push(("regressed", format!("{id}: {then} then, {now} now, {how}")));
            } else if good_now && !good_then {
                lines.push(("mended", format!("{id}: {then} then, {now} now")));
            } else if !good_now {
                lines.push(("as before", format!("{id}: {then} then, {now} now")));
            }
        }
        let ran: BTreeSet<&str> = verdicts.iter().map(|verdict| verdict.id.as_str()).collect();
        let gone = self.outcomes.keys().filter(|id| !ran.contains(id.as_str()) && !in_suite(id));
        lines.extend(gone.map(|id| ("gone", format!("{id}: no case of this suite any more"))));
        let kinds = ["new", "mended", "regressed", "unsteady", "unchecked", "as before", "gone"];
        let counts: Vec<String> = kinds
            .iter()
            .map(|kind| (lines.iter().filter(|(known, _)| known == kind).count(), kind))
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        let counts = if counts.is_empty() { "nothing has changed".to_owned() } else { counts.join(", ") };
        let mut text = format!("  baseline   {}: {counts}\n", self.path.display());
        for (kind, says) in lines.iter().filter(|(kind, _)| *kind != "new" || lines.len() <= 20) {
            text.push_str(&format!("    {kind:<10} {says}\n"));
        }
        (text, lost)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::verdict::Difference;

    use super::*;

    fn verdict(id: &str, outcome: Outcome, what: &str) -> Verdict {
        let why = vec![Difference { leg: 0, what: what.to_owned(), says: "so".to_owned() }];
        Verdict {
            id: id.parse().unwrap(),
            title: String::new(),
            rules: vec![],
            source: String::new(),
            outcome,
            why,
            likely: None,
            expected: vec![],
            observed: vec![],
            took: Duration::ZERO,
            again: String::new(),
        }
    }

    fn baseline(outcomes: &[(&str, Outcome)]) -> Baseline {
        let outcomes = outcomes.iter().map(|(id, outcome)| ((*id).to_owned(), *outcome)).collect();
        Baseline { path: "then.json".into(), outcomes, unsteady: BTreeSet::new() }
    }

    const RED: &str = "coexistence/owa/red";
    const BLUE: &str = "coexistence/owa/blue";

    #[test]
    fn each_case_is_held_against_what_it_was() {
        let then = baseline(&[
            (RED, Outcome::Pass),
            (BLUE, Outcome::Fail),
            ("coexistence/owa/green", Outcome::Pass),
            ("coexistence/owa/orange", Outcome::Fail),
            ("coexistence/owa/old", Outcome::Pass),
        ]);
        let now = [
            verdict(RED, Outcome::Fail, "hops"),
            verdict(BLUE, Outcome::Pass, "hops"),
            verdict("coexistence/owa/green", Outcome::Skip, "setup"),
            verdict("coexistence/owa/orange", Outcome::Fail, "hops"),
            verdict("coexistence/owa/violet", Outcome::Pass, "hops"),
        ];
        let (text, lost) = then.compare(&now, |id| id != "coexistence/owa/old");
        assert!(lost);
        let expected =
            "  baseline   then.json: 1 new, 1 mended, 1 regressed, 1 unchecked, 1 as before, 1 gone
    regressed  coexistence/owa/red: pass then, fail now, alone too
    mended     coexistence/owa/blue: fail then, pass now
    unchecked  coexistence/owa/green: pass then, skipped now: so
    as before  coexistence/owa/orange: fail then, fail now
    new        coexistence/owa/violet: pass
    gone       coexistence/owa/old: no case of this suite any more
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_regression_fails_each_time_it_is_alone() {
        let fails = || vec![verdict(RED, Outcome::Fail, "hops")];
        let passes = || vec![verdict(RED, Outcome::Pass, "hops")];
        for (alone, stands) in [
            ([fails(), fails()], Outcome::Fail),
            ([fails(), passes()], Outcome::Pass),
            ([passes(), fails()], Outcome::Pass),
        ] {
            let mut then = baseline(&[(RED, Outcome::Pass)]);
            let mut now = fails();
            assert_eq!(then.doubtful(&now).len(), 1);
            then.weigh(&mut now, &alone);
            assert_eq!(now[0].outcome, stands);
            let says = if stands == Outcome::Fail { "1 regressed" } else { "1 unsteady" };
            assert!(then.compare(&now, |_| true).0.contains(says));
        }
    }

    #[test]
    fn that_one_user_was_served_as_another_is_no_chance() {
        let then = baseline(&[(RED, Outcome::Pass)]);
        assert!(then.doubtful(&[verdict(RED, Outcome::Fail, "stranger")]).is_empty());
    }
}

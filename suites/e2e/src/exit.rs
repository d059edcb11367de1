//! Exit codes and their precedence: 130, 2, 4, 3, 1, 0. A run that checked nothing is never green.

use model::RuleId;
use model::rule::{Level, Rule};
use model::verdict::{Counts, Ended, Outcome, Verdict};

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All as expected.
    AsExpected,
    /// A verdict is not.
    NotAsExpected,
    /// Bad input.
    BadInput,
    /// Nothing was checked.
    NothingChecked,
    /// The lab or the subject did not start, or did not last.
    Broken,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::AsExpected => 0,
            Exit::NotAsExpected => 1,
            Exit::BadInput => 2,
            Exit::NothingChecked => 3,
            Exit::Broken => 4,
            Exit::Interrupted => 130,
        }
    }
}

impl Exit {
    /// What an exit code of ours says; any other is that of something that did not last.
    pub fn of_code(code: u8) -> Exit {
        let all =
            [Exit::AsExpected, Exit::NotAsExpected, Exit::BadInput, Exit::NothingChecked, Exit::Interrupted];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Broken)
    }
}

/// What is known of a run when it ends.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// It was interrupted.
    pub interrupted: bool,
    /// Cases that the filters chose.
    pub selected: usize,
    /// The fewest cases that a run without filters must hold; `None` with filters.
    pub floor: Option<usize>,
    /// What the floor is held against, where that is not `selected`: a subject's role has a part of the suite's cases alone.
    pub held: Option<usize>,
    /// Whether any answer at all came from the subject, or no case asked it for one.
    pub subject_answered: bool,
    /// Arrivals and DNS queries recorded.
    pub recorded: u64,
    /// Topologies that `check` looked at: cases that need no lab.
    pub looked_at: usize,
    /// Arrivals that belong to nobody.
    pub unclaimed: u64,
}

impl Ending {
    /// What of it is in a report.
    pub fn ended(&self) -> Ended {
        Ended { subject_answered: self.subject_answered, recorded: self.recorded, looked_at: self.looked_at }
    }
}

/// Whether a verdict decides the exit code. That one user was served as another always does.
pub fn gates(rules: &[Rule], level: Level, verdict: &Verdict) -> bool {
    let likeness = |id: &RuleId| rules.iter().any(|rule| rule.id == *id && rule.level == Level::Likeness);
    let leaked = verdict.why.iter().any(|why| why.what == "stranger");
    level == Level::Likeness || leaked || !verdict.rules.iter().all(likeness)
}

/// The exit of a run, and why, in a sentence.
pub fn of(
    ending: &Ending,
    verdicts: &[Verdict],
    counts_to_gate: impl Fn(&Verdict) -> bool,
) -> (Exit, Option<String>) {
    let counts = Counts::of(ending.selected, verdicts);
    if ending.interrupted {
        return (Exit::Interrupted, Some("interrupted: what was running is not judged".to_owned()));
    }
    if counts.setup > 0 {
        let cases = if counts.setup == 1 { "case" } else { "cases" };
        let says = format!(
            "{} {cases} could not be run: the lab or the subject did not start, or did not last",
            counts.setup
        );
        return (Exit::Broken, Some(says));
    }
    if let Some(why) = nothing_checked(ending, &counts) {
        return (Exit::NothingChecked, Some(why));
    }
    let wrong =
        verdicts.iter().filter(|verdict| !verdict.outcome.as_expected() && counts_to_gate(verdict)).count();
    if wrong > 0 {
        return (Exit::NotAsExpected, None);
    }
    if ending.unclaimed > 0 {
        let says =
            format!("{} arrivals belong to no case: see ledger.jsonl, claimed-by nobody", ending.unclaimed);
        return (Exit::NotAsExpected, Some(says));
    }
    (Exit::AsExpected, None)
}

fn nothing_checked(ending: &Ending, counts: &Counts) -> Option<String> {
    if ending.selected == 0 {
        return Some("no case matched; `coexist list cases` prints every id".to_owned());
    }
    if counts.judged() + counts.skip != ending.selected {
        let missing = ending.selected - (counts.judged() + counts.skip).min(ending.selected);
        return Some(format!("{missing} selected cases have no verdict"));
    }
    if counts.judged() == 0 {
        return Some("every case was skipped: `skipped` above says why of each; a subject's file claims features and declares behaviours".to_owned());
    }
    let held = ending.held.unwrap_or(ending.selected);
    if let Some(floor) = ending.floor.filter(|floor| held < *floor) {
        return Some(format!("{held} cases are fewer than the suite's floor of {floor}: were some lost?"));
    }
    if !ending.subject_answered {
        return Some("the subject never answered: nothing it does was seen".to_owned());
    }
    (ending.recorded == 0 && counts.judged() > ending.looked_at)
        .then(|| "nothing was recorded: no arrival, no DNS query".to_owned())
}

/// Whether an outcome needs a person's attention.
pub fn needs_attention(outcome: Outcome) -> bool {
    !outcome.as_expected()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn verdict(outcome: Outcome) -> Verdict {
        Verdict {
            id: "coexistence/owa/red".parse().unwrap(),
            title: String::new(),
            rules: vec![],
            source: String::new(),
            outcome,
            why: vec![],
            likely: None,
            expected: vec![],
            observed: vec![],
            took: Duration::ZERO,
            again: String::new(),
        }
    }

    fn ended(selected: usize, outcomes: &[Outcome], change: impl FnOnce(&mut Ending)) -> Exit {
        let mut ending = Ending { selected, subject_answered: true, recorded: 1, ..Ending::default() };
        change(&mut ending);
        let verdicts: Vec<Verdict> = outcomes.iter().map(|outcome| verdict(*outcome)).collect();
        of(&ending, &verdicts, |_| true).0
    }

    #[test]
    fn a_run_that_checked_nothing_is_not_green() {
        let nothing = |_: &mut Ending| {};
        assert_eq!(ended(0, &[], nothing), Exit::NothingChecked);
        assert_eq!(ended(1, &[Outcome::Skip], nothing), Exit::NothingChecked);
        assert_eq!(ended(2, &[Outcome::Pass], nothing), Exit::NothingChecked);
        assert_eq!(ended(1, &[Outcome::Pass], |e| e.floor = Some(2)), Exit::NothingChecked);
        assert_eq!(ended(1, &[Outcome::Pass], |e| e.subject_answered = false), Exit::NothingChecked);
        assert_eq!(ended(1, &[Outcome::Pass], |e| e.recorded = 0), Exit::NothingChecked);
        assert_eq!(ended(1, &[Outcome::Pass], nothing), Exit::AsExpected);
        let looked_at = |e: &mut Ending| (e.recorded, e.looked_at) = (0, 1);
        assert_eq!(ended(1, &[Outcome::Pass], looked_at), Exit::AsExpected);
        assert_eq!(ended(2, &[Outcome::Pass, Outcome::Pass], looked_at), Exit::NothingChecked);
    }

    #[test]
    fn the_worse_ending_wins() {
        assert_eq!(ended(2, &[Outcome::Setup, Outcome::Fail], |_| {}), Exit::Broken);
        assert_eq!(ended(2, &[Outcome::Setup, Outcome::Fail], |e| e.interrupted = true), Exit::Interrupted);
        assert_eq!(ended(1, &[Outcome::Fail], |e| e.subject_answered = false), Exit::NothingChecked);
        assert_eq!(ended(1, &[Outcome::Unobserved], |_| {}), Exit::NotAsExpected);
        assert_eq!(ended(1, &[Outcome::Pass], |e| e.unclaimed = 1), Exit::NotAsExpected);
        assert_eq!(ended(1, &[Outcome::UnexpectedPass], |_| {}), Exit::NotAsExpected);
    }
}

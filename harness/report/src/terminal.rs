//! What a person reads in a terminal: failures as two journeys side by side, the summary, progress.

use std::collections::BTreeMap;
use std::time::Duration;

use model::verdict::{Outcome, RunFacts, Verdict};

use crate::columns::{self, Line, Mark, presentable};
use crate::in_a_row;

/// Where the rules of a failure's first line end.
const RULES_END: usize = 85;
/// Where the observed column begins.
const OBSERVED_AT: usize = 45;
/// The most lines of a program's own words that are shown: the last ones, where it says why it ended.
const MOST_LAST_LINES: usize = 6;

/// A verdict in full: what differs, expected and observed beside each other, source, likely cause, and how to run it
/// again. With `color`, the differences are coloured by ANSI sequences; the layout is the same.
pub fn failure(verdict: &Verdict, color: bool) -> String {
    let paint = Paint(color);
    let mut text = format!("{}\n", paint.strong(&head(verdict)));
    let legs = differing_legs(verdict);
    if !legs.is_empty() {
        text.push_str(&format!("\n{}\n", row("expected", "observed", OBSERVED_AT)));
    }
    for (at, leg) in legs.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        side_by_side(
            &mut text,
            columns::of(verdict.expected.get(leg - 1), verdict.observed.get(leg - 1)),
            &paint,
        );
    }
    text.push('\n');
    let mut note = |label: &str, says: &str| text.push_str(&format!("  {label:<8} {}\n", presentable(says)));
    for says in reasons(verdict) {
        let (first, last) = first_and_last(&says);
        note("why", first);
        last.iter().for_each(|line| note("", line));
    }
    for leg in &legs {
        if let Some(says) = verdict.observed.get(leg - 1).and_then(|seen| seen.note.as_deref()) {
            note("note", says);
        }
    }
    let rules = verdict.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    note("source", &format!("routing-rules {rules}; {}", verdict.source));
    if let Some(likely) = &verdict.likely {
        note("likely", likely);
    }
    note("again", &verdict.again);
    text
}

/// The end of a run: counts by outcome, wall time, where it stood, and what to do next.
pub fn summary(run: &RunFacts, verdicts: &[Verdict]) -> String {
    let counts = &run.counts;
    let parts: Vec<String> = [
        (counts.pass, "passed"),
        (counts.fail, "failed"),
        (counts.expected_fail, "failed as expected"),
        (counts.unexpected_pass, "passed unexpectedly"),
        (counts.skip, "skipped"),
        (counts.setup, "could not be run (setup)"),
        (counts.unobserved, "unobserved"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, says)| format!("{count} {says}"))
    .collect();
    let parts = if parts.is_empty() { "nothing was run".to_owned() } else { parts.join(", ") };
    let claimed = match run.unclaimed {
        0 => "none unclaimed".to_owned(),
        some => format!("{some} UNCLAIMED"),
    };
    format!(
        "{parts}; {} selected, in {}\n\n  subject    {}\n  topology   {}\n  ground     {}, {}\n  seed       {}\n  \
         arrivals   {}, {claimed}\n  next       {}\n",
        counts.selected,
        seconds(run.took),
        presentable(&run.subject.join(", ")),
        run.topologies.join(", "),
        run.ground,
        run.host,
        run.seed,
        run.arrivals,
        presentable(&next(run, verdicts)),
    ) + &run.remarks.iter().map(|says| format!("  remark     {}\n", presentable(says))).collect::<String>()
}

/// What was not run and why, one line a reason; empty when nothing was left out.
pub fn left_out(verdicts: &[Verdict]) -> String {
    let skipped = verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Skip);
    let untried = verdicts.iter().filter(|verdict| verdict.is_untried());
    by_reason("skipped", skipped) + &by_reason("untried", untried)
}

fn by_reason<'v>(label: &str, verdicts: impl Iterator<Item = &'v Verdict>) -> String {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for verdict in verdicts {
        let why = verdict.why.first().map_or("without a reason", |why| why.says.as_str());
        *reasons.entry(presentable(why)).or_default() += 1;
    }
    reasons.into_iter().map(|(why, count)| format!("  {label:<10} {count}: {why}\n")).collect()
}

/// How far a run is, in one line without its end.
pub fn progress(done: usize, total: usize, failed: usize) -> String {
    match failed {
        0 => format!("{done}/{total} cases"),
        some => format!("{done}/{total} cases, {some} not as expected"),
    }
}

/// How a case ended, in a few words: `leg 1 differs`.
pub(crate) fn says(verdict: &Verdict) -> String {
    let legs: Vec<String> = differing_legs(verdict).iter().map(ToString::to_string).collect();
    match verdict.outcome {
        Outcome::Pass => "passes".to_owned(),
        Outcome::Skip => "skipped".to_owned(),
        Outcome::UnexpectedPass => "passes, and a deviation says that it fails".to_owned(),
        Outcome::Setup => "the lab or the subject broke".to_owned(),
        Outcome::Unobserved => "nothing arrived that could be judged".to_owned(),
        Outcome::Fail | Outcome::ExpectedFail => match &legs[..] {
            [] => "differs".to_owned(),
            [one] => format!("leg {one} differs"),
            several => format!("legs {} differ", in_a_row(several)),
        },
    }
}

fn head(verdict: &Verdict) -> String {
    let left = format!("{}: {}", verdict.id, says(verdict));
    let rules = verdict.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let gap = RULES_END.saturating_sub(left.chars().count() + rules.chars().count()).max(2);
    format!("{left}{}{rules}", " ".repeat(gap))
}

/// The legs that a difference names, in order, once each.
pub(crate) fn differing_legs(verdict: &Verdict) -> Vec<usize> {
    let mut legs: Vec<usize> = verdict.why.iter().map(|why| why.leg).filter(|leg| *leg > 0).collect();
    legs.sort_unstable();
    legs.dedup();
    legs.retain(|leg| *leg <= verdict.expected.len().max(verdict.observed.len()));
    legs
}

/// Differences that the columns do not show.
fn reasons(verdict: &Verdict) -> Vec<String> {
    let shown = |what: &str| ["hops", "told", "prompts", "reached", "dials"].contains(&what);
    let legs = differing_legs(verdict);
    let untold = |why: &&model::verdict::Difference| !legs.contains(&why.leg) || !shown(&why.what);
    verdict.why.iter().filter(untold).map(|why| why.says.clone()).collect()
}

fn side_by_side(text: &mut String, (left, right): (Vec<Line>, Vec<Line>), paint: &Paint) {
    let left: Vec<String> = left.iter().map(Line::written).collect();
    let widest = left.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    let observed_at = OBSERVED_AT.max(widest + 5);
    for at in 0..left.len().max(right.len()) {
        let observed = right.get(at).map(|line| paint.marked(line)).unwrap_or_default();
        let expected = left.get(at).map(String::as_str).unwrap_or_default();
        text.push_str(&row(expected, &observed, observed_at));
        text.push('\n');
    }
}

fn row(expected: &str, observed: &str, observed_at: usize) -> String {
    let width = observed_at - 2;
    format!("  {expected:<width$}{observed}").trim_end().to_owned()
}

pub(crate) fn next(run: &RunFacts, verdicts: &[Verdict]) -> String {
    let first = |outcome: Outcome| {
        let mut those = verdicts.iter().filter(|verdict| verdict.outcome == outcome);
        those.clone().find(|verdict| !verdict.is_untried()).or_else(|| those.next())
    };
    let why = |verdict: &Verdict| {
        verdict.why.first().map_or(String::new(), |why| format!(": {}", first_and_last(&why.says).0))
    };
    match run.exit {
        130 => "interrupted: verdicts up to here are in the report".to_owned(),
        2 => "mend the input named above".to_owned(),
        4 => match first(Outcome::Setup) {
            Some(broken) => format!("{}{}; then {}", broken.id, why(broken), broken.again),
            None => "the lab or the subject did not start: read the subject's log".to_owned(),
        },
        3 => "nothing was checked, and that is never green: the reason stands below".to_owned(),
        _ => match (first(Outcome::Fail), first(Outcome::Unobserved), first(Outcome::UnexpectedPass)) {
            (Some(failed), ..) | (_, Some(failed), _) => failed.again.clone(),
            (_, _, Some(passed)) => {
                format!("take the deviation {} out of the subject file: it passes", passed.id)
            }
            _ if run.unclaimed > 0 => {
                "look in ledger.jsonl for `\"claimed-by\":\"nobody\"`: requests that no case asked for"
                    .to_owned()
            }
            _ => "nothing: all is as expected".to_owned(),
        },
    }
}

/// What is said first, and the last lines of what follows it.
fn first_and_last(says: &str) -> (&str, Vec<&str>) {
    let mut lines = says.lines();
    let first = lines.next().unwrap_or_default();
    let rest: Vec<&str> = lines.map(str::trim_end).collect();
    (first, rest[rest.len().saturating_sub(MOST_LAST_LINES)..].to_vec())
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

/// ANSI sequences, or none.
struct Paint(bool);

impl Paint {
    fn strong(&self, text: &str) -> String {
        self.with("1", text)
    }

    fn marked(&self, line: &Line) -> String {
        match line.mark {
            Mark::Same => line.written(),
            Mark::Extra => self.with("33", &line.written()),
            Mark::Unmet => self.with("31", &line.written()),
        }
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests;

//! Shrinking a difference: alone first, then in ever smaller topologies, as long as oracle and reference still differ.

use std::sync::Arc;
use std::time::Duration;

use model::case::{Case, Step};
use model::verdict::{Outcome, Verdict};
use tokio_util::sync::CancellationToken;

use super::{Laboratory, journey};
use crate::shrink::{Limits, Tried, Whole, least, same_kind};

/// The most that is done for one difference.
const LIMITS: Limits = Limits { tries: 120, within: Duration::from_secs(120) };

/// The difference as small as it got: how it reads, and the topology that shows it.
pub(super) async fn shrunk(
    lab: &Laboratory,
    case: &Arc<Case>,
    verdict: &Verdict,
    stop: &CancellationToken,
) -> String {
    let text = std::fs::read_to_string(&case.topology).unwrap_or_default();
    let whole = Whole::of_text(&text);
    let alone = match super::built(&text) {
        Some(topology) => differs(lab, case, &Tried { text: text.clone(), topology }, stop).await,
        None => None,
    };
    let Some(alone) = alone else {
        let shown = report::terminal::failure(verdict, false);
        return format!("{shown}\n  alone in its topology it does not differ\n\n{}\n{text}\n", again(case));
    };
    let kind = alone.clone();
    // The journey says what it needs by itself: without it the oracle predicts nothing.
    let still = async |_: usize, tried: &Tried| {
        differs(lab, case, tried, stop).await.filter(|differs| same_kind(&kind, differs))
    };
    let (shown, text, tries) = match least(whole, alone.clone(), |_| false, (LIMITS, stop), still).await {
        Some(least) => (least.shown, least.tried.text, least.tries),
        None => (alone, text, 0),
    };
    let shown = report::terminal::failure(&shown, false);
    format!("{shown}\n  shown by this topology, shrunk in {tries} tries; {}\n\n{text}\n", again(case))
}

fn again(case: &Case) -> String {
    let seed = case.id.as_str().split('/').next().unwrap_or_default().trim_start_matches("random-");
    format!("the whole of it again: coexist random --seed {seed} --count 1\n\n  {}", journey(case))
}

/// The verdict, where oracle and reference differ about this journey in this topology.
async fn differs(
    lab: &Laboratory,
    case: &Arc<Case>,
    tried: &Tried,
    stop: &CancellationToken,
) -> Option<Verdict> {
    let when = case.steps.first()?.when.clone();
    let predicted = oracle::predict(&oracle::Table::standard(), &tried.topology, &when).ok()?;
    let file = lab.folder.join("shrunk.toml");
    std::fs::write(&file, &tried.text).ok()?;
    let steps = vec![Step { before: vec![], when, then: predicted.legs }];
    let case = Case { topology: file.display().to_string(), steps, ..Case::clone(case) };
    let came = lab.play(&[(tried.topology.role, Arc::new(case))], stop).await.ok()?;
    came.verdicts.into_iter().find(|verdict| verdict.outcome == Outcome::Fail)
}

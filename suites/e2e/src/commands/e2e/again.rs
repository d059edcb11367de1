//! Cases that are run again, each alone in a lab of its own, before something is said of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use lab::ground::Ground;
use model::CaseId;
use tokio_util::sync::CancellationToken;

use crate::run::{Came, How, Work, run};
use crate::suite::Suite;

/// The most cases that are tried one by one for having killed the subject.
const MOST_TRIED: usize = 16;

/// What a run was made of, to run parts of it again.
pub(super) struct Again<'a> {
    pub(super) suite: &'a Arc<Suite>,
    pub(super) ground: &'a Arc<Ground>,
    pub(super) work: &'a [Work],
    pub(super) how: &'a How,
    pub(super) stop: &'a CancellationToken,
}

impl Again<'_> {
    /// Runs these cases again, each alone in a lab.
    pub(super) async fn alone(&self, cases: &BTreeSet<CaseId>) -> Came {
        let mut chosen = self.work.to_vec();
        for work in &mut chosen {
            work.cases.retain(|case| cases.contains(&case.id));
        }
        let how = How { isolate: true, ..self.how.clone() };
        let quiet = Arc::new(|_, _, _| {});
        run(self.suite.clone(), self.ground.clone(), chosen, how, self.stop.clone(), quiet).await
    }

    /// Which of the cases that were running when the subject died kills it alone, in a sentence.
    pub(super) async fn killer(&self, deaths: &[BTreeSet<CaseId>]) -> Option<String> {
        let running: BTreeSet<CaseId> = deaths.iter().flatten().take(MOST_TRIED).cloned().collect();
        if running.is_empty() {
            return None;
        }
        let listed =
            |cases: &BTreeSet<CaseId>| cases.iter().map(CaseId::as_str).collect::<Vec<_>>().join(", ");
        let killers: BTreeSet<CaseId> = self.alone(&running).await.deaths.into_iter().flatten().collect();
        Some(match killers.is_empty() {
            true => format!(
                "the subject died while these ran, and none of them kills it alone: {}",
                listed(&running)
            ),
            false => format!("the subject dies of {}: alone in a lab too", listed(&killers)),
        })
    }
}

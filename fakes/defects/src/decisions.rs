//! Lies of `decide`: the truth in, another decision out. A lie that does not concern a question gives the truth back.

mod believed;
mod names;
mod redirects;
mod targets;

use std::sync::Arc;

use reference::decide::{Decision, Question};
use reference::ports::Decide;

use crate::Fired;

/// A bent decision.
pub(crate) type Lie = fn(&Question, Decision) -> Decision;

/// The lie of this id.
pub(crate) fn lie(id: &str) -> Option<(&'static str, Lie)> {
    all().find(|(known, _)| *known == id).copied()
}

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    all().map(|(id, _)| *id)
}

fn all() -> impl Iterator<Item = &'static (&'static str, Lie)> {
    targets::LIES.iter().chain(redirects::LIES).chain(believed::LIES)
}

pub(crate) struct Spoiled {
    pub(crate) id: &'static str,
    pub(crate) lie: Lie,
    pub(crate) truth: Arc<dyn Decide>,
    pub(crate) fired: Fired,
}

impl Decide for Spoiled {
    fn decide(&self, question: &Question) -> Decision {
        let truth = self.truth.decide(question);
        let lie = (self.lie)(question, truth.clone());
        if lie != truth {
            self.fired.lied(self.id, question.client.socket);
        }
        lie
    }
}

//! What is known of a run's subjects by now: whether one of them can be started at all, whether it ever answered, how often it
//! had to be killed. What no further lab can change is not waited for again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::CaseId;

/// Cases without any answer after which a subject that never gave one is asked no more.
const MOST_SILENT: usize = 8;

/// The subjects of a run, by name.
#[derive(Default)]
pub(super) struct Standing(Mutex<BTreeMap<String, Known>>);

#[derive(Default)]
struct Known {
    came_up: bool,
    /// A case that says why it could not be started.
    could_not: Option<CaseId>,
    /// Whether it was asked something, and ever answered.
    asked: bool,
    answered: bool,
    /// Cases that ended without an answer from it.
    silent: usize,
    killed: usize,
}

impl Standing {
    /// A lab of it is up.
    pub(super) fn came_up(&self, subject: &str) {
        self.of(subject, |known| known.came_up = true);
    }

    /// It could not be started, for a reason of its own that this case states.
    pub(super) fn could_not_be_started(&self, subject: &str, case: &CaseId) {
        self.of(subject, |known| {
            if known.could_not.is_none() {
                known.could_not = Some(case.clone());
            }
        });
    }

    /// A case has asked it something, so often with an answer. One that has died is not silent: it is gone.
    pub(super) fn asked(&self, subject: &str, answers: usize, died: bool) {
        self.of(subject, |known| {
            known.asked = true;
            known.answered |= answers > 0;
            known.silent += usize::from(answers == 0 && !died);
        });
    }

    /// It did not end when it was asked to.
    pub(super) fn was_killed(&self, subject: &str) {
        self.of(subject, |known| known.killed += 1);
    }

    /// Why it is not tried to start it once more, in a sentence.
    pub(super) fn hopeless(&self, subject: &str) -> Option<String> {
        self.of(subject, |known| {
            let case = known.could_not.as_ref().filter(|_| !known.came_up)?;
            Some(format!("not tried: subject `{subject}` could not be started; {case} says why"))
        })
    }

    /// Why it is asked no more, in a sentence.
    pub(super) fn silent(&self, subject: &str) -> Option<String> {
        self.of(subject, |known| {
            let gives_up = !known.answered && known.silent >= MOST_SILENT;
            gives_up.then(|| {
                format!("not asked: in {MOST_SILENT} cases before, subject `{subject}` gave no answer at all")
            })
        })
    }

    /// Whether each that was asked something answered.
    pub(super) fn all_answered(&self) -> bool {
        self.known().values().all(|known| known.answered || !known.asked)
    }

    /// How often each had to be killed.
    pub(super) fn killed(&self) -> BTreeMap<String, usize> {
        let known = self.known();
        let killed = known.iter().filter(|(_, known)| known.killed > 0);
        killed.map(|(name, known)| (name.clone(), known.killed)).collect()
    }

    fn of<T>(&self, subject: &str, does: impl FnOnce(&mut Known) -> T) -> T {
        does(self.known().entry(subject.to_owned()).or_default())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> CaseId {
        "coexistence/owa/red".parse().unwrap()
    }

    #[test]
    fn a_subject_is_hopeless_only_while_no_lab_of_it_is_up() {
        let standing = Standing::default();
        assert_eq!(standing.hopeless("mine"), None);
        standing.could_not_be_started("mine", &case());
        let says = standing.hopeless("mine").unwrap();
        assert_eq!(says, "not tried: subject `mine` could not be started; coexistence/owa/red says why");
        assert_eq!(standing.hopeless("another"), None);
        standing.came_up("mine");
        assert_eq!(standing.hopeless("mine"), None);
    }

    #[test]
    fn a_subject_is_asked_on_once_it_has_answered_at_all() {
        let standing = Standing::default();
        (0..MOST_SILENT).for_each(|_| standing.asked("mine", 0, true));
        assert_eq!(standing.silent("mine"), None);
        (0..MOST_SILENT).for_each(|_| standing.asked("mine", 0, false));
        assert!(standing.silent("mine").is_some() && !standing.all_answered());
        standing.asked("mine", 1, false);
        (0..MOST_SILENT).for_each(|_| standing.asked("mine", 0, false));
        assert!(standing.silent("mine").is_none() && standing.all_answered());
    }
}

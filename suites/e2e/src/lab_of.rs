//! Which cases share a lab, and what that lab is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exchange::{Dictated, Script};
use lab::{AnswersWanted, LeaseWanted, Plan};
use ledger::Ledger;
use model::case::{Action, Awaited, Case, Ends, FaultAt, Password, Steering, Told};
use model::subject::{Feature, Subject};
use model::{Protocol, ServerName, Topology};

use crate::suite::{Suite, SuiteError};

/// Cases that run in one lab.
pub struct Group {
    /// The cases.
    pub cases: Vec<Arc<Case>>,
    /// Whether more than one case may be in it.
    pub shared: bool,
}

/// No server's port is touched while nobody reads mail: rules that are held against all that came to a lab.
const OF_NOBODY: [&str; 2] = ["CX-IMAP-7", "CX-POP-7"];

/// What a case may leave behind in its lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    /// Nothing that another case could notice.
    Nothing,
    /// Sign-ins that failed: a subject may shut out whoever goes on guessing, by address too.
    WrongPasswords,
    /// Answers held longer than a second: a subject may have only so many at once.
    HeldAnswers,
    /// A fault, a 5xx, a reset, a lab that is not as it was; or what nobody asked for is looked at, which in a lab of several
    /// cases would be nobody's.
    Something,
}

impl Leaves {
    fn of(case: &Case) -> Leaves {
        let aloud = |told: &Told| match told {
            Told::Failed(_) | Told::Unavailable(_) => true,
            Told::Answered(statuses) => statuses.iter().any(|status| *status == 0 || *status >= 500),
            _ => false,
        };
        let wrong = case.steps.iter().any(|step| step.when.password == Password::Wrong);
        let held =
            |action| matches!(action, Action::Ping | Action::StreamingEvents | Action::MapiNotificationWait);
        let held = case.steps.iter().any(|step| held(step.when.does));
        let quiet = !case.rules.iter().any(|rule| OF_NOBODY.contains(&rule.as_str()))
            && case.given.faults.is_empty()
            && case.given.answers.values().flatten().all(|answer| answer.ends == Ends::Whole)
            && case.steps.iter().flat_map(|step| &step.when.sends).all(|send| !send.leaves())
            && case.steps.iter().all(|step| {
                step.before.iter().all(changes_nothing) && !step.then.iter().any(|leg| aloud(&leg.told))
            });
        match (quiet, wrong, held) {
            (true, false, false) => Leaves::Nothing,
            (true, true, false) => Leaves::WrongPasswords,
            (true, false, true) => Leaves::HeldAnswers,
            _ => Leaves::Something,
        }
    }

    /// How many such cases share a lab. Fewer wrong passwords than any subject that counts them takes for guessing.
    fn most(self) -> usize {
        match self {
            Leaves::Nothing => usize::MAX,
            Leaves::WrongPasswords => 4,
            Leaves::HeldAnswers => 16,
            Leaves::Something => 1,
        }
    }
}

/// Whether a case leaves nothing behind: no fault, no 5xx, no reset, no answer held longer than a second, no wrong
/// password, nothing done to the running lab.
pub fn may_share(case: &Case) -> bool {
    Leaves::of(case) == Leaves::Nothing
}

/// Whether cases beside this one see nothing of it.
fn changes_nothing(steering: &Steering) -> bool {
    matches!(steering, Steering::WaitsFor(Awaited::HealthRound))
}

/// Whether a case looks at how the subject asks for the servers' health. Where one does the subject is told to ask.
fn looks_at_health(case: &Case) -> bool {
    case.needs.contains(&Feature::Health)
}

/// Puts cases together that may share a lab, each with those that leave the same; with `isolate` each has its own.
pub fn groups(cases: &[Arc<Case>], isolate: bool) -> Vec<Group> {
    let mut groups: Vec<(String, Group)> = vec![];
    for case in cases {
        let leaves = Leaves::of(case);
        let most = if isolate { 1 } else { leaves.most() };
        let (name, rounds) = (case.topology_name(), looks_at_health(case));
        let key = format!("{leaves:?} {name} {:?} {rounds}", case.given.settings);
        match groups.iter_mut().find(|(known, group)| *known == key && group.cases.len() < most) {
            Some((_, group)) => group.cases.push(case.clone()),
            None => groups.push((key, Group { cases: vec![case.clone()], shared: most > 1 })),
        }
    }
    // What runs longest begins first: a case that waits, and then one that repeats itself, since it does so one after the
    // other. They would end last.
    for (_, group) in &mut groups {
        group.cases.sort_by_key(|case| std::cmp::Reverse((waits(case), repeats(case))));
    }
    groups.sort_by_key(|(_, group)| {
        let first = group.cases.first().map(|case| (waits(case), repeats(case)));
        std::cmp::Reverse((first, group.cases.len()))
    });
    groups.into_iter().map(|(_, group)| group).collect()
}

/// How often the case waits for something that takes its time.
pub(crate) fn waits(case: &Case) -> usize {
    let done = case.steps.iter().flat_map(|step| &step.before);
    done.filter(|steering| matches!(steering, Steering::WaitsFor(_))).count()
}

/// How often the client of the case does what it does, over all steps.
fn repeats(case: &Case) -> u32 {
    case.steps.iter().map(|step| u32::from(step.when.times)).sum()
}

/// The plan of a group's lab.
///
/// # Errors
/// A topology that cannot be built, or a fault that is none.
pub fn plan(
    suite: &Suite,
    group: &Group,
    subject: Option<(Subject, &Path)>,
    folder: &Path,
    ledger: Ledger,
) -> Result<Plan, SuiteError> {
    let first = group.cases.first().ok_or_else(|| SuiteError::Unknown("a lab for no case".to_owned()))?;
    let mut leases = vec![];
    let mut faults = vec![];
    let mut answers = vec![];
    let mut moves = vec![];
    let quiet = subject.as_ref().and_then(|(subject, _)| quiet(subject)).unwrap_or(USUAL_QUIET);
    for case in &group.cases {
        for step in &case.steps {
            moves.extend(step.before.iter().filter_map(Steering::moves_address).cloned());
            leases.push(LeaseWanted {
                case: case.id.clone(),
                mailbox: step.when.mailbox.clone(),
                typed: step.when.types.clone(),
            });
        }
        for (place, script) in &case.given.faults {
            let wrong =
                |says: String| SuiteError::Unknown(format!("cases/{}.toml: given.faults: {says}", case.id));
            let at: FaultAt = place.parse().map_err(wrong)?;
            let script = Script::read(at.of, script).map_err(|(_, says)| wrong(says))?;
            faults.push((at, script));
        }
        for (place, script) in &case.given.answers {
            let (server, protocol) = at(case, place)?;
            let Some(step) = case.steps.first() else { continue };
            let answers_of = script.iter().map(|answer| Dictated { answer: answer.clone(), quiet });
            answers.push(AnswersWanted {
                case: case.id.clone(),
                mailbox: step.when.mailbox.clone(),
                server,
                protocol,
                answers: answers_of.collect(),
            });
        }
    }
    let topology = suite.handed_over(first)?;
    faults.extend(suite.lab_fault.map(|fault| fault.faults(&topology)).unwrap_or_default());
    Ok(Plan {
        subject: subject.map(|(subject, folder)| (subject, folder.to_owned())),
        front_end: front_end(suite, &topology)?,
        leases,
        faults,
        health_rounds: group.cases.iter().any(|case| looks_at_health(case)),
        answers,
        moves,
        topology,
        ledger,
        folder: folder.to_owned(),
    })
}

/// Our reference, for the front end's place where the seat is before it: started by its own subject file.
///
/// # Errors
/// A subject file that cannot be read.
pub fn front_end(suite: &Suite, topology: &Topology) -> Result<Option<(Subject, PathBuf)>, SuiteError> {
    let place = topology.front_end.as_ref();
    place.map(|place| suite.subject(Suite::reference_for(place.role))).transpose()
}

/// A server and protocol as a case writes them: `cas2007-s1/eas`.
fn at(case: &Case, place: &str) -> Result<(ServerName, Protocol), SuiteError> {
    let wrong = |says: String| SuiteError::Unknown(format!("cases/{}.toml: given: {says}", case.id));
    let (server, protocol) = place
        .split_once('/')
        .ok_or_else(|| wrong(format!("`{place}` is no place; a right one: cas2007-s1/eas")))?;
    let server = server.parse().map_err(|error| wrong(format!("{error}")))?;
    Ok((server, protocol.parse().map_err(|error| wrong(format!("{error}")))?))
}

/// How long a silence is that a subject which declares none must bear.
const USUAL_QUIET: Duration = Duration::from_millis(700);

/// A declared limit is not played up to its edge.
const SURELY_BELOW: f64 = 0.8;

/// A client's own patience ends later than this.
const LONGEST_QUIET: Duration = Duration::from_secs(5);

/// The silence that a subject declares not to cut (rule X-WIRE-6): what is longer than the rules' own limits is scaled down
/// by whoever writes the subject's file, in its configuration and here alike.
fn quiet(subject: &Subject) -> Option<Duration> {
    subject.declares.quiet.map(|span| span.0.mul_f64(SURELY_BELOW).min(LONGEST_QUIET))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite() -> Suite {
        Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
    }

    fn leaves(suite: &Suite, id: &str) -> Leaves {
        Leaves::of(suite.cases.iter().find(|case| case.id.as_str() == id).unwrap())
    }

    #[test]
    fn a_case_that_leaves_something_has_a_lab_of_its_own_and_wrong_passwords_are_few_in_one() {
        let suite = suite();
        let groups = groups(&suite.cases, false);
        for group in &groups {
            let first = Leaves::of(&group.cases[0]);
            assert!(group.cases.iter().all(|case| Leaves::of(case) == first), "{}", group.cases[0].id);
            assert!(group.cases.len() <= first.most(), "{}", group.cases[0].id);
            assert_eq!(group.shared, first != Leaves::Something, "{}", group.cases[0].id);
        }
        assert_eq!(groups.iter().map(|group| group.cases.len()).sum::<usize>(), suite.cases.len());
    }

    #[test]
    fn isolated_cases_have_labs_of_their_own() {
        let suite = suite();
        let groups = groups(&suite.cases, true);
        assert!(groups.iter().all(|group| group.cases.len() == 1 && !group.shared));
        assert_eq!(groups.len(), suite.cases.len());
    }

    #[test]
    fn what_a_case_leaves_is_read_from_it() {
        let suite = suite();
        assert_eq!(leaves(&suite, "coexistence/owa/purple"), Leaves::Nothing);
        assert_eq!(leaves(&suite, "coexistence/owa/purple-wrong-password"), Leaves::WrongPasswords);
        assert_eq!(leaves(&suite, "coexistence/eas/green-ping"), Leaves::HeldAnswers);
        assert_eq!(leaves(&suite, "coexistence/owa/green-failover"), Leaves::Something);
        assert_eq!(leaves(&suite, "coexistence/imap/red-unasked"), Leaves::Something);
    }
}

//! Faults of `check`: what it found is spoiled before it is held against the lists, to see that the lists notice.

use model::{CaseId, RuleId};

use super::{Finding, differences, of};
use crate::suite::{Suite, SuiteError};

/// One way in which `check` is wrong.
#[derive(Debug)]
pub(crate) struct CheckFault {
    /// Its name, `check-says-nothing`.
    pub(crate) id: &'static str,
    /// What is wrong.
    pub(crate) title: &'static str,
    /// The rules that must each notice.
    pub(crate) rules: &'static [&'static str],
    turns: fn(&Suite) -> Result<Vec<Turn>, SuiteError>,
}

/// One finding spoiled in one topology.
pub(crate) struct Turn {
    /// The topology's case.
    pub(crate) case: CaseId,
    /// The finding's rule.
    pub(crate) rule: String,
    /// Where it was.
    pub(crate) at: String,
    /// Whether the list noticed.
    pub(crate) caught: bool,
}

/// Every fault of `check`.
pub(crate) const CHECK_FAULTS: &[CheckFault] = &[
    CheckFault {
        id: "check-says-nothing",
        title: "check drops one finding, each in turn",
        rules: RULES,
        turns: drops_each,
    },
    CheckFault {
        id: "check-says-too-much",
        title: "check reports a finding for the topology one setting away",
        rules: RULES,
        turns: adds_each,
    },
];

const RULES: &[&str] = &[
    "TOP-1",
    "TOP-2",
    "TOP-3",
    "DNS-2",
    "DNS-3",
    "AMB-1",
    "PRE-OWA-2",
    "PRE-RPC-1",
    "PRE-RPC-3",
    "CX-EXHTTP-2",
    "CX-POP-2",
    "CX-POP-7",
    "CX-IMAP-2",
    "CX-IMAP-7",
    "CX-OWA-2",
    "CX-RPC-1",
];

impl CheckFault {
    /// Spoils every finding in its turn. A rule of which nothing could be spoiled is an error: then nothing shows it.
    ///
    /// # Errors
    /// A topology that cannot be built, or that there is not.
    pub(crate) fn turns(&self, suite: &Suite) -> Result<Vec<Turn>, SuiteError> {
        let turns = (self.turns)(suite)?;
        let idle = self.rules.iter().find(|rule| !turns.iter().any(|turn| turn.rule == **rule));
        match idle {
            None => Ok(turns),
            Some(rule) => Err(SuiteError::Unknown(format!("no topology of findings shows {rule}"))),
        }
    }
}

fn drops_each(suite: &Suite) -> Result<Vec<Turn>, SuiteError> {
    let mut turns = vec![];
    for case in &suite.cases {
        let Some(finds) = &case.finds else { continue };
        let found = of(&*suite.topology_of(case)?);
        for (at, dropped) in found.iter().enumerate() {
            let mut left = found.clone();
            left.remove(at);
            let caught = !differences(finds, &left).is_empty();
            turns.push(turn(&case.id, dropped, caught));
        }
    }
    Ok(turns)
}

fn adds_each(suite: &Suite) -> Result<Vec<Turn>, SuiteError> {
    let mut turns = vec![];
    for near in &suite.cases {
        let Some(finds) = &near.finds else { continue };
        let Some(name) = &finds.near else { continue };
        let named = |case: &&std::sync::Arc<model::Case>| {
            case.finds.is_some() && case.id.as_str().rsplit('/').next() == Some(name)
        };
        let shown = suite.cases.iter().find(named);
        let shown = shown.ok_or_else(|| {
            SuiteError::Unknown(format!("{}: there is no topology of findings {name}", near.id))
        })?;
        let found = of(&*suite.topology_of(near)?);
        let about = |finding: &Finding| is_among(finding.rule, &near.rules);
        for added in of(&*suite.topology_of(shown)?).into_iter().filter(about) {
            let mut more = found.clone();
            more.push(added.clone());
            let caught = !differences(finds, &more).is_empty();
            turns.push(turn(&near.id, &added, caught));
        }
    }
    Ok(turns)
}

fn is_among(rule: &str, rules: &[RuleId]) -> bool {
    rules.iter().any(|known| known.as_str() == rule)
}

fn turn(case: &CaseId, finding: &Finding, caught: bool) -> Turn {
    Turn { case: case.clone(), rule: finding.rule.to_owned(), at: finding.at.clone(), caught }
}

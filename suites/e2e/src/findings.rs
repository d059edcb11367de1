//! Findings: what `check` says of a file, as an error or a warning, with the rule and the place; and those of a topology,
//! held against the list that its file has of them.

use std::collections::BTreeMap;
use std::time::Instant;

use model::case::{Case, FindingLevel, Finds, Listed};
use model::topology::Origin;
use model::verdict::{Difference, Outcome, Verdict};

use crate::suite::{Suite, SuiteError};

pub(crate) mod fault;
mod mail;
mod settings;
mod topology;

pub(crate) use topology::findings as of;

/// One thing that is wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) level: FindingLevel,
    /// The rule that says so; where no rule does, `-`.
    pub(crate) rule: &'static str,
    /// The server, virtual directory, namespace or field: `cas2010-s3/outlook-anywhere`.
    pub(crate) at: String,
    /// In a sentence.
    pub(crate) says: String,
}

impl Finding {
    pub(crate) fn error(rule: &'static str, at: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding { level: FindingLevel::Error, rule, at: at.into(), says: says.into() }
    }

    pub(crate) fn warning(rule: &'static str, at: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding { level: FindingLevel::Warning, rule, at: at.into(), says: says.into() }
    }

    /// As it is printed: `error TOP-3 coexistence.toml:155:1 cas2010-s3/outlook-anywhere: …`. What was imported is called as
    /// its administrators call it, `CAS01\Rpc (Default Web Site) (oa.csv:3)`.
    pub(crate) fn line(&self, label: &str, place: &str, origins: &BTreeMap<String, Origin>) -> String {
        let at = match origins.get(&self.at) {
            Some(Origin(is, from)) => format!("{is} ({from})"),
            None => in_their_words(&self.at, origins),
        };
        format!("{label:<7} {:<11} {place} {at}: {}", self.rule, in_their_words(&self.says, origins))
    }

    pub(crate) fn is(&self, listed: &Listed) -> bool {
        (self.rule, self.level, &self.at) == (listed.rule.as_str(), listed.level, &listed.at)
    }
}

/// A text in which places of what was imported have the names that administrators gave them.
fn in_their_words(says: &str, origins: &BTreeMap<String, Origin>) -> String {
    let named = |word: &str| {
        let bare = word.trim_end_matches([',', ':', '.', ';']);
        let (server, setting) =
            bare.split_once('/').map_or((bare, None), |(server, setting)| (server, Some(setting)));
        let called = match (origins.get(bare), origins.get(server), setting) {
            (Some(Origin(is, _)), ..) => is.clone(),
            // A setting that was not exported, at a server that was.
            (None, Some(Origin(is, _)), Some(setting)) => format!("{is}, {setting}"),
            (None, _, _) => return word.to_owned(),
        };
        format!("{called}{}", &word[bare.len()..])
    };
    says.split(' ').map(named).collect::<Vec<_>>().join(" ")
}

/// Where what was found is not what is listed, one sentence each.
pub(crate) fn differences(finds: &Finds, found: &[Finding]) -> Vec<String> {
    let mut missing: Vec<&Listed> = finds.list.iter().collect();
    let mut says = vec![];
    for finding in found {
        match missing.iter().position(|listed| finding.is(listed)) {
            Some(at) => drop(missing.remove(at)),
            None => says.push(format!(
                "not listed: {} {} at {}: {}",
                finding.level, finding.rule, finding.at, finding.says
            )),
        }
    }
    let not_found =
        |listed: &Listed| format!("listed, and not found: {} {} at {}", listed.level, listed.rule, listed.at);
    says.extend(missing.into_iter().map(not_found));
    says
}

/// What came of looking at a case's topology: no lab is needed, and no subject.
///
/// # Errors
/// A topology that cannot be built.
pub(crate) fn verdict(suite: &Suite, case: &Case, again: String) -> Result<Verdict, SuiteError> {
    let started = Instant::now();
    let topology = suite.topology_of(case)?;
    let wrong = case.finds.as_ref().map(|finds| differences(finds, &of(&topology))).unwrap_or_default();
    let differs = |says| Difference { leg: 0, what: "finding".to_owned(), says };
    Ok(Verdict {
        id: case.id.clone(),
        title: case.title.clone(),
        rules: case.rules.clone(),
        source: case.source.clone(),
        outcome: if wrong.is_empty() { Outcome::Pass } else { Outcome::Fail },
        why: wrong.into_iter().map(differs).collect(),
        likely: None,
        expected: vec![],
        observed: vec![],
        took: started.elapsed(),
        again,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn suite() -> Suite {
        Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
    }

    fn looked_at(suite: &Suite) -> Vec<Arc<Case>> {
        let all: Vec<_> = suite.cases.iter().filter(|case| case.finds.is_some()).cloned().collect();
        assert!(all.len() >= 14, "were files of topologies/findings lost?");
        all
    }

    #[test]
    fn each_topology_of_findings_shows_what_its_file_lists_and_nothing_else() {
        let suite = suite();
        for case in looked_at(&suite) {
            let verdict = verdict(&suite, &case, String::new()).unwrap();
            assert_eq!(verdict.outcome, Outcome::Pass, "{}: {:#?}", case.id, verdict.why);
        }
    }

    /// Where they are said to be: fields by path, as `[settings]` has them.
    fn settings(case: &Case) -> BTreeSet<String> {
        let fields = case.given.settings.iter().flat_map(|(place, fields)| {
            fields.iter().map(move |(field, value)| format!("{place} {field} = {value}"))
        });
        fields.collect()
    }

    #[test]
    fn each_finding_has_a_topology_one_setting_away_that_does_not_show_it() {
        let suite = suite();
        let all = looked_at(&suite);
        for shown in all.iter().filter(|case| case.finds.as_ref().is_some_and(|f| f.near.is_none())) {
            let name = shown.id.as_str().rsplit('/').next();
            let near = all.iter().filter(|case| case.finds.as_ref().unwrap().near.as_deref() == name);
            let near: Vec<_> = near.collect();
            assert!(!near.is_empty(), "{}: no file is near it", shown.id);
            for near in near {
                assert_eq!(near.topology_name(), shown.topology_name(), "{}", near.id);
                let (a, b) = (settings(shown), settings(near));
                let fields = |only: BTreeSet<&String>| -> BTreeSet<String> {
                    only.iter().map(|one| one.split(" = ").next().unwrap_or_default().to_owned()).collect()
                };
                let away = &fields(a.difference(&b).collect()) | &fields(b.difference(&a).collect());
                assert_eq!(away.len(), 1, "{} and {} differ in {away:?}", shown.id, near.id);
            }
        }
    }

    #[test]
    fn a_list_is_complete_and_in_any_order() {
        let listed = |at: &str| Listed {
            rule: "TOP-3".parse().unwrap(),
            level: FindingLevel::Error,
            at: at.to_owned(),
        };
        let finds = Finds { list: vec![listed("a"), listed("b")], near: None };
        let found = |at: &str| Finding::error("TOP-3", at, "it is off");
        assert_eq!(differences(&finds, &[found("b"), found("a")]), [""; 0]);
        assert_eq!(differences(&finds, &[found("a")]), ["listed, and not found: error TOP-3 at b"]);
        let twice = differences(&finds, &[found("a"), found("b"), found("b")]);
        assert_eq!(twice, ["not listed: error TOP-3 at b: it is off"]);
        let milder = Finding::warning("TOP-3", "a", "it is off");
        assert_eq!(differences(&finds, &[milder, found("b")]).len(), 2);
    }
}

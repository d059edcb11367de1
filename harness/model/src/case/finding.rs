//! A topology with everything that `check` must say of it before any traffic: a case without a client.

use serde::{Deserialize, Serialize};

use super::{Case, Given};
use crate::names::{CaseId, RuleId};
use crate::problem::{Problem, Source};
use crate::protocol::words;
use crate::topology::Setting;

/// What `check` must say of a case's topology: this, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finds {
    /// Every finding, in any order; none where nothing is wrong.
    pub list: Vec<Listed>,
    /// The file, without `.toml`, whose topology is one setting away from this one, and shows what this one does not.
    pub near: Option<String>,
}

/// One finding of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Listed {
    /// The rule that says so.
    pub rule: RuleId,
    /// How bad it is.
    pub level: FindingLevel,
    /// The server, virtual directory, site, database or name: `cas2010-s3/outlook-anywhere`.
    pub at: String,
}

words! {
    /// How bad a finding is.
    FindingLevel, "level of a finding", "error (or warning)";
    /// By the rules some client does not get what it should.
    Error = "error",
    /// It may be meant so.
    Warning = "warning",
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FindingFile {
    title: String,
    rules: Vec<RuleId>,
    source: String,
    /// `coexistence+site3-2007`
    topology: String,
    near: Option<String>,
    #[serde(default)]
    settings: Setting,
    finding: Vec<Listed>,
}

impl Case {
    /// Reads a file of `topologies/findings`. Its id is that of a case: `coexistence/findings/NAME`.
    ///
    /// # Errors
    /// Whatever is wrong, with its place and a right value.
    pub fn read_findings(source: &Source) -> Result<Case, Problem> {
        let file: FindingFile = source.read("compare with suites/topologies/findings/top-2.toml")?;
        let wrong = |path: &[&str], message: &str, help: &str| {
            Err(source.problem(source.locate(path), message, Some(help.to_owned())))
        };
        if file.rules.is_empty() {
            return wrong(&["rules"], "a case holds at least one rule", "rules = [\"TOP-2\"]");
        }
        if file.source.trim().is_empty() {
            return wrong(&["source"], "a case states its source", "source = \"routing rules, TOP-2\"");
        }
        if file.near.is_some() == file.finding.iter().any(|listed| file.rules.contains(&listed.rule)) {
            return wrong(
                &["finding"],
                "a file lists a finding of its rules, or is `near` one that does",
                "near = \"top-2\" and finding = [], or [[finding]] with rule, level and at",
            );
        }
        let mut parts = file.topology.split('+');
        let topology = parts.next().unwrap_or_default().to_owned();
        let name = source.file.rsplit('/').next().unwrap_or_default().trim_end_matches(".toml");
        let id = format!("{topology}/findings/{name}").parse::<CaseId>();
        let id = id.map_err(|error| source.problem(source.locate(&["topology"]), error.to_string(), None))?;
        let variants = parts.map(|variant| format!("+{variant}")).collect();
        Ok(Case {
            id,
            title: file.title,
            rules: file.rules,
            source: file.source,
            needs: vec![],
            declares: Default::default(),
            topology,
            given: Given { variants, settings: file.settings, ..Given::default() },
            steps: vec![],
            resolves: vec![],
            pings: vec![],
            finds: Some(Finds { list: file.finding, near: file.near }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "title = \"t\"\nrules = [\"TOP-2\"]\nsource = \"s\"\ntopology = \"coexistence+pairs\"\n";

    fn read(rest: &str) -> Result<Case, String> {
        let source = Source::new("suites/topologies/findings/top-2.toml", format!("{FILE}{rest}"));
        Case::read_findings(&source).map_err(|problem| problem.picture().to_string())
    }

    #[test]
    fn a_file_of_findings_is_a_case_of_its_topology() {
        let case = read("[[finding]]\nrule = \"TOP-2\"\nlevel = \"error\"\nat = \"cas2007-s1\"\n").unwrap();
        assert_eq!(
            (case.id.as_str(), case.topology_name()),
            ("coexistence/findings/top-2", "coexistence+pairs".to_owned())
        );
        assert_eq!(case.finds.unwrap().list[0].level, FindingLevel::Error);
    }

    #[test]
    fn what_neither_shows_a_finding_nor_is_near_one_that_does_is_refused() {
        let none = read("finding = []\n").unwrap_err();
        assert!(none.contains("top-2.toml:5:") && none.contains("is `near` one that does"), "{none}");
        let both = "near = \"top-2\"\n[[finding]]\nrule = \"TOP-2\"\nlevel = \"error\"\nat = \"x\"\n";
        assert!(read(both).unwrap_err().contains("is `near` one that does"));
        assert!(read("near = \"top-2\"\nfinding = []\n").is_ok());
        assert!(read("near = \"top-2\"\n").unwrap_err().contains("missing field `finding`"));
    }
}

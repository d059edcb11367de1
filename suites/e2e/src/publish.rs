//! What a run leaves for others: the files of `--report`, and what GitHub's pages show.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::verdict::{RunFacts, Verdict};
use model::{CaseId, Role, ServerName};
use report::html::{Evidence, Page};

use crate::run::Came;
use crate::suite::Suite;

/// A run as others see it.
pub struct Published<'a> {
    /// The suite that it was of.
    pub suite: &'a Suite,
    /// What it was.
    pub facts: &'a RunFacts,
    /// The roles that its subjects played.
    pub roles: &'a [Role],
    /// How it ended in a sentence, where the verdicts do not say so.
    pub why: Option<&'a str>,
    /// Its verdicts.
    pub verdicts: &'a [Verdict],
    /// What its cases left behind.
    pub evidence: &'a BTreeMap<CaseId, Evidence>,
}

impl Published<'_> {
    /// Writes the report's files into a folder, with the ledger's lines and the servers' logs.
    ///
    /// # Errors
    /// A folder or file that cannot be written.
    pub fn write(
        &self,
        folder: &Path,
        ledger: &[String],
        iis: &BTreeMap<ServerName, String>,
    ) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        self.write_verdicts(folder)?;
        let lines: String = ledger.iter().map(|line| format!("{line}\n")).collect();
        whole(&folder.join("ledger.jsonl"), &lines)?;
        let logs = folder.join("iis");
        std::fs::create_dir_all(&logs)?;
        iis.iter().try_for_each(|(server, log)| whole(&logs.join(format!("{server}.log")), log))
    }

    /// Writes the files that say what the verdicts are, into a folder that is there.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write_verdicts(&self, folder: &Path) -> io::Result<()> {
        let Published { suite, facts, roles, why, verdicts, evidence } = *self;
        whole(&folder.join("report.json"), &report::json::report(facts, verdicts, evidence))?;
        whole(&folder.join("junit.xml"), &report::junit::report(facts, verdicts))?;
        whole(&folder.join("summary.md"), &report::github::summary(facts, verdicts, evidence))?;
        let page = Page {
            run: facts,
            roles,
            why,
            verdicts,
            cases: &suite.cases,
            rules: &suite.rules,
            evidence,
            nonce: &nonce(),
        };
        whole(&folder.join("report.html"), &report::html::page(&page))
    }

    /// Tells GitHub's pages, where the run is a step of a workflow there (GitHub Docs, "Default environment variables").
    ///
    /// # Errors
    /// A summary that cannot be added to.
    pub fn tell_github(&self) -> io::Result<()> {
        if std::env::var("GITHUB_ACTIONS").as_deref() != Ok("true") {
            return Ok(());
        }
        let file = |case: &CaseId| in_the_checkout(&self.suite.file_of(case));
        print!("{}", report::github::annotations(self.verdicts, file));
        match std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
            Some(path) => {
                let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
                let summary = report::github::summary(self.facts, self.verdicts, self.evidence);
                file.write_all(summary.as_bytes())
            }
            None => Ok(()),
        }
    }
}

/// A case's file as an annotation names it: relative to the checkout; none where it lies elsewhere.
fn in_the_checkout(file: &Path) -> Option<String> {
    let checkout = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
    let checkout = checkout.or_else(|| std::env::current_dir().ok())?.canonicalize().ok()?;
    let file = file.canonicalize().ok()?;
    Some(file.strip_prefix(checkout).ok()?.to_str()?.to_owned())
}

/// A word for the page's own script. No subject could have known it: it is drawn when all of them have ended.
fn nonce() -> String {
    use std::hash::{BuildHasher, Hasher};
    let drawn = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", drawn(), drawn())
}

/// A file is whole or not there: written beside, then put in place.
pub(crate) fn whole(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("part");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

/// The roles that were played, in the order of the verdicts' labs.
pub fn roles(came: &Came) -> Vec<Role> {
    let mut roles: Vec<Role> = came.traces.values().map(|trace| trace.topology.role).collect();
    roles.sort();
    roles.dedup();
    roles
}

#[cfg(test)]
mod tests {
    use model::verdict::{Counts, Selection};

    use super::*;

    /// Whatever a case can expect holds the published shape, and is read again as it was.
    #[test]
    fn every_expectation_of_the_suite_is_read_as_it_is_written() {
        let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let verdicts: Vec<Verdict> = suite
            .cases
            .iter()
            .map(|case| Verdict {
                expected: case.steps.iter().flat_map(|step| step.then.clone()).collect(),
                ..crate::play::unplayed(case, "not played".to_owned(), String::new())
            })
            .collect();
        let facts = RunFacts {
            tree: suite.tree.clone(),
            seed: "7f21".to_owned(),
            subject: vec![],
            topologies: vec![],
            host: "in-process".to_owned(),
            ground: "mapped".to_owned(),
            counts: Counts::of(verdicts.len(), &verdicts),
            arrivals: 0,
            unclaimed: 0,
            remarks: vec![],
            took: Default::default(),
            exit: 4,
            shard: Some("2/3".parse().unwrap()),
            selection: Selection {
                cases: vec!["*".to_owned()],
                rules: vec!["CX-OWA-2".parse().unwrap()],
                topologies: vec!["coexistence".to_owned()],
                view: Some(model::View::Internal),
                failed: Some(vec!["coexistence/owa/red".to_owned()]),
                repeat: 2,
                level: model::rule::Level::Result,
                references: false,
            },
            ended: Default::default(),
        };
        let text = report::json::report(&facts, &verdicts, &BTreeMap::new());
        let read = report::json::read(&text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report::json::report(&read.run, &read.verdicts, &BTreeMap::new()), text);
        for (read, written) in read.verdicts.iter().zip(&verdicts) {
            assert_eq!(read.expected, written.expected, "{}", written.id);
        }
    }

    #[test]
    fn a_case_outside_the_checkout_has_no_place_in_it() {
        assert_eq!(in_the_checkout(Path::new("/no/such/file.toml")), None);
        assert_eq!(in_the_checkout(&std::env::temp_dir()), None);
    }
}

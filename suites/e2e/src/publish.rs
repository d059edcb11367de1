//! What a run leaves for others: the files of `--report`, and what GitHub's pages show.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::Role;
use model::verdict::RunFacts;
use report::html::Page;

use crate::run::Came;
use crate::suite::Suite;

/// Writes the report's files into a folder. `why` says in a sentence how the run ended, where the verdicts do not.
///
/// # Errors
/// A folder or file that cannot be written.
pub fn write(
    folder: &Path,
    suite: &Suite,
    facts: &RunFacts,
    (roles, why): (&[Role], Option<&str>),
    came: &Came,
) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    whole(&folder.join("report.json"), &report::json::report(facts, &came.verdicts, &came.evidence))?;
    whole(&folder.join("junit.xml"), &report::junit::report(facts, &came.verdicts))?;
    whole(&folder.join("summary.md"), &summary(facts, came))?;
    let page = Page {
        run: facts,
        roles,
        why,
        verdicts: &came.verdicts,
        cases: &suite.cases,
        rules: &suite.rules,
        evidence: &came.evidence,
        nonce: &nonce(),
    };
    whole(&folder.join("report.html"), &report::html::page(&page))?;
    let lines: String = came.ledger.iter().map(|line| format!("{line}\n")).collect();
    whole(&folder.join("ledger.jsonl"), &lines)?;
    let logs = folder.join("iis");
    std::fs::create_dir_all(&logs)?;
    came.iis.iter().try_for_each(|(server, log)| whole(&logs.join(format!("{server}.log")), log))
}

/// Tells GitHub's pages, where the run is a step of a workflow there (GitHub Docs, "Default environment variables").
///
/// # Errors
/// A summary that cannot be added to.
pub fn tell_github(suite: &Suite, facts: &RunFacts, came: &Came) -> io::Result<()> {
    if std::env::var("GITHUB_ACTIONS").as_deref() != Ok("true") {
        return Ok(());
    }
    print!("{}", report::github::annotations(&came.verdicts, |case| in_the_checkout(&suite.file_of(case))));
    match std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        Some(path) => {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
            file.write_all(summary(facts, came).as_bytes())
        }
        None => Ok(()),
    }
}

fn summary(facts: &RunFacts, came: &Came) -> String {
    report::github::summary(facts, &came.verdicts, &came.evidence)
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
fn whole(path: &Path, text: &str) -> io::Result<()> {
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
    use super::*;

    #[test]
    fn a_case_outside_the_checkout_has_no_place_in_it() {
        assert_eq!(in_the_checkout(Path::new("/no/such/file.toml")), None);
        assert_eq!(in_the_checkout(&std::env::temp_dir()), None);
    }
}

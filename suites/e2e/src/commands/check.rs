//! `coexist check`: what is wrong or doubtful in topologies, cases and subjects, before any traffic.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::case::{Case, FindingLevel};
use model::problem::{Problem, Source};
use model::subject::Subject;
use model::topology::{Origin, TopologyFiles};
use model::{CaseId, Topology};

use super::say;
use crate::exit::Exit;
use crate::findings::{self, Finding};
use crate::suite::{Suite, SuiteError};

mod case;
mod subject;

pub(super) fn check(root: &Path, files: &[String]) -> Exit {
    inner(root, files).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, files: &[String]) -> Result<Exit, Exit> {
    let files = &within(files)?;
    let around = Around { root, suite: OnceCell::new() };
    let read = read_all(&around, files)?;
    let mut found = vec![];
    for (file, one) in &read {
        let suite = one.needs_the_suite().then(|| around.suite()).transpose();
        for finding in one.findings(suite.map_err(|error| say::suite_error(&error))?)? {
            let place = one.place(&finding.at).unwrap_or_else(|| file.clone());
            let label = if one.lists(&finding) { "listed" } else { finding.level.as_str() };
            println!("{}", finding.line(label, &place, one.origins()));
            found.push((label, finding));
        }
    }
    let of = |level: FindingLevel| found.iter().filter(|(label, _)| *label == level.as_str()).count();
    let (errors, warnings) = (of(FindingLevel::Error), of(FindingLevel::Warning));
    println!(
        "{}, {}, {}",
        counted(files.len(), "file"),
        counted(errors, "error"),
        counted(warnings, "warning")
    );
    Ok(if errors == 0 { Exit::AsExpected } else { Exit::NotAsExpected })
}

/// The suite that files are looked at in: read when the first of them needs it.
struct Around<'r> {
    root: &'r Path,
    suite: OnceCell<Suite>,
}

impl Around<'_> {
    fn suite(&self) -> Result<&Suite, SuiteError> {
        match self.suite.get() {
            Some(suite) => Ok(suite),
            None => Suite::read(self.root).map(|suite| self.suite.get_or_init(|| suite)),
        }
    }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The files that are named, and those of the folders that are.
fn within(named: &[String]) -> Result<Vec<String>, Exit> {
    let mut files = vec![];
    for name in named {
        if !Path::new(name).is_dir() {
            files.push(name.clone());
            continue;
        }
        let entries = std::fs::read_dir(name).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let entries = entries.map_err(|error| {
            say::error(format!("{name}: {error}"));
            Exit::BadInput
        })?;
        let mut below: Vec<String> = entries
            .iter()
            .map(|entry| entry.path().display().to_string())
            .filter(|path| path.ends_with(".toml"))
            .collect();
        if below.is_empty() {
            say::error(format!(
                "{name}: there is no .toml file in it; a right one: suites/topologies/findings"
            ));
            return Err(Exit::BadInput);
        }
        below.sort();
        files.append(&mut below);
    }
    Ok(files)
}

/// One thing that was read without a problem.
enum Read {
    /// With the files that it is written in.
    Topology(Box<Topology>, Box<TopologyFiles>),
    Case(Box<Case>),
    /// A topology with the list of its findings.
    Listed(Box<Case>, Box<Topology>, Box<TopologyFiles>),
    /// With the folder that its paths are relative to.
    Subject(Box<Subject>, PathBuf),
}

impl Read {
    fn needs_the_suite(&self) -> bool {
        matches!(self, Read::Case(_) | Read::Subject(..))
    }

    fn findings(&self, suite: Option<&Suite>) -> Result<Vec<Finding>, Exit> {
        Ok(match (self, suite) {
            (Read::Topology(topology, _), _) => findings::of(topology),
            (Read::Listed(case, topology, _), _) => {
                let found = findings::of(topology);
                let finds = case.finds.iter();
                let wrong = finds.flat_map(|finds| findings::differences(finds, &found));
                let wrong: Vec<Finding> = wrong.map(|says| Finding::error("-", "finding", says)).collect();
                found.into_iter().filter(|finding| self.lists(finding)).chain(wrong).collect()
            }
            (Read::Case(case), Some(suite)) => {
                let topology = suite.topology_of(case).map_err(|error| say::suite_error(&error))?;
                case::findings(case, &topology, &suite.rules)
            }
            (Read::Subject(subject, folder), Some(suite)) => {
                subject::findings(subject, folder, &subject::Known::of(suite)?, &crate::clock::today())
            }
            (Read::Case(_) | Read::Subject(..), None) => vec![],
        })
    }

    /// Whether its file has this finding in its list: then it is as it must be.
    fn lists(&self, finding: &Finding) -> bool {
        let Read::Listed(case, ..) = self else { return false };
        case.finds.iter().flat_map(|finds| &finds.list).any(|listed| finding.is(listed))
    }

    /// What administrators call what was imported.
    fn origins(&self) -> &BTreeMap<String, Origin> {
        static NONE: BTreeMap<String, Origin> = BTreeMap::new();
        match self {
            Read::Topology(topology, _) | Read::Listed(_, topology, _) => &topology.origins,
            Read::Case(_) | Read::Subject(..) => &NONE,
        }
    }

    /// Where what a finding names is written.
    fn place(&self, at: &str) -> Option<String> {
        match self {
            Read::Topology(_, files) | Read::Listed(_, _, files) => files.place(at),
            Read::Case(_) | Read::Subject(..) => None,
        }
    }
}

/// Reads everything that is named; says every problem before it gives up.
fn read_all(around: &Around<'_>, files: &[String]) -> Result<Vec<(String, Read)>, Exit> {
    let mut read = vec![];
    let mut problems = vec![];
    let mut unreadable = false;
    for file in files {
        match read_one(around, file) {
            Ok(found) => read.extend(found),
            Err(SuiteError::Wrong(wrong)) => problems.extend(wrong),
            Err(error) => {
                say::error(error);
                unreadable = true;
            }
        }
    }
    if !problems.is_empty() {
        return Err(say::suite_error(&SuiteError::Wrong(problems)));
    }
    if unreadable { Err(Exit::BadInput) } else { Ok(read) }
}

/// A file, or the name of a topology. An overlay is checked over every base that it is made for.
fn read_one(around: &Around<'_>, file: &str) -> Result<Vec<(String, Read)>, SuiteError> {
    let one = |read| vec![(file.to_owned(), read)];
    if !file.ends_with(".toml") {
        let files = around.suite()?.topology_files(file)?;
        return Ok(one(built(files)?));
    }
    let source = source(Path::new(file))?;
    if let Some(id) = case_id(file) {
        let id: CaseId = id.parse().map_err(|error| wrong(source.problem(None, format!("{error}"), None)))?;
        let made = Case::read_each(&id, &source).map_err(wrong)?.into_iter();
        return Ok(made.map(|(case, _)| (file.to_owned(), Read::Case(Box::new(case)))).collect());
    }
    if file.contains("topologies/findings/") {
        let case = Case::read_findings(&source).map_err(wrong)?;
        let files = around.suite()?.topology_files(&case.topology_name())?;
        let topology = files.build(&case.given.settings).map_err(wrong)?;
        let files = Box::new(files.with_settings_of(source));
        return Ok(one(Read::Listed(Box::new(case), Box::new(topology), files)));
    }
    let table: toml::Table = source.read("compare with suites/topologies/coexistence.toml").map_err(wrong)?;
    if table.contains_key("run") || table.contains_key("contract") {
        let folder = Path::new(file).parent().map(Path::to_path_buf).unwrap_or_default();
        return Ok(one(Read::Subject(Box::new(Subject::read(&source).map_err(wrong)?), folder)));
    }
    if let Some(bases) = table.get("applies-to").and_then(toml::Value::as_array) {
        let variant = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".toml");
        let mut read = vec![];
        for base in bases.iter().filter_map(toml::Value::as_str) {
            let under = self::source(&around.root.join("topologies").join(format!("{base}.toml")))?;
            let files = TopologyFiles::base(under).with_overlay(variant, source.clone()).map_err(wrong)?;
            read.push((format!("{base}{variant}"), built(files)?));
        }
        return Ok(read);
    }
    Ok(one(built(TopologyFiles::base(source))?))
}

fn built(files: TopologyFiles) -> Result<Read, SuiteError> {
    let topology = files.build(&Default::default()).map_err(wrong)?;
    Ok(Read::Topology(Box::new(topology), Box::new(files)))
}

/// The id of a case file, from its path below `cases/`.
fn case_id(file: &str) -> Option<&str> {
    let below = if file.starts_with("cases/") { 0 } else { file.rfind("/cases/")? + 1 };
    Some(file[below..].trim_start_matches("cases/").trim_end_matches(".toml"))
}

fn source(path: &Path) -> Result<Source, SuiteError> {
    let text = crate::suite::read_text(path)
        .map_err(|error| SuiteError::Unreadable { path: path.to_owned(), error })?;
    Ok(Source::new(path.display().to_string(), text))
}

fn wrong(problem: Problem) -> SuiteError {
    SuiteError::Wrong(vec![problem])
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn suites() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// The suite of this tree, read once for all tests.
    pub(super) fn suite() -> &'static Suite {
        static SUITE: LazyLock<Suite> = LazyLock::new(|| Suite::read(&suites()).expect("it is right"));
        &SUITE
    }

    #[test]
    fn the_suites_own_files_have_no_errors() {
        let root = suites();
        let suite = suite();
        let (bases, variants) = suite.topologies();
        let mut names: Vec<String> = bases.iter().map(|base| (*base).to_owned()).collect();
        for variant in variants {
            names.push(root.join("topologies").join(format!("{variant}.toml")).display().to_string());
        }
        for subject in suite.subjects() {
            names.push(root.join("subjects").join(format!("{subject}.toml")).display().to_string());
        }
        let around = Around { root: &root, suite: OnceCell::new() };
        let read = read_all(&around, &names).unwrap_or_else(|exit| panic!("{exit:?}"));
        assert!(read.len() > names.len(), "an overlay is checked over every base that it is made for");
        for (place, one) in read {
            let found = one.findings(Some(suite)).unwrap();
            assert!(found.is_empty(), "{place}: {found:#?}");
        }
    }

    #[test]
    fn a_case_is_known_by_its_path() {
        assert_eq!(case_id("suites/cases/coexistence/owa/red.toml"), Some("coexistence/owa/red"));
        assert_eq!(case_id("cases/pre-e15/eas/red.toml"), Some("pre-e15/eas/red"));
        assert_eq!(case_id("suites/topologies/coexistence.toml"), None);
    }

    #[test]
    fn what_cannot_be_read_is_bad_input() {
        let folder = std::env::temp_dir().join(format!("coexist-check-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("broken.toml");
        std::fs::write(&file, "source = \"a test\"\nrole = \"front-end-2012\"\n").unwrap();
        let broken = check(&suites(), &[file.display().to_string()]);
        let missing =
            check(&suites(), &["nothing-like-this.toml".to_owned(), "nothing-like-this".to_owned()]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((broken, missing), (Exit::BadInput, Exit::BadInput));
    }
}

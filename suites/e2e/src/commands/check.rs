//! `coexist check`: what is wrong or doubtful in topologies, cases and subjects, before any traffic.

use std::path::{Path, PathBuf};

use model::case::Case;
use model::problem::{Problem, Source};
use model::subject::Subject;
use model::topology::TopologyFiles;
use model::{CaseId, Topology};

use super::say;
use crate::exit::Exit;
use crate::suite::{Suite, SuiteError};
use findings::{Finding, Level};

mod case;
mod findings;
mod subject;
mod topology;

pub(super) fn check(root: &Path, files: &[String]) -> Exit {
    inner(root, files).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, files: &[String]) -> Result<Exit, Exit> {
    let read = read_all(root, files)?;
    let mut lines = vec![];
    for (place, one) in &read {
        lines.extend(one.findings(root)?.into_iter().map(|finding| (place, finding)));
    }
    let of = |level| lines.iter().filter(|(_, finding)| finding.level == level).count();
    let (errors, warnings) = (of(Level::Error), of(Level::Warning));
    for (place, finding) in &lines {
        println!("{}", finding.line(place));
    }
    println!(
        "{}, {}, {}",
        counted(files.len(), "file"),
        counted(errors, "error"),
        counted(warnings, "warning")
    );
    Ok(if errors == 0 { Exit::AsExpected } else { Exit::NotAsExpected })
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// One thing that was read without a problem.
enum Read {
    Topology(Box<Topology>),
    Case(Box<Case>),
    /// With the folder that its paths are relative to.
    Subject(Box<Subject>, PathBuf),
}

impl Read {
    fn findings(&self, root: &Path) -> Result<Vec<Finding>, Exit> {
        Ok(match self {
            Read::Topology(topology) => topology::findings(topology),
            Read::Case(case) => {
                let suite = say::suite(root)?;
                let topology = suite.topology_of(case).map_err(|error| say::suite_error(&error))?;
                case::findings(case, &topology, &suite.rules)
            }
            Read::Subject(subject, folder) => {
                let suite = say::suite(root)?;
                subject::findings(subject, folder, &subject::Known::of(&suite)?, &crate::clock::today())
            }
        })
    }
}

/// Reads everything that is named; says every problem before it gives up.
fn read_all(root: &Path, files: &[String]) -> Result<Vec<(String, Read)>, Exit> {
    let mut read = vec![];
    let mut problems = vec![];
    let mut unreadable = false;
    for file in files {
        match read_one(root, file) {
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
fn read_one(root: &Path, file: &str) -> Result<Vec<(String, Read)>, SuiteError> {
    let one = |read| vec![(file.to_owned(), read)];
    if !file.ends_with(".toml") {
        let topology = Suite::read(root)?.topology(file, &Default::default())?;
        return Ok(one(Read::Topology(Box::new(topology))));
    }
    let source = source(Path::new(file))?;
    if let Some(id) = case_id(file) {
        let id: CaseId = id.parse().map_err(|error| wrong(source.problem(None, format!("{error}"), None)))?;
        let made = Case::read_each(&id, &source).map_err(wrong)?.into_iter();
        return Ok(made.map(|(case, _)| (file.to_owned(), Read::Case(Box::new(case)))).collect());
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
            let under = self::source(&root.join("topologies").join(format!("{base}.toml")))?;
            let built = TopologyFiles::base(under)
                .with_overlay(variant, source.clone())
                .and_then(|files| files.build(&Default::default()))
                .map_err(wrong)?;
            read.push((built.name.clone(), Read::Topology(Box::new(built))));
        }
        return Ok(read);
    }
    let topology = TopologyFiles::base(source).build(&Default::default()).map_err(wrong)?;
    Ok(one(Read::Topology(Box::new(topology))))
}

/// The id of a case file, from its path below `cases/`.
fn case_id(file: &str) -> Option<&str> {
    let below = if file.starts_with("cases/") { 0 } else { file.rfind("/cases/")? + 1 };
    Some(file[below..].trim_start_matches("cases/").trim_end_matches(".toml"))
}

fn source(path: &Path) -> Result<Source, SuiteError> {
    let text = std::fs::read_to_string(path)
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
        let read = read_all(&root, &names).unwrap_or_else(|exit| panic!("{exit:?}"));
        assert!(read.len() > names.len(), "an overlay is checked over every base that it is made for");
        for (place, one) in read {
            let found = one.findings(&root).unwrap();
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

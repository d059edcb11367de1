//! The suite as files: rules, topologies with their overlays, cases, subjects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::case::Case;
use model::problem::{Problem, Source};
use model::rule::{Rule, read_rules};
use model::subject::Subject;
use model::topology::{Setting, TopologyFiles};
use model::{CaseId, Role, Topology};

use crate::lab_fault::LabFault;

mod named;

/// Where the suite's files are, and what was read of them.
#[derive(Clone)]
pub struct Suite {
    root: PathBuf,
    /// The rule book's index.
    pub rules: Vec<Rule>,
    /// Every case, by id.
    pub cases: Vec<Arc<Case>>,
    /// The base topologies by name.
    bases: BTreeMap<String, Source>,
    /// The overlays by variant, `+pairs`.
    overlays: BTreeMap<String, Source>,
    /// A hash over every file, eight hexadecimal digits.
    pub tree: String,
    /// The fewest cases that a run without filters must hold.
    pub floor: usize,
    /// What is wrong about every lab of this suite.
    pub(crate) lab_fault: Option<&'static LabFault>,
    /// The topologies that its cases play in, by [`key`].
    built: BTreeMap<String, Arc<Topology>>,
}

/// Why a suite could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A folder or file of the suite that is not there, or not readable.
    #[error(
        "{path}: {error}; a suite is a folder with rules.toml, topologies, cases and subjects (--suites DIR)"
    )]
    NoSuite {
        /// What was looked for.
        path: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// A file of the user's that is not there, or not readable.
    #[error("{path}: {error}")]
    Unreadable {
        /// What was looked for.
        path: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// Wrong files, each problem with its place.
    #[error("{} to be mended before anything can run", problems(.0.len()))]
    Wrong(Vec<Problem>),
    /// A name that nothing has.
    #[error("{0}")]
    Unknown(String),
}

/// The text of a file.
///
/// # Errors
/// What the operating system says, or that it is no UTF-8 and what to do.
pub(crate) fn read_text(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => {
            std::io::Error::new(error.kind(), "it is not UTF-8, as a TOML file is: save it anew as UTF-8")
        }
        _ => error,
    })
}

impl Suite {
    /// Reads the suite below a folder.
    ///
    /// # Errors
    /// What is missing, and every file that is wrong.
    pub fn read(root: &Path) -> Result<Suite, SuiteError> {
        let mut problems = vec![];
        let mut texts = vec![];
        let rules_source = source(root, "rules.toml")?;
        texts.push(rules_source.text.clone());
        let rules = read_rules(&rules_source).unwrap_or_else(|problem| {
            problems.push(problem);
            vec![]
        });
        let (mut bases, mut overlays) = (BTreeMap::new(), BTreeMap::new());
        for path in toml_files(root, "topologies", false)? {
            let read = source(root, &path)?;
            texts.push(read.text.clone());
            let name = path.trim_start_matches("topologies/").trim_end_matches(".toml").to_owned();
            match name.starts_with('+') {
                true => overlays.insert(name, read),
                false => bases.insert(name, read),
            };
        }
        let mut cases = vec![];
        let mut case_files = BTreeMap::new();
        for path in toml_files(root, "cases", true)? {
            let read = source(root, &path)?;
            texts.push(read.text.clone());
            let id = path.trim_start_matches("cases/").trim_end_matches(".toml").to_owned();
            let parsed = id
                .parse::<CaseId>()
                .map_err(|error| read.problem(None, error.to_string(), None))
                .and_then(|id| Case::read_each(&id, &read));
            match parsed {
                Ok(made) => {
                    for (case, file) in made {
                        case_files.insert(case.id.clone(), file);
                        cases.push(Arc::new(case));
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        // A suite of cases alone has none.
        let listed = match root.join("topologies/findings").is_dir() {
            true => toml_files(root, "topologies/findings", false)?,
            false => vec![],
        };
        for path in listed {
            let read = source(root, &path)?;
            texts.push(read.text.clone());
            match Case::read_findings(&read) {
                Ok(case) => {
                    case_files.insert(case.id.clone(), read);
                    cases.push(Arc::new(case));
                }
                Err(problem) => problems.push(problem),
            }
        }
        let floor_source = source(root, "floor")?;
        let floor = floor_source.text.trim().parse().unwrap_or_else(|_| {
            let help = Some("the fewest cases of a whole run: 150".to_owned());
            problems.push(floor_source.problem(None, "this is no number of cases", help));
            0
        });
        let mut suite = Suite {
            root: root.to_owned(),
            rules,
            cases,
            bases,
            overlays,
            tree: hash(&texts),
            floor,
            lab_fault: None,
            built: BTreeMap::new(),
        };
        problems.extend(suite.build(&case_files));
        problems.extend(suite.cross_checked(&case_files));
        match problems.is_empty() {
            true => Ok(suite),
            false => Err(SuiteError::Wrong(problems)),
        }
    }

    /// The file of a case.
    pub fn file_of(&self, case: &CaseId) -> PathBuf {
        if let Some(path) = self.path_of(case) {
            return PathBuf::from(path);
        }
        let is_looked_at = |known: &&Arc<Case>| known.id == *case && known.finds.is_some();
        if let (true, Some(name)) =
            (self.cases.iter().any(|known| is_looked_at(&known)), case.as_str().rsplit('/').next())
        {
            return self.root.join("topologies/findings").join(format!("{name}.toml"));
        }
        // A file that makes several cases is what stands before the bracket of `imap/red[tls]`.
        let file = case.as_str().split('[').next().unwrap_or_default();
        self.root.join("cases").join(format!("{file}.toml"))
    }

    /// The file of a case's topology, where the case names that by its path.
    pub(crate) fn path_of(&self, case: &CaseId) -> Option<&str> {
        let case = self.cases.iter().find(|known| known.id == *case)?;
        case.topology.ends_with(".toml").then_some(&case.topology)
    }

    /// Builds what the cases play in; what is wrong is said once, not for every case that plays in it.
    fn build(&mut self, files: &BTreeMap<CaseId, Source>) -> Vec<Problem> {
        let mut problems: Vec<Problem> = vec![];
        for case in &self.cases {
            let key = key(case);
            if self.built.contains_key(&key) {
                continue;
            }
            match self.topology_of(case) {
                Ok(topology) => drop(self.built.insert(key, topology)),
                Err(error) => {
                    let wrong = self.misplaced(case, &files[&case.id], error);
                    problems.extend(wrong.into_iter().filter(|p| !problems.contains(p)).collect::<Vec<_>>());
                }
            }
        }
        problems
    }

    /// Names that one file uses and another must have.
    fn cross_checked(&self, files: &BTreeMap<CaseId, Source>) -> Vec<Problem> {
        let built = self.cases.iter().filter_map(|case| Some((case, self.built.get(&key(case))?)));
        built
            .flat_map(|(case, topology)| named::wrong(case, &files[&case.id], topology, &self.rules))
            .collect()
    }

    /// The problems of a case's topology, each at what is to blame: what the case sets, the variants that it names, or the
    /// topology's own files.
    fn misplaced(&self, case: &Case, file: &Source, error: SuiteError) -> Vec<Problem> {
        let SuiteError::Wrong(wrong) = error else {
            let place = file.locate(&["given", "variants"]).or_else(|| file.locate(&["topology"]));
            return vec![file.problem(place, error.to_string(), None)];
        };
        let name = case.topology_name();
        if self.topology(&name, &Setting::new()).is_err() {
            return wrong;
        }
        let mut so_far = Setting::new();
        let blamed = case.given.settings.iter().find(|(place, fields)| {
            so_far.insert((*place).clone(), (*fields).clone());
            self.topology(&name, &so_far).is_err()
        });
        let span = blamed.and_then(|(place, _)| {
            file.locate(&["given", "settings", place]).or_else(|| file.locate(&["settings", place]))
        });
        wrong.into_iter().map(|problem| file.problem(span.clone(), problem.message, problem.help)).collect()
    }

    /// The topology of a case: base, variants, settings.
    ///
    /// # Errors
    /// What is unknown or wrong about it.
    pub fn topology_of(&self, case: &Case) -> Result<Arc<Topology>, SuiteError> {
        match self.built.get(&key(case)) {
            Some(built) => Ok(built.clone()),
            None => self.topology(&case.topology_name(), &case.given.settings).map(Arc::new),
        }
    }

    /// The same suite with more cases, all of a topology that is named by its path.
    pub(crate) fn with_cases(mut self, path: &str, topology: Topology, cases: Vec<Arc<Case>>) -> Suite {
        self.built.insert(format!("{path} {:?}", Setting::new()), Arc::new(topology));
        self.cases.extend(cases);
        self
    }

    /// The same suite, in labs of which something is wrong: to see that its cases can fail.
    pub fn with(&self, fault: &'static LabFault) -> Suite {
        Suite { lab_fault: Some(fault), ..self.clone() }
    }

    /// A case's topology as its lab is given it.
    ///
    /// # Errors
    /// As [`Suite::topology_of`].
    pub fn handed_over(&self, case: &Case) -> Result<Topology, SuiteError> {
        let topology = self.topology_of(case)?;
        Ok(match self.lab_fault {
            Some(fault) => fault.spoiled(Arc::unwrap_or_clone(topology)),
            None => Arc::unwrap_or_clone(topology),
        })
    }

    /// A topology by name, `coexistence+pairs`, or by path.
    ///
    /// # Errors
    /// What is unknown or wrong about it.
    pub fn topology(&self, name: &str, settings: &Setting) -> Result<Topology, SuiteError> {
        self.topology_files(name)?.build(settings).map_err(|problem| SuiteError::Wrong(vec![problem]))
    }

    /// The files of a topology, by name or by path.
    ///
    /// # Errors
    /// What is unknown or unreadable.
    pub fn topology_files(&self, name: &str) -> Result<TopologyFiles, SuiteError> {
        if name.ends_with(".toml") {
            let text = read_text(Path::new(name))
                .map_err(|error| SuiteError::Unreadable { path: name.into(), error })?;
            return Ok(TopologyFiles::base(Source::new(name, text)));
        }
        let mut parts = name.split('+');
        let base = parts.next().unwrap_or_default();
        let source = self.bases.get(base).ok_or_else(|| {
            let known: Vec<&str> = self.bases.keys().map(String::as_str).collect();
            SuiteError::Unknown(format!("no topology is called `{base}`; there are: {}", known.join(", ")))
        })?;
        let mut files = TopologyFiles::base(source.clone());
        for variant in parts {
            let variant = format!("+{variant}");
            let overlay = self.overlays.get(&variant).ok_or_else(|| {
                let known: Vec<&str> = self.overlays.keys().map(String::as_str).collect();
                SuiteError::Unknown(format!(
                    "no variant is called `{variant}`; there are: {}",
                    known.join(", ")
                ))
            })?;
            let laid_over = files.with_overlay(&variant, overlay.clone());
            files = laid_over.map_err(|problem| SuiteError::Wrong(vec![problem]))?;
        }
        Ok(files)
    }

    /// The base topologies, and the variants.
    pub fn topologies(&self) -> (Vec<&str>, Vec<&str>) {
        (self.bases.keys().map(String::as_str).collect(), self.overlays.keys().map(String::as_str).collect())
    }

    /// The file of a subject by name or by path.
    pub(crate) fn subject_file(&self, name: &str) -> PathBuf {
        match name.ends_with(".toml") || name.contains('/') {
            true => PathBuf::from(name),
            false => self.root.join("subjects").join(format!("{name}.toml")),
        }
    }

    /// The folder that it was read from.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A subject by name or by path, with the folder that its paths are relative to.
    ///
    /// # Errors
    /// A name that no file has, or what is wrong in the file.
    pub fn subject(&self, name: &str) -> Result<(Subject, PathBuf), SuiteError> {
        let path = self.subject_file(name);
        let text = read_text(&path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound && !name.contains('/') {
                let known = self.subjects().join(", ");
                return SuiteError::Unknown(format!("no subject is called `{name}`; there are: {known}"));
            }
            SuiteError::Unreadable { path: path.clone(), error }
        })?;
        let wrong = |problem| SuiteError::Wrong(vec![problem]);
        let source = Source::new(path.display().to_string(), text);
        let subject = Subject::read(&source).map_err(wrong)?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        // A path with a variable in it is known only when a lab is.
        let fixed = |from: &str| !from.contains('{');
        for (number, template) in (0..).zip(&subject.run.files) {
            if fixed(&template.from) && !folder.join(&template.from).is_file() {
                let span = source.locate(&["run", "files", &u32::to_string(&number), "from"]);
                let message = format!("there is no template {}", folder.join(&template.from).display());
                let help = "a template is beside the subject file: from = \"my-proxy.json.jinja\"".to_owned();
                return Err(wrong(source.problem(span, message, Some(help))));
            }
        }
        Ok((subject, folder))
    }

    /// The reference's own subject file for a role.
    pub fn reference_for(role: Role) -> &'static str {
        match role {
            Role::FrontEnd2013 => "reference-2013",
            Role::FrontEnd2010 => "reference-2010",
            Role::Edge => "reference-edge",
        }
    }

    /// The names of the subject files.
    pub fn subjects(&self) -> Vec<String> {
        let files = toml_files(&self.root, "subjects", false).unwrap_or_default();
        files
            .iter()
            .map(|path| path.trim_start_matches("subjects/").trim_end_matches(".toml").to_owned())
            .collect()
    }
}

/// What the topology of a case is made from.
fn key(case: &Case) -> String {
    format!("{} {:?}", case.topology_name(), case.given.settings)
}

/// Where the suite is: what was asked for, what xtask says, or `suites` here.
pub fn root(asked: Option<&Path>) -> PathBuf {
    match (asked, std::env::var_os("COEXIST_SUITES")) {
        (Some(asked), _) => asked.to_owned(),
        (None, Some(tree)) => PathBuf::from(tree),
        (None, None) => PathBuf::from("suites"),
    }
}

fn source(root: &Path, path: &str) -> Result<Source, SuiteError> {
    let whole = root.join(path);
    let text = read_text(&whole).map_err(|error| SuiteError::NoSuite { path: whole.clone(), error })?;
    Ok(Source::new(whole.display().to_string(), text))
}

/// The `.toml` files below a folder of the suite, in order, as paths relative to the root.
fn toml_files(root: &Path, folder: &str, deep: bool) -> Result<Vec<String>, SuiteError> {
    let mut found = vec![];
    let whole = root.join(folder);
    let entries =
        std::fs::read_dir(&whole).map_err(|error| SuiteError::NoSuite { path: whole.clone(), error })?;
    for entry in entries {
        let entry = entry.map_err(|error| SuiteError::NoSuite { path: whole.clone(), error })?;
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            if deep {
                found.extend(toml_files(root, &name, deep)?);
            }
        } else if name.ends_with(".toml") {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

fn hash(texts: &[String]) -> String {
    let bytes = texts.iter().flat_map(|text| text.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:08x}", (hash >> 32) as u32 ^ hash as u32)
}

fn problems(count: usize) -> String {
    format!("{count} problem{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_file() {
        let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        for case in &suite.cases {
            let file = suite.file_of(&case.id);
            assert!(file.is_file(), "{}: {}", case.id, file.display());
        }
    }
}

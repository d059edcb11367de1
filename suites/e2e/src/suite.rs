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

/// Where the suite's files are, and what was read of them.
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
}

/// Why a suite could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A folder or file that is not there, or not readable.
    #[error(
        "{path}: {error}; a suite is a folder with rules.toml, topologies, cases and subjects (--suites DIR)"
    )]
    Unreadable {
        /// What was looked for.
        path: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// Wrong files, each with its place.
    #[error("{} of the suite's files are wrong", .0.len())]
    Wrong(Vec<Problem>),
    /// A name that nothing has.
    #[error("{0}")]
    Unknown(String),
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
        for path in toml_files(root, "cases", true)? {
            let read = source(root, &path)?;
            texts.push(read.text.clone());
            let id = path.trim_start_matches("cases/").trim_end_matches(".toml").to_owned();
            let parsed = id
                .parse::<CaseId>()
                .map_err(|error| read.problem(None, error.to_string(), None))
                .and_then(|id| Case::read(id, &read));
            match parsed {
                Ok(case) => cases.push(Arc::new(case)),
                Err(problem) => problems.push(problem),
            }
        }
        let floor = source(root, "floor")?.text.trim().parse().unwrap_or(usize::MAX);
        let suite = Suite { root: root.to_owned(), rules, cases, bases, overlays, tree: hash(&texts), floor };
        problems.extend(suite.cross_checked());
        match problems.is_empty() {
            true => Ok(suite),
            false => Err(SuiteError::Wrong(problems)),
        }
    }

    /// Names that one file uses and another must have.
    fn cross_checked(&self) -> Vec<Problem> {
        let mut problems = vec![];
        let mut built: BTreeMap<String, Topology> = BTreeMap::new();
        for case in &self.cases {
            let file = Source::new(format!("cases/{}.toml", case.id), "");
            if let Some(rule) =
                case.rules.iter().find(|rule| !self.rules.iter().any(|known| known.id == **rule))
            {
                let help = "rules.toml lists them; `coexist list rules` prints them".to_owned();
                problems.push(file.problem(None, format!("there is no rule {rule}"), Some(help)));
            }
            let key = format!("{}{:?}", case.topology_name(), case.given.settings);
            if !built.contains_key(&key) {
                match self.topology_of(case) {
                    Ok(topology) => {
                        built.insert(key.clone(), topology);
                    }
                    Err(SuiteError::Wrong(wrong)) => {
                        problems.extend(wrong);
                        continue;
                    }
                    Err(other) => {
                        problems.push(file.problem(None, other.to_string(), None));
                        continue;
                    }
                }
            }
            let topology = &built[&key];
            for step in &case.steps {
                if !topology.mailboxes.contains_key(&step.when.mailbox) {
                    let names: Vec<&str> = topology.mailboxes.keys().map(|name| name.as_str()).collect();
                    let message = format!("{} has no mailbox `{}`", topology.name, step.when.mailbox);
                    let help = format!("mailbox = one of {}", names.join(", "));
                    problems.push(file.problem(None, message, Some(help)));
                }
                for hop in step.then.iter().flat_map(|leg| &leg.hops) {
                    if let Some(unknown) = hop.at.0.iter().find(|name| !topology.servers.contains_key(*name))
                    {
                        let message = format!("{} has no server `{unknown}`", topology.name);
                        problems.push(file.problem(None, message, None));
                    }
                }
            }
        }
        problems
    }

    /// The topology of a case: base, variants, settings.
    ///
    /// # Errors
    /// What is unknown or wrong about it.
    pub fn topology_of(&self, case: &Case) -> Result<Topology, SuiteError> {
        self.topology(&case.topology_name(), &case.given.settings)
    }

    /// A topology by name, `coexistence+pairs`, or by path.
    ///
    /// # Errors
    /// What is unknown or wrong about it.
    pub fn topology(&self, name: &str, settings: &Setting) -> Result<Topology, SuiteError> {
        let wrong = |problem| SuiteError::Wrong(vec![problem]);
        if name.ends_with(".toml") {
            let text = std::fs::read_to_string(name)
                .map_err(|error| SuiteError::Unreadable { path: name.into(), error })?;
            return TopologyFiles::base(Source::new(name, text)).build(settings).map_err(wrong);
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
            files = files.with_overlay(&variant, overlay.clone()).map_err(wrong)?;
        }
        files.build(settings).map_err(wrong)
    }

    /// The base topologies, and the variants.
    pub fn topologies(&self) -> (Vec<&str>, Vec<&str>) {
        (self.bases.keys().map(String::as_str).collect(), self.overlays.keys().map(String::as_str).collect())
    }

    /// A subject by name or by path, with the folder that its paths are relative to.
    ///
    /// # Errors
    /// A name that no file has, or what is wrong in the file.
    pub fn subject(&self, name: &str) -> Result<(Subject, PathBuf), SuiteError> {
        let path = match name.ends_with(".toml") || name.contains('/') {
            true => PathBuf::from(name),
            false => self.root.join("subjects").join(format!("{name}.toml")),
        };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound && !name.contains('/') {
                let known = self.subjects().join(", ");
                return SuiteError::Unknown(format!("no subject is called `{name}`; there are: {known}"));
            }
            SuiteError::Unreadable { path: path.clone(), error }
        })?;
        let subject = Subject::read(&Source::new(path.display().to_string(), text))
            .map_err(|problem| SuiteError::Wrong(vec![problem]))?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
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
    let text = std::fs::read_to_string(&whole)
        .map_err(|error| SuiteError::Unreadable { path: whole.clone(), error })?;
    Ok(Source::new(whole.display().to_string(), text))
}

/// The `.toml` files below a folder of the suite, in order, as paths relative to the root.
fn toml_files(root: &Path, folder: &str, deep: bool) -> Result<Vec<String>, SuiteError> {
    let mut found = vec![];
    let whole = root.join(folder);
    let entries =
        std::fs::read_dir(&whole).map_err(|error| SuiteError::Unreadable { path: whole.clone(), error })?;
    for entry in entries {
        let entry = entry.map_err(|error| SuiteError::Unreadable { path: whole.clone(), error })?;
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

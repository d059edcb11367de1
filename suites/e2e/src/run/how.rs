//! How a run is to be, and what it is of.

use std::path::PathBuf;
use std::sync::Arc;

use model::subject::Subject;
use model::{Case, CaseId};

use crate::suite::Suite;

/// Where the servers of a run's labs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosting {
    /// In this process.
    InProcess,
    /// Each in a container of the engine beside.
    Docker,
    /// Each a process that came over a network from wherever it is.
    Network,
}

impl Hosting {
    /// What reports call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Hosting::InProcess => "in-process",
            Hosting::Docker => "docker",
            Hosting::Network => "network",
        }
    }
}

/// How a run is to be.
#[derive(Clone)]
pub struct How {
    /// Where its servers are.
    pub hosting: Hosting,
    /// The order's seed.
    pub seed: u64,
    /// Cases at once, over all labs.
    pub jobs: usize,
    /// Labs at once.
    pub labs: usize,
    /// A lab for every case.
    pub isolate: bool,
    /// Whether a subject that has answered nothing in many cases is asked no more.
    pub gives_up: bool,
    /// A folder for what labs write.
    pub folder: PathBuf,
    /// Whether to keep every arrival.
    pub ledger_lines: bool,
    /// The report's folder, where what is not as expected leaves its evidence.
    pub evidence: Option<PathBuf>,
    /// The subject as it was named on the command line; `None` for every role's reference.
    pub subject: Option<String>,
}

impl How {
    /// The command that runs a case again.
    pub(super) fn again(&self, suite: &Suite, case: &CaseId) -> String {
        let topology = suite.path_of(case).map(|path| format!(" --topology {path}")).unwrap_or_default();
        let subject = self.subject.as_ref().map(|name| format!(" --subject {name}")).unwrap_or_default();
        // Whoever has the report has not the network that its servers were on.
        let host = if self.hosting == Hosting::Docker { " --host docker" } else { "" };
        let coexist = crate::called::coexist();
        format!("{coexist} e2e{topology} --case {case} --seed {:04x}{subject}{host}", self.seed)
    }
}

/// A subject and the cases that it is to run.
#[derive(Clone)]
pub struct Work {
    /// The subject, and the folder that its paths are relative to.
    pub subject: (Subject, PathBuf),
    /// The cases.
    pub cases: Vec<Arc<Case>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_run_again_in_containers_where_an_engine_is_beside_and_here_otherwise() {
        let suite = Suite::read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let again = |hosting| {
            let how = How {
                hosting,
                seed: 7,
                jobs: 1,
                labs: 1,
                isolate: false,
                gives_up: true,
                folder: PathBuf::new(),
                ledger_lines: false,
                evidence: None,
                subject: Some("mine.toml".to_owned()),
            };
            how.again(&suite, &"coexistence/owa/red".parse().unwrap())
        };
        let here = "coexist e2e --case coexistence/owa/red --seed 0007 --subject mine.toml";
        assert_eq!(again(Hosting::InProcess), here);
        assert_eq!(again(Hosting::Network), here);
        assert_eq!(again(Hosting::Docker), format!("{here} --host docker"));
        let called = [Hosting::InProcess, Hosting::Docker, Hosting::Network].map(Hosting::as_str);
        assert_eq!(called, ["in-process", "docker", "network"]);
    }
}

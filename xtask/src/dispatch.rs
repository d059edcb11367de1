//! Becoming another program: the binary `coexist`, or the CI script.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::build;

/// Builds `coexist` and becomes it, with the same arguments. It reads the suites of this tree.
pub(crate) fn coexist(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let binary = match wants_containers(arguments) {
        true => build::contained(root)?,
        false => build::coexist(build::cargo(root).arg("build").args(profile(arguments)))?,
    };
    let mut command = Command::new(&binary);
    command.args(arguments).env("COEXIST_SUITES", root.join("suites")).env("COEXIST_CALLED", "cargo xtask");
    become_it(command).with_context(|| format!("{} does not start", binary.display()))
}

/// What is measured is what is released; everything else is built for whoever waits for the build.
fn profile(arguments: &[String]) -> Option<&'static str> {
    arguments.first().is_some_and(|command| command == "bench").then_some("--release")
}

/// Whether the servers are to be containers: the host for that is out of the usual build.
fn wants_containers(arguments: &[String]) -> bool {
    let two = arguments.windows(2).any(|two| two[0] == "--host" && two[1] == "docker");
    two || arguments.iter().any(|word| word == "--host=docker")
}

/// The same steps as the CI system's.
pub(crate) fn ci(root: &Path) -> anyhow::Result<ExitCode> {
    let mut command = Command::new("bash");
    command.arg(".ci/run").current_dir(root);
    become_it(command).context("bash does not start")
}

/// Replaces this process, so that exit codes and signals are the other program's own. Returns only where it cannot.
#[cfg(unix)]
fn become_it(mut command: Command) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

/// Waits for the other program and ends as it ended.
#[cfg(not(unix))]
fn become_it(mut command: Command) -> std::io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_alone_is_optimised() {
        let profile = |line: &str| profile(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(profile("bench scale --rounds 3"), Some("--release"));
        assert_eq!(profile("e2e --case bench"), None);
        assert_eq!(profile("mutants"), None);
    }

    #[test]
    fn containers_are_wanted_in_either_spelling_of_the_option() {
        let wants = |line: &str| wants_containers(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(
            wants("e2e --host docker --case x") && wants("e2e --host=docker") && wants("up --host docker")
        );
        assert!(!wants("e2e --host in-process") && !wants("e2e --case docker") && !wants("e2e"));
    }
}

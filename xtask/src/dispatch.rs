//! Becoming another program: the binary `coexist`, or the CI script.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::build;

/// Builds `coexist` and becomes it, with the same arguments. It reads the suites of this tree.
pub(crate) fn coexist(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let binary = build::coexist(build::cargo(root).arg("build"))?;
    let mut command = Command::new(&binary);
    command.args(arguments).env("COEXIST_SUITES", root.join("suites"));
    become_it(command).with_context(|| format!("{} does not start", binary.display()))
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

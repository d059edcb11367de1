//! Cargo, asked to build the binary or to describe the workspace.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The cargo that runs us, in the tree.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.current_dir(root);
    command
}

/// Builds `coexist` and says where it is. Cargo's progress goes to stderr.
///
/// Cargo names the file itself, so that a target folder set elsewhere is no surprise.
pub(crate) fn coexist(command: &mut Command) -> anyhow::Result<PathBuf> {
    command.args(["-p", "e2e", "--bin", "coexist", "--message-format", "json-render-diagnostics"]);
    let output = command.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("coexist does not build: cargo's messages are above");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).context("cargo built no binary `coexist`: is it still the binary of the crate e2e?")
}

/// What `cargo metadata` says, with more arguments if need be.
pub(crate) fn metadata(root: &Path, arguments: &[&str]) -> anyhow::Result<Value> {
    let mut command = cargo(root);
    command.args(["metadata", "--format-version", "1"]).args(arguments).stderr(Stdio::inherit());
    let output = command.output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("cargo metadata fails: its messages are above");
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
}

/// The target triple of this machine, as rustc names it.
pub(crate) fn host_triple() -> anyhow::Result<String> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-vV").output().context("rustc does not start")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).context("`rustc -vV` names no host")
}

fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let ours = message["target"]["name"] == "coexist";
        message["executable"].as_str().filter(|_| ours).map(PathBuf::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_where_cargo_says_it_is() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"e2e"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"coexist"},"executable":"/t/debug/coexist"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/coexist")));
        assert_eq!(executable("noise\n{}"), None);
    }
}

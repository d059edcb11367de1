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
    // What the cargo that runs us has said of xtask. The build script of `ring` is run again where one of these is another than
    // before, and nearly everything is built on `ring`.
    for (name, _) in env::vars_os() {
        let said =
            name.to_str().is_some_and(|name| OF_THIS_PACKAGE.iter().any(|start| name.starts_with(start)));
        if said {
            command.env_remove(name);
        }
    }
    command
}

/// How the variables begin that cargo sets for the program of a package.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// Builds `coexist` and says where it is. Cargo's progress goes to stderr.
///
/// Cargo names the file itself, so that a target folder set elsewhere is no surprise.
pub(crate) fn coexist(command: &mut Command) -> anyhow::Result<PathBuf> {
    built(command, &[])
}

/// Builds `coexist` with the container host, as one static file in `target/docker`: what an image can be made of.
///
/// Only the program itself is linked statically, out of the same crates as any other build, so nothing is compiled twice and
/// proc macros stay what they are.
pub(crate) fn contained(root: &Path) -> anyhow::Result<PathBuf> {
    let mut command = cargo(root);
    command.args(["rustc", "--features", "docker"]);
    let built = built(&mut command, &["-C", "target-feature=+crt-static", "-C", "strip=symbols"])?;
    // TARGET/debug/coexist, which the next build of another kind replaces.
    let folder =
        built.ancestors().nth(2).context("cargo's target folder is not where the binary is")?.join("docker");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file = folder.join("coexist");
    // Put in place whole: the one that is there may be running.
    let beside = file.with_extension("part");
    let copied = std::fs::copy(&built, &beside).and_then(|_| std::fs::rename(&beside, &file));
    copied.with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(file)
}

fn built(command: &mut Command, flags: &[&str]) -> anyhow::Result<PathBuf> {
    command.args(["-p", "e2e", "--bin", "coexist", "--message-format", "json-render-diagnostics"]);
    if !flags.is_empty() {
        command.arg("--").args(flags);
    }
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

    #[test]
    fn another_cargo_is_not_told_of_this_package() {
        let command = cargo(Path::new("."));
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(env::var_os(name).is_some(), "cargo has said {name}");
            assert!(command.get_envs().any(|(known, value)| known == name && value.is_none()), "{name}");
        }
    }
}

//! `cargo xtask tidy`: refuses what the style forbids and neither compiler nor clippy can see.
//!
//! Each check is a pure function from text to refusals; only this file reads the tree. A lesson that was said twice
//! becomes a check here, with its reason.

mod code;
mod edges;
mod licences;
mod manifests;
mod sources;

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use crate::build;

/// Something that is not let in.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    /// `FILE:LINE`, or the file alone.
    at: String,
    /// What is there.
    what: String,
    /// Why it may not be.
    why: &'static str,
    /// What to do.
    mend: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  why   {}\n  mend  {}", self.at, self.what, self.why, self.mend)
    }
}

/// Holds the whole tree against every check.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let workspace = build::metadata(root, &["--no-deps"])?;
    let members = manifests::members(&workspace, root);
    let files = files(root)?;
    let text_of =
        |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());

    let mut refusals = Vec::new();
    refusals.extend(edges::refused(&members, text_of));
    refusals.extend(manifests::uncommented_members(text_of("Cargo.toml")));
    for member in &members {
        refusals.extend(manifests::own_lints(&member.manifest, text_of(&member.manifest)));
    }
    for file in &files {
        refusals.extend(sources::refused(&file.path, &file.text));
    }
    // Only what is built here is looked at, so that nothing is fetched for other platforms.
    let everything = build::metadata(root, &["--filter-platform", &build::host_triple()?])?;
    refusals.extend(licences::refused(&everything));

    for refusal in &refusals {
        println!("{refusal}\n");
    }
    let (files, crates) = (files.len(), members.len());
    match refusals.len() {
        0 => {
            println!("tidy: {files} files, {crates} crates, nothing to mend");
            Ok(ExitCode::SUCCESS)
        }
        count => {
            println!("tidy: {files} files, {crates} crates, {count} to mend");
            Ok(ExitCode::FAILURE)
        }
    }
}

struct File {
    /// From the root, with slashes.
    path: String,
    text: String,
}

/// Every text file that git tracks, or would if it were added now.
fn files(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let output = git.output().context("git does not start; tidy asks it which files are the project's")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let listed = String::from_utf8(output.stdout).context("a file's name is no UTF-8")?;
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        let full = root.join(path);
        // A file that was deleted and is still tracked, and one that is no text, have nothing to look at.
        if let Some(text) = fs::read(&full).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    if files.is_empty() {
        bail!("git lists no file below {}: a tree without files is not tidy but lost", root.display());
    }
    Ok(files)
}

/// The line, counted from 1, of the first one that `is` so.
fn line_of(text: &str, is: impl Fn(&str) -> bool) -> Option<usize> {
    text.lines().position(is).map(|at| at + 1)
}

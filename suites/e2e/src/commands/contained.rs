//! What the outer halves of all commands have in common that run in containers: what they refuse, and what of this machine the
//! inner half is given, at the same paths.

use std::path::{Path, PathBuf};

use docker::Mount;
use lab::ground::GroundKind;
use model::subject::Subject;

use super::say;
use crate::called;
use crate::exit::Exit;

/// Containers are where the engine puts them.
///
/// # Errors
/// A ground was asked for.
pub(super) fn bring_their_own(ground: Option<GroundKind>) -> Result<(), Exit> {
    match ground {
        Some(_) => Err(bad_input("--host docker brings its own ground: leave --ground out")),
        None => Ok(()),
    }
}

/// The program that every container runs: this one.
///
/// # Errors
/// It is not the static one, which is built for this command by xtask.
pub(super) fn binary(command: &str) -> Result<PathBuf, Exit> {
    if is_linked_dynamically() {
        return Err(bad_input(format!(
            "an image of one file needs the static binary: `cargo xtask {command} --host docker` builds it"
        )));
    }
    std::env::current_exe().map_err(|error| broken(format!("this program's own path: {error}")))
}

/// A program that is started as a process of this machine cannot be in a container that holds nothing of this machine.
pub(super) fn fits(subject: &Subject) -> Result<(), Exit> {
    match subject.run.command.first().map(String::as_str) {
        Some("{coexist}") => Ok(()),
        _ if subject.run.image.is_some() => Ok(()),
        _ => Err(bad_input(no_image(subject))),
    }
}

/// What is to be done about a subject that is a program of this machine.
fn no_image(subject: &Subject) -> String {
    let words = &subject.run.command;
    let program = words.first().map_or("my-proxy", String::as_str);
    let file = program.rsplit('/').next().unwrap_or(program);
    let tag = format!("{}:dev", subject.name);
    let (image, path) = match program.contains('/') {
        true => (format!("  FROM debian:stable-slim\n  COPY {program} /{file}\n"), format!("/{file}")),
        false => (
            format!("  FROM debian:stable-slim\n  RUN apt-get update && apt-get install -y {file}\n"),
            file.to_owned(),
        ),
    };
    let there: Vec<&str> =
        std::iter::once(path.as_str()).chain(words.iter().skip(1).map(String::as_str)).collect();
    format!(
        "subject {name}: it has a command only, and a container holds nothing of this machine. Make an image of it with a \
         Dockerfile like this one, `docker build -t {tag} .`:\n\n{image}\nand name it in its file, beside what is run in it:\n\n  \
         [run]\n  image = \"{tag}\"\n  command = {there:?}\n",
        name = subject.name
    )
}

/// What of this machine the inner half sees.
#[derive(Default)]
pub(super) struct Seen(Vec<Mount>);

impl Seen {
    /// It reads this file or folder.
    ///
    /// # Errors
    /// A path that cannot be made absolute.
    pub(super) fn read(&mut self, path: &Path) -> Result<(), Exit> {
        self.see(path, true)
    }

    /// It writes there.
    ///
    /// # Errors
    /// As for reading.
    pub(super) fn written(&mut self, path: &Path) -> Result<(), Exit> {
        self.see(path, false)
    }

    fn see(&mut self, path: &Path, read_only: bool) -> Result<(), Exit> {
        let path = absolute(path)?;
        if !self.0.iter().any(|mount| mount.to == path) {
            self.0.push(Mount { from: path.clone(), to: path, read_only });
        }
        Ok(())
    }

    /// The mounts of its container, each path once, as it was named first.
    pub(super) fn mounts(self) -> Vec<Mount> {
        self.0
    }
}

/// The variables of these names that are set here, what people call this program, and where the inner half keeps its files.
pub(super) fn environment(names: &[&str]) -> Vec<String> {
    let names = names.iter().chain([&called::VARIABLE]);
    let known = names.filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
    known.chain([format!("TMPDIR={}", docker::FOLDER)]).collect()
}

/// Whether the system's loader has had a part in this process: then a container that holds nothing else cannot start it.
fn is_linked_dynamically() -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let of_the_loader = |line: &str| line.rsplit('/').next().is_some_and(|name| name.starts_with("ld-"));
    maps.lines().filter(|line| line.contains('/')).any(of_the_loader)
}

/// A name stays one; a path becomes the one that it is in the container too.
pub(super) fn named_or_at(given: &str) -> Result<String, Exit> {
    match Path::new(given).is_file() {
        true => Ok(absolute(Path::new(given))?.display().to_string()),
        false => Ok(given.to_owned()),
    }
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, Exit> {
    std::path::absolute(path).map_err(|error| broken(format!("{}: {error}", path.display())))
}

pub(super) fn bad_input(says: impl std::fmt::Display) -> Exit {
    say::error(says);
    Exit::BadInput
}

pub(super) fn broken(says: impl std::fmt::Display) -> Exit {
    say::error(says);
    Exit::Broken
}

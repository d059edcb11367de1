//! The outer half of a run in containers: it reads what it would run, has the containers made, and ends as the inner half ends.

use std::path::{Path, PathBuf};

use docker::{Mount, Wanted};
use model::case::Case;
use model::subject::Subject;

use super::{E2e, every_filter_matches, failed_in, filter, say, work};
use crate::commands::{LAID, positions};
use crate::exit::Exit;
use crate::predicted;
use crate::run::Work;

/// Runs the suite in containers.
pub(super) fn e2e(root: &Path, options: &E2e) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &E2e) -> Result<Exit, Exit> {
    // What is wrong with the input is said before anything is made.
    if options.ground.is_some() {
        return Err(bad_input("--host docker brings its own ground: leave --ground out"));
    }
    let suite = say::suite(root)?;
    let (suite, _) = predicted::added(suite, &options.topology).map_err(|error| say::suite_error(&error))?;
    let filter = filter(options)?;
    every_filter_matches(&suite, options)?;
    let work = work(&suite, options, &filter)?;
    for (subject, _) in work.iter().map(|work| &work.subject) {
        fits(subject)?;
    }
    let binary =
        std::env::current_exe().map_err(|error| broken(format!("this program's own path: {error}")))?;
    if is_linked_dynamically() {
        let says = "an image of one file needs the static binary: `cargo xtask e2e --host docker` builds it";
        return Err(bad_input(says));
    }
    let cases: Vec<&Case> = work.iter().flat_map(|work| &work.cases).map(|case| &**case).collect();
    let positions = positions::of(&suite, &cases)?;
    positions.fit().map_err(bad_input)?;
    let wanted = Wanted {
        binary,
        positions,
        arguments: arguments(root, options)?,
        env: environment(),
        mounts: mounts(root, options, &work)?,
    };
    let runtime = say::runtime()?;
    let ended = runtime.block_on(async { docker::run(wanted, say::interrupted()).await });
    match ended {
        Ok(code) => Ok(Exit::of_code(code)),
        Err(error) => Err(broken(error)),
    }
}

/// A program that is started as a process of this machine cannot be in a container that holds nothing of this machine.
fn fits(subject: &Subject) -> Result<(), Exit> {
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

/// What the inner half is told: the same, with paths that are the same in its container.
fn arguments(root: &Path, options: &E2e) -> Result<Vec<String>, Exit> {
    let E2e {
        topology,
        subject,
        host: _,
        case,
        rule,
        view,
        seed,
        jobs,
        shard,
        repeat,
        isolate,
        report,
        failed,
        baseline,
        level,
        ground: _,
        today,
        shrink,
    } = options;
    let mut words = vec!["e2e".to_owned(), "--host".to_owned(), format!("{LAID}{}", docker::LAYOUT)];
    words.extend(["--suites".to_owned(), absolute(root)?.display().to_string()]);
    let mut say = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    for topology in topology {
        say("topology", named_or_at(topology)?);
    }
    case.iter().for_each(|case| say("case", case.clone()));
    rule.iter().for_each(|rule| say("rule", rule.to_string()));
    for (name, value) in [
        ("view", view.map(|view| view.to_string())),
        ("seed", seed.map(|seed| format!("{seed:x}"))),
        ("shard", shard.map(|shard| shard.to_string())),
        ("level", level.map(|level| level.to_string())),
        ("today", today.as_ref().map(ToString::to_string)),
        ("jobs", Some(jobs.to_string())),
        ("repeat", Some(repeat.to_string())),
    ] {
        value.into_iter().for_each(|value| say(name, value));
    }
    for (name, path) in [("report", report), ("failed", failed), ("baseline", baseline)] {
        if let Some(path) = path {
            say(name, absolute(path)?.display().to_string());
        }
    }
    if let Some(subject) = subject {
        say("subject", named_or_at(subject)?);
    }
    words.extend(shrink.map(|cases| format!("--shrink={cases}")));
    if *isolate {
        words.push("--isolate".to_owned());
    }
    Ok(words)
}

/// What of this machine the inner half sees, at the same paths: the suite, the subjects' folders, the reports.
fn mounts(root: &Path, options: &E2e, work: &[Work]) -> Result<Vec<Mount>, Exit> {
    let mut mounts: Vec<Mount> = vec![];
    let mut see = |path: &Path, read_only: bool| -> Result<(), Exit> {
        let path = absolute(path)?;
        if !mounts.iter().any(|mount| mount.to == path) {
            mounts.push(Mount { from: path.clone(), to: path, read_only });
        }
        Ok(())
    };
    if let Some(report) = &options.report {
        std::fs::create_dir_all(report).map_err(|error| broken(format!("{}: {error}", report.display())))?;
        see(report, false)?;
    }
    see(root, true)?;
    for (_, folder) in work.iter().map(|work| &work.subject) {
        see(folder, true)?;
    }
    for topology in options.topology.iter().map(Path::new).filter(|path| path.is_file()) {
        see(topology, true)?;
    }
    if let Some(failed) = &options.failed {
        failed_in(&failed.join("report.json")).map_err(bad_input)?;
        see(failed, true)?;
    }
    if let Some(baseline) = &options.baseline {
        super::Baseline::read(baseline).map_err(bad_input)?;
        see(baseline, true)?;
    }
    if let Some(summary) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| Path::new(path).exists()) {
        see(Path::new(&summary), false)?;
    }
    Ok(mounts)
}

/// What of the environment means something to the inner half.
fn environment() -> Vec<String> {
    let names = ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"];
    let known = names.into_iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
    known.chain([format!("TMPDIR={}", docker::FOLDER)]).collect()
}

/// Whether the system's loader has had a part in this process: then a container that holds nothing else cannot start it.
fn is_linked_dynamically() -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let of_the_loader = |line: &str| line.rsplit('/').next().is_some_and(|name| name.starts_with("ld-"));
    maps.lines().filter(|line| line.contains('/')).any(of_the_loader)
}

/// A name stays one; a path becomes the one that it is in the container too.
fn named_or_at(given: &str) -> Result<String, Exit> {
    match Path::new(given).is_file() {
        true => Ok(absolute(Path::new(given))?.display().to_string()),
        false => Ok(given.to_owned()),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Exit> {
    std::path::absolute(path).map_err(|error| broken(format!("{}: {error}", path.display())))
}

fn bad_input(says: impl std::fmt::Display) -> Exit {
    say::error(says);
    Exit::BadInput
}

fn broken(says: impl std::fmt::Display) -> Exit {
    say::error(says);
    Exit::Broken
}

//! The outer half of a run in containers: it reads what it would run, has the containers made, and ends as the inner half ends.

use std::path::Path;

use model::case::Case;

use super::{E2e, every_filter_matches, failed_in, filter, say, work};
use crate::commands::contained::{
    Seen, absolute, bad_input, binary, bring_their_own, broken, fits, named_or_at,
};
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
    bring_their_own(options.ground)?;
    let suite = say::suite(root)?;
    let (suite, _) = predicted::added(suite, &options.topology).map_err(|error| say::suite_error(&error))?;
    let filter = filter(options)?;
    every_filter_matches(&suite, options)?;
    let work = work(&suite, options, &filter)?;
    for (subject, _) in work.iter().map(|work| &work.subject) {
        fits(subject)?;
    }
    let binary = binary("e2e")?;
    let cases: Vec<&Case> = work.iter().flat_map(|work| &work.cases).map(|case| &**case).collect();
    let positions = positions::of(&suite, &cases)?;
    positions.fit().map_err(bad_input)?;
    let wanted = docker::Wanted {
        binary,
        positions,
        arguments: arguments(root, options)?,
        env: environment(),
        mounts: seen(root, options, &work)?.mounts(),
    };
    let runtime = say::runtime()?;
    let nothing_beside = async |_: docker::Here, _| {};
    let ended = runtime.block_on(async { docker::run(wanted, nothing_beside, say::interrupted()).await });
    match ended {
        Ok(code) => Ok(Exit::of_code(code)),
        Err(error) => Err(broken(error)),
    }
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

/// What of this machine the inner half sees: the suite, the subjects' folders, the reports.
fn seen(root: &Path, options: &E2e, work: &[Work]) -> Result<Seen, Exit> {
    let mut seen = Seen::default();
    if let Some(report) = &options.report {
        std::fs::create_dir_all(report).map_err(|error| broken(format!("{}: {error}", report.display())))?;
        seen.written(report)?;
    }
    seen.read(root)?;
    for (_, folder) in work.iter().map(|work| &work.subject) {
        seen.read(folder)?;
    }
    for topology in options.topology.iter().map(Path::new).filter(|path| path.is_file()) {
        seen.read(topology)?;
    }
    if let Some(failed) = &options.failed {
        failed_in(&failed.join("report.json")).map_err(bad_input)?;
        seen.read(failed)?;
    }
    if let Some(baseline) = &options.baseline {
        super::Baseline::read(baseline).map_err(bad_input)?;
        seen.read(baseline)?;
    }
    if let Some(summary) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| Path::new(path).exists()) {
        seen.written(Path::new(&summary))?;
    }
    Ok(seen)
}

/// What of the environment means something to the inner half.
fn environment() -> Vec<String> {
    crate::commands::contained::environment(&["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"])
}

//! `coexist report merge`: the reports of shards become the report of the run that they were parts of.
//!
//! Everything is read and held against each other before anything is written, beside the folder asked for; that is put in
//! place whole, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use model::verdict::RunFacts;
use model::{CaseId, Role, ServerName};
use report::html::Evidence;
use report::merge::{Part, Whole};
use tokio_util::sync::CancellationToken;

use super::say;
use crate::evidence;
use crate::exit::{self, Ending, Exit};
use crate::predicted;
use crate::publish::Published;
use crate::suite::Suite;

/// What can be done with reports.
#[derive(Debug, Subcommand)]
pub(super) enum Reports {
    /// The reports of all shards of a run (`e2e --shard I/N --report DIR`) become one, and end as the whole would have.
    Merge {
        /// The folder of each shard's report.
        #[arg(value_name = "DIR")]
        shards: Vec<PathBuf>,
        /// The folder of the merged report: a new one, or an empty one.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
}

/// No report of ours comes near it.
const MOST_REPORT_BYTES: u64 = 512 * 1024 * 1024;
/// An arrival's line is at most 2 KiB as we write it.
const MOST_LINE_BYTES: u64 = 64 * 1024;

pub(super) fn reports(root: &Path, what: &Reports) -> Exit {
    let Reports::Merge { shards, output } = what;
    merge(root, shards, output).unwrap_or_else(|ended| match ended {
        Ended::Refused(says) => {
            say::error(says);
            Exit::BadInput
        }
        Ended::Unwritten(error) => {
            say::error(format!("the report could not be written to {}: {error}", output.display()));
            Exit::Broken
        }
        Ended::Otherwise(exit) => exit,
    })
}

/// Why there is no merged report.
enum Ended {
    Refused(String),
    Unwritten(io::Error),
    Otherwise(Exit),
}

impl From<String> for Ended {
    fn from(says: String) -> Ended {
        Ended::Refused(says)
    }
}

fn merge(root: &Path, shards: &[PathBuf], output: &Path) -> Result<Exit, Ended> {
    if shards.is_empty() {
        say::error("no report was named, so nothing was merged: coexist report merge DIR… -o DIR");
        return Err(Ended::Otherwise(Exit::NothingChecked));
    }
    free(output)?;
    let suite = say::suite(root).map_err(Ended::Otherwise)?;
    let parts = shards.iter().map(|folder| part(folder)).collect::<Result<Vec<Part>, String>>()?;
    let mut whole = report::merge::whole(&parts).map_err(|unfit| unfit.to_string())?;
    if whole.run.tree != suite.tree {
        let (file, theirs, ours) = (&parts[whole.order[0]].file, &whole.run.tree, &suite.tree);
        return Err(Ended::Refused(format!(
            "{file}: it is of the suite {theirs}, and {} is {ours}: merge with the suite that ran (--suites DIR)",
            root.display()
        )));
    }
    let suite = with_predicted(suite, &whole);
    let folders: Vec<&PathBuf> = whole.order.iter().map(|at| &shards[*at]).collect();
    let arrivals = |at: &usize| parts[*at].written.run.arrivals;
    let ledgers: Vec<(PathBuf, u64)> =
        whole.order.iter().map(|at| (shards[*at].join("ledger.jsonl"), arrivals(at))).collect();
    let evidence = left(shards, &whole)?;
    let logs = logs(&folders)?;
    let (exit, why) = ended(&suite, &parts, &whole);
    whole.run.exit = exit.code();
    let runtime = say::runtime().map_err(Ended::Otherwise)?;
    let written: Result<Exit, Ended> = runtime.block_on(async {
        let stop = say::interrupted();
        let beside = Beside::make(output).map_err(Ended::Unwritten)?;
        let published = Published {
            suite: &suite,
            facts: &whole.run,
            roles: &roles(&suite, &whole),
            why: why.as_deref(),
            verdicts: &whole.verdicts,
            evidence: &evidence,
        };
        published.write_verdicts(&beside.0).map_err(Ended::Unwritten)?;
        join_ledgers(&ledgers, &beside.0.join("ledger.jsonl"), &stop)?;
        for (case, at) in whole.evidence.iter().filter(|(case, _)| evidence.contains_key(case)) {
            unless(&stop)?;
            copy(&shards[*at], &beside.0, &evidence[case]).map_err(Ended::Unwritten)?;
        }
        join_logs(&logs, &beside.0.join("iis")).map_err(Ended::Unwritten)?;
        unless(&stop)?;
        std::fs::rename(&beside.0, output).map_err(Ended::Unwritten)?;
        if let Err(error) = published.tell_github() {
            say::error(format!("GitHub's summary could not be written: {error}"));
        }
        Ok(exit)
    });
    let exit = written?;
    say::verdicts(&whole.run, &whole.verdicts);
    if let Some(why) = &why {
        say::error(why);
    }
    println!("  merged     {} shards", parts.len());
    println!("  report     {}", output.join("report.html").display());
    Ok(exit)
}

/// The suite with the cases that nobody wrote, where the topologies that they are of lie here too: the page shows what they did.
fn with_predicted(suite: Suite, whole: &Whole) -> Suite {
    match predicted::added(suite.clone(), &whole.run.selection.topologies) {
        Ok((suite, _)) => suite,
        Err(_) => suite,
    }
}

/// Nothing of anybody's is written over.
fn free(output: &Path) -> Result<(), String> {
    let wrong = |says: &str| Err(format!("{}: {says}; name a new folder with -o", output.display()));
    match std::fs::read_dir(output) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => wrong("this folder is not empty"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => wrong(&error.to_string()),
    }
}

fn part(folder: &Path) -> Result<Part, String> {
    let path = folder.join("report.json");
    let file = path.display().to_string();
    let mut text = String::new();
    let read = File::open(&path).and_then(|open| open.take(MOST_REPORT_BYTES).read_to_string(&mut text));
    let right = "a right one is the folder that `e2e --shard I/N --report DIR` wrote, whole";
    read.map_err(|error| format!("{file}: {error}; {right}"))?;
    let written = report::json::read(&text).map_err(|error| format!("{file}: {error}; {right}"))?;
    Ok(Part { file, written })
}

/// What the cases left behind, all of it still there.
fn left(shards: &[PathBuf], whole: &Whole) -> Result<BTreeMap<CaseId, Evidence>, String> {
    let unlike = |says: String| format!("{says}: copy the report's folder whole, or run that shard again");
    let each = whole.evidence.iter();
    each.map(|(case, at)| Ok((case.clone(), evidence::left(&shards[*at], case).map_err(unlike)?))).collect()
}

/// How the whole run ends, and why. A part may also have been red for what only it could see, a baseline.
fn ended(suite: &Suite, parts: &[Part], whole: &Whole) -> (Exit, Option<String>) {
    let selection = &whole.run.selection;
    let runs = || whole.order.iter().map(|at| &parts[*at].written.run);
    let of_references = selection.references;
    let times = if of_references { selection.repeat } else { 1 };
    let ending = Ending {
        interrupted: runs().any(|run| run.exit == Exit::Interrupted.code()),
        selected: whole.run.counts.selected,
        floor: selection.is_open().then(|| suite.floor.saturating_mul(times)),
        held: (!of_references).then_some(suite.cases.len()),
        subject_answered: whole.run.ended.subject_answered,
        recorded: whole.run.ended.recorded,
        looked_at: whole.run.ended.looked_at,
        unclaimed: whole.run.unclaimed,
    };
    let gates = |verdict: &_| exit::gates(&suite.rules, selection.level, verdict);
    let (exit, why) = exit::of(&ending, &whole.verdicts, gates);
    let red = |run: &&RunFacts| run.exit == Exit::NotAsExpected.code();
    match (exit, runs().find(red)) {
        (Exit::AsExpected, Some(run)) => {
            let shard = run.shard.map(|shard| shard.to_string()).unwrap_or_default();
            let says =
                format!("shard {shard} ended with 1, though no verdict of it says why: see what it printed");
            (Exit::NotAsExpected, Some(says))
        }
        _ => (exit, why),
    }
}

/// The roles that were played.
fn roles(suite: &Suite, whole: &Whole) -> Vec<Role> {
    let ran: BTreeSet<&CaseId> = whole.verdicts.iter().map(|verdict| &verdict.id).collect();
    let played = suite.cases.iter().filter(|case| case.finds.is_none() && ran.contains(&case.id));
    let roles: BTreeSet<Role> = played.filter_map(|case| Some(suite.topology_of(case).ok()?.role)).collect();
    roles.into_iter().collect()
}

/// A folder beside the one asked for, removed again unless it was put in its place.
struct Beside(PathBuf);

impl Beside {
    fn make(output: &Path) -> io::Result<Beside> {
        let mut name = output.file_name().unwrap_or_default().to_owned();
        name.push(format!(".part-{}", std::process::id()));
        let beside = Beside(output.with_file_name(name));
        std::fs::create_dir_all(&beside.0)?;
        Ok(beside)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Where it was put in its place it is there no more.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn unless(stop: &CancellationToken) -> Result<(), Ended> {
    match stop.is_cancelled() {
        true => Err(Ended::Otherwise(Exit::Interrupted)),
        false => Ok(()),
    }
}

/// The lines of all ledgers, each of which must hold as many as its report says.
fn join_ledgers(ledgers: &[(PathBuf, u64)], to: &Path, stop: &CancellationToken) -> Result<(), Ended> {
    let mut out = BufWriter::new(File::create(to).map_err(Ended::Unwritten)?);
    for (path, arrivals) in ledgers {
        let unlike = |says: String| {
            format!("{}: {says}: copy the report's folder whole, or run that shard again", path.display())
        };
        let open = File::open(path).map_err(|error| unlike(error.to_string()))?;
        let mut lines = BufReader::new(open);
        let (mut line, mut count) = (vec![], 0);
        loop {
            line.clear();
            let read = lines.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line);
            if read.map_err(|error| unlike(error.to_string()))? == 0 {
                break;
            }
            unless(stop)?;
            count += 1;
            let whole =
                line.last() == Some(&b'\n') && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok();
            if !whole {
                return Err(unlike(format!("line {count} is no arrival, or the beginning of one")).into());
            }
            out.write_all(&line).map_err(Ended::Unwritten)?;
        }
        if count != *arrivals {
            return Err(unlike(format!("it has {count} arrivals, and its report says {arrivals}")).into());
        }
    }
    out.flush().map_err(Ended::Unwritten)
}

fn copy(from: &Path, to: &Path, evidence: &Evidence) -> io::Result<()> {
    let (from, to) = (from.join(&evidence.folder), to.join(&evidence.folder));
    std::fs::create_dir_all(&to)?;
    evidence.files.iter().try_for_each(|file| std::fs::copy(from.join(file), to.join(file)).map(drop))
}

/// The log of each server in each folder, in the order of the shards.
fn logs(folders: &[&PathBuf]) -> Result<BTreeMap<ServerName, Vec<PathBuf>>, String> {
    let mut logs: BTreeMap<ServerName, Vec<PathBuf>> = BTreeMap::new();
    for folder in folders {
        let folder = folder.join("iis");
        let wrong = |error: io::Error| {
            format!("{}: {error}: copy the report's folder whole, or run that shard again", folder.display())
        };
        for entry in std::fs::read_dir(&folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            let server = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".log")?.parse().ok());
            // What else may lie there is not the report's.
            if let (Some(server), true) = (server, path.is_file()) {
                logs.entry(server).or_default().push(path);
            }
        }
    }
    Ok(logs)
}

fn join_logs(logs: &BTreeMap<ServerName, Vec<PathBuf>>, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for (server, paths) in logs {
        let mut out = File::create(to.join(format!("{server}.log")))?;
        for path in paths {
            io::copy(&mut File::open(path)?, &mut out)?;
        }
    }
    Ok(())
}

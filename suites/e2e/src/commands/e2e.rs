//! `coexist e2e`: reads, runs, reports, exits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use lab::ground::Ground;
use lab::seat::Seat;
use model::Role;
use model::case::Case;
use model::rule::Level;
use model::subject::{Day, Subject};
use model::verdict::{Counts, RunFacts, Selection, Verdict};

#[cfg(not(feature = "docker"))]
use super::no_container_host;
use super::{E2e, Host, laid, say};
use crate::declared;
use crate::evidence;
use crate::exit::{self, Exit};
use crate::predicted::{self, Predicted};
use crate::publish::{self, Published};
use crate::run::{Came, Hosting, How, Progress, Work, run};
use crate::select::Filter;
use crate::suite::Suite;
use again::Again;
use baseline::Baseline;
use shrunk::Shrinking;

mod again;
mod baseline;
#[cfg(feature = "docker")]
mod contained;
mod shrunk;

pub(super) fn e2e(root: &Path, options: &E2e) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &E2e) -> Result<Exit, Exit> {
    let standing = match &options.host {
        Host::Laid(layout) => laid::ground(layout)?,
        Host::Expected(roll) => laid::expecting(roll)?,
        Host::InProcess => laid::Standing::On(say::ground(options.ground)?),
        #[cfg(feature = "docker")]
        Host::Docker => return Ok(contained::e2e(root, options)),
        #[cfg(not(feature = "docker"))]
        Host::Docker => return Err(no_container_host("e2e")),
    };
    let suite = say::suite(root)?;
    let (suite, predicted) =
        predicted::added(suite, &options.topology).map_err(|error| say::suite_error(&error))?;
    let suite = Arc::new(suite);
    let filter = filter(options)?;
    every_filter_matches(&suite, options)?;
    let work = work(&suite, options, &filter)?;
    work.iter().try_for_each(|work| starts(&work.subject.0, &options.host))?;
    let mut baseline = options.baseline.as_deref().map(Baseline::read).transpose().map_err(|says| {
        say::error(says);
        Exit::BadInput
    })?;
    let folder = say::Folder::make()?;
    if let Some(report) = &options.report {
        evidence::forget(report, work.iter().flat_map(|work| &work.cases).map(|case| case.id.clone()));
    }
    let seed = options.seed.unwrap_or_else(drawn_seed);
    let hosting = options.host.hosting();
    let runtime = say::runtime()?;
    let came = runtime.block_on(async {
        let stop = say::interrupted();
        let open = laid::open(standing, &stop).await?;
        let ground = open.ground.clone();
        let (mut all, mut smaller) = (Came::default(), vec![]);
        let rounds = options.repeat.max(1) as u64;
        for round in 0..rounds {
            let how = How {
                gives_up: true,
                hosting,
                seed: seed.wrapping_add(round),
                jobs: options.jobs,
                // Containers are servers of one lab after the other.
                labs: if hosting == Hosting::InProcess { options.jobs.clamp(1, 8) } else { 1 },
                isolate: options.isolate,
                folder: folder.path().to_owned(),
                ledger_lines: options.report.is_some(),
                evidence: options.report.clone(),
                subject: options.subject.clone(),
            };
            let chosen = work.clone();
            let came =
                run(suite.clone(), ground.clone(), chosen, how.clone(), stop.clone(), progress()).await;
            let (suspects, deaths) = (came.suspects.clone(), came.deaths.clone());
            all = joined(all, came);
            if stop.is_cancelled() {
                break;
            }
            let again = Again { suite: &suite, ground: &ground, work: &work, how: &how, stop: &stop };
            if !suspects.is_empty() && !options.isolate {
                // So that it shows whose the arrival is.
                let count = suspects.len();
                eprintln!("coexist: an arrival belongs to nobody; running {count} cases again, each alone");
                all = joined(all, again.alone(&suspects).await);
            }
            if let Some(killer) = again.killer(&deaths).await {
                say::error(killer);
            }
            if let Some(baseline) = &mut baseline {
                let doubtful = baseline.doubtful(&all.verdicts);
                if !doubtful.is_empty() {
                    let count = doubtful.len();
                    eprintln!(
                        "coexist: not as in the baseline: running {count} cases twice again, each alone"
                    );
                    let alone =
                        [again.alone(&doubtful).await.verdicts, again.alone(&doubtful).await.verdicts];
                    baseline.weigh(&mut all.verdicts, &alone);
                }
            }
            if let (Some(tries), Some(report)) = (options.shrink, &options.report)
                && round + 1 == rounds
            {
                smaller = Shrinking { again: &again, report, tries }.all(&all.verdicts).await;
            }
        }
        open.close().await;
        Ok((ground, all, smaller))
    });
    let (ground, mut came, smaller) = came?;
    came.ending.held = options.subject.as_ref().map(|_| suite.cases.len());
    let times = if options.subject.is_some() { 1 } else { options.repeat.max(1) };
    came.ending.floor = filter.is_open().then_some(suite.floor).map(|floor| floor.saturating_mul(times));
    let ran =
        Ran { seed, among: filter.among, came, work: &work, predicted, baseline: baseline.as_ref(), smaller };
    Ok(report(&suite, &ground, options, ran))
}

/// Not everywhere is somebody who starts images.
fn starts(subject: &Subject, host: &Host) -> Result<(), Exit> {
    let why = match host {
        Host::InProcess if subject.run.command.is_empty() => {
            "it is an image, and here servers are no containers: --host docker"
        }
        Host::Expected(_) if subject.run.image.is_some() => {
            "it is an image, and nobody here starts one: put its program into an image made FROM coexist, and give a command alone"
        }
        _ => return Ok(()),
    };
    say::error(format!("subject {}: {why}", subject.name));
    Err(Exit::BadInput)
}

fn filter(options: &E2e) -> Result<Filter, Exit> {
    let failed = options.failed.as_ref().map(|folder| failed_in(&folder.join("report.json"))).transpose();
    let among = failed.map_err(|says| {
        say::error(says);
        Exit::BadInput
    })?;
    Ok(Filter {
        cases: options.case.clone(),
        among,
        rules: options.rule.clone(),
        topologies: options.topology.clone(),
        view: options.view,
        shard: options.shard,
    })
}

/// A misspelt filter beside a right one must not go unseen.
fn every_filter_matches(suite: &Suite, options: &E2e) -> Result<(), Exit> {
    let alone = |filter: Filter| filter.select(&suite.cases).is_empty();
    let glob =
        options.case.iter().find(|glob| alone(Filter { cases: vec![(*glob).clone()], ..Filter::default() }));
    let rule =
        options.rule.iter().find(|rule| alone(Filter { rules: vec![(*rule).clone()], ..Filter::default() }));
    let says = match (glob, rule) {
        (Some(glob), _) => format!("no case matched --case {glob}; `coexist list cases` prints every id"),
        (None, Some(rule)) => {
            format!("no case holds --rule {rule}; `coexist list rules` prints those that have one")
        }
        (None, None) => return Ok(()),
    };
    say::error(says);
    Err(Exit::NothingChecked)
}

/// The ids of the cases that were not as expected in an earlier report.
fn failed_in(path: &Path) -> Result<BTreeSet<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let report: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{}: no report: {error}", path.display()))?;
    let cases = report["cases"]
        .as_array()
        .ok_or_else(|| format!("{}: no report: it lists no cases", path.display()))?;
    let wrong = |case: &&serde_json::Value| {
        let outcome = case["outcome"].as_str().and_then(|word| word.parse::<model::verdict::Outcome>().ok());
        outcome.is_some_and(|outcome| !outcome.as_expected())
    };
    let ids: BTreeSet<String> =
        cases.iter().filter(wrong).filter_map(|case| Some(case["id"].as_str()?.to_owned())).collect();
    if ids.is_empty() { Err(format!("{}: every case was as expected", path.display())) } else { Ok(ids) }
}

/// Who runs what: the subject its role's topologies, or every role's reference its own.
fn work(suite: &Suite, options: &E2e, filter: &Filter) -> Result<Vec<Work>, Exit> {
    let role_of = |case: &Case| suite.topology_of(case).map(|topology| topology.role);
    let mut by_role: BTreeMap<Role, Vec<Arc<Case>>> = BTreeMap::new();
    // What `check` says of a topology is no affair of a subject.
    let of_a_proxy = |case: &Arc<Case>| options.subject.is_none() || case.finds.is_none();
    for case in filter.select(&suite.cases).into_iter().filter(of_a_proxy) {
        let role = role_of(&case).map_err(|error| say::suite_error(&error))?;
        by_role.entry(role).or_default().push(case);
    }
    let subjects: Vec<(Role, String)> = match &options.subject {
        Some(name) => {
            let (subject, _) = suite.subject(name).map_err(|error| say::suite_error(&error))?;
            vec![(subject.role, name.clone())]
        }
        None => by_role.keys().map(|role| (*role, Suite::reference_for(*role).to_owned())).collect(),
    };
    let mut work = vec![];
    for (role, name) in subjects {
        let subject = suite.subject(&name).map_err(|error| say::suite_error(&error))?;
        fit(suite, &subject.0, options.today.as_ref())?;
        if let Some(case) = by_role.get(&role).and_then(|cases| cases.first()) {
            let topology = suite.topology_of(case).map_err(|error| say::suite_error(&error))?;
            Seat::preview(&subject.0, &subject.1, Arc::unwrap_or_clone(topology)).map_err(|error| {
                say::error(error);
                Exit::BadInput
            })?;
        }
        work.push(Work { subject, cases: by_role.remove(&role).unwrap_or_default() });
    }
    Ok(work)
}

/// Deviations must name a case that exists, and not be past their day.
fn fit(suite: &Suite, subject: &Subject, today: Option<&Day>) -> Result<(), Exit> {
    let today = today.cloned().unwrap_or_else(crate::clock::today);
    for (case, deviation) in &subject.deviations {
        let wrong = if !suite.cases.iter().any(|known| known.id == *case) {
            "names no case; `coexist list cases` prints every id".to_owned()
        } else if deviation.until.as_ref().is_some_and(|until| *until < today) {
            format!("is past its day; it was excused until then because: {}", deviation.why)
        } else {
            continue;
        };
        say::error(format!("subject {}: the deviation \"{case}\" {wrong}", subject.name));
        return Err(Exit::BadInput);
    }
    Ok(())
}

fn joined(mut all: Came, came: Came) -> Came {
    all.verdicts.extend(came.verdicts);
    all.ledger.extend(came.ledger);
    all.took += came.took;
    all.labs += came.labs;
    all.arrivals += came.arrivals;
    let ending = &mut all.ending;
    ending.subject_answered =
        came.ending.subject_answered && (ending.selected == 0 || ending.subject_answered);
    ending.interrupted |= came.ending.interrupted;
    ending.selected += came.ending.selected;
    ending.recorded += came.ending.recorded;
    ending.looked_at += came.ending.looked_at;
    ending.unclaimed += came.ending.unclaimed;
    all.traces = came.traces;
    all.spoke_as_declared += came.spoke_as_declared;
    all.paces.add(came.paces);
    came.iis.into_iter().for_each(|(server, log)| all.iis.entry(server).or_default().push_str(&log));
    all.evidence.extend(came.evidence);
    for (subject, labs) in came.killed {
        *all.killed.entry(subject).or_default() += labs;
    }
    all.unwritten = all.unwritten.or(came.unwritten);
    all
}

/// What a run was made of, and what it came to.
struct Ran<'a> {
    seed: u64,
    /// The cases of an earlier report that were to run again.
    among: Option<BTreeSet<String>>,
    came: Came,
    work: &'a [Work],
    predicted: Predicted,
    baseline: Option<&'a Baseline>,
    /// What `--shrink` found, in lines.
    smaller: Vec<String>,
}

fn report(
    suite: &Suite,
    ground: &Ground,
    options: &E2e,
    Ran { seed, among, came, work, predicted, baseline, smaller }: Ran<'_>,
) -> Exit {
    let level = level(options);
    let gates = |verdict: &Verdict| exit::gates(&suite.rules, level, verdict);
    let (mut exit, mut why) = exit::of(&came.ending, &came.verdicts, gates);
    let in_suite = |id: &str| suite.cases.iter().any(|case| case.id.as_str() == id);
    let compared = baseline.map(|baseline| baseline.compare(&came.verdicts, in_suite));
    if exit == Exit::AsExpected && compared.as_ref().is_some_and(|(_, lost)| *lost) {
        exit = Exit::NotAsExpected;
        why = Some("a case that the baseline checked is not checked any more".to_owned());
    }
    let facts = RunFacts {
        tree: suite.tree.clone(),
        seed: format!("{seed:04x}"),
        subject: names(work),
        topologies: topologies(suite, &came),
        host: options.host.hosting().as_str().to_owned(),
        ground: ground.kind().to_string(),
        counts: Counts::of(came.ending.selected, &came.verdicts),
        arrivals: came.arrivals,
        unclaimed: came.ending.unclaimed,
        remarks: predicted.remarks.into_iter().chain(remarks(work, &came)).collect(),
        took: came.took,
        exit: exit.code(),
        shard: options.shard,
        selection: selection(options, among),
        ended: came.ending.ended(),
    };
    say::verdicts(&facts, &came.verdicts);
    for line in work.iter().filter(|_| options.subject.is_some()).flat_map(|work| {
        declared::lines(&work.subject.0, came.spoke_as_declared, &came.paces, &came.verdicts)
    }) {
        println!("  declared   {line}");
    }
    let spared =
        came.verdicts.iter().filter(|verdict| !verdict.outcome.as_expected() && !gates(verdict)).count();
    if spared > 0 {
        let (cases, decide) =
            if spared == 1 { ("case that differs is", "does") } else { ("cases that differ are", "do") };
        println!(
            "  level      result: {spared} {cases} of likeness alone, and {decide} not decide (--level likeness)"
        );
    }
    if let Some((text, _)) = &compared {
        print!("{text}");
    }
    if let Some(why) = &why {
        say::error(why);
    }
    if let Some(why) = &came.unwritten {
        say::error(format!("some evidence could not be written: {why}"));
    }
    let subject = options.subject.as_ref().and_then(|name| suite.subject(name).ok());
    let roles = subject.map_or_else(|| publish::roles(&came), |(subject, _)| vec![subject.role]);
    let published = Published {
        suite,
        facts: &facts,
        roles: &roles,
        why: why.as_deref(),
        verdicts: &came.verdicts,
        evidence: &came.evidence,
    };
    if let Err(error) = published.tell_github() {
        say::error(format!("GitHub's summary could not be written: {error}"));
    }
    let Some(folder) = &options.report else { return exit };
    if let Err(error) = published.write(folder, &came.ledger, &came.iis) {
        say::error(format!("the report could not be written to {}: {error}", folder.display()));
        return if exit == Exit::AsExpected { Exit::Broken } else { exit };
    }
    println!("  report     {}", folder.join("report.html").display());
    for line in smaller {
        let label = if line.starts_with(' ') { "" } else { "shrunk" };
        println!("  {label:<10} {line}");
    }
    exit
}

/// Which rules decide: of a subject what a user would notice, of the reference all.
fn level(options: &E2e) -> Level {
    let default = if options.subject.is_some() { Level::Result } else { Level::Likeness };
    options.level.unwrap_or(default)
}

fn selection(options: &E2e, among: Option<BTreeSet<String>>) -> Selection {
    Selection {
        cases: options.case.clone(),
        rules: options.rule.clone(),
        topologies: options.topology.clone(),
        view: options.view,
        failed: among.map(Vec::from_iter),
        repeat: options.repeat.max(1),
        level: level(options),
        references: options.subject.is_none(),
    }
}

/// A subject that has to be killed has lasted and was judged: nothing of its verdicts is wrong, and its author is told.
fn remarks(work: &[Work], came: &Came) -> Vec<String> {
    let killed =
        work.iter().filter_map(|work| Some((&work.subject.0, came.killed.get(&work.subject.0.name)?)));
    let says = |(subject, labs): (&Subject, &usize)| {
        let (stop, labs) =
            (&subject.run.stop, if *labs == 1 { "1 lab".to_owned() } else { format!("{labs} labs") });
        format!(
            "subject `{}` did not end within {} of {} in {labs}, and was killed: mend that, or raise run.stop.within",
            subject.name, stop.within, stop.signal
        )
    };
    killed.map(says).collect()
}

/// The subjects that had cases, as their files call them.
fn names(work: &[Work]) -> Vec<String> {
    work.iter().filter(|work| !work.cases.is_empty()).map(|work| work.subject.0.name.clone()).collect()
}

fn topologies(suite: &Suite, came: &Came) -> Vec<String> {
    let ran =
        |case: &&Arc<Case>| case.finds.is_none() && came.verdicts.iter().any(|verdict| verdict.id == case.id);
    let mut names: Vec<String> = suite.cases.iter().filter(ran).map(|case| case.topology_name()).collect();
    names.sort();
    names.dedup();
    names
}

fn drawn_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() & 0xffff
}

fn progress() -> Progress {
    if !std::io::stderr().is_terminal() {
        return Arc::new(|_, _, _| {});
    }
    Arc::new(|done, total, wrong| {
        eprint!("\r{}", report::terminal::progress(done, total, wrong));
        if done == total {
            eprintln!();
        }
        // Progress that cannot be shown is no reason to stop.
        drop(std::io::stderr().flush());
    })
}

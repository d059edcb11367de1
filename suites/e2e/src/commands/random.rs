//! `coexist random`: compares oracle and reference over random small topologies, where there are no literals.
//!
//! A seed draws a topology; the oracle says what its usual journeys come to; the reference, in the seat, is held
//! against that as against a case file. Journeys of which the article is silent are left out: two readings of nothing
//! may differ. What differs is shrunk before it is shown.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use lab::ground::{Ground, GroundKind};
use model::case::Case;
use model::problem::Source;
use model::topology::TopologyFiles;
use model::verdict::{Outcome, Verdict};
use model::{Role, Topology};
use oracle::Table;
use tokio_util::sync::CancellationToken;

use super::{predict, say};
use crate::exit::Exit;
use crate::predicted::{self, Journey};
use crate::run::{Came, Hosting, How, Work, run};
use crate::select::shuffle;
use crate::suite::Suite;

mod shrink;

/// What `random` takes.
#[derive(Debug, Args)]
pub(super) struct Random {
    /// How many topologies.
    #[arg(long, value_name = "N", default_value_t = 100)]
    count: usize,
    /// The first topology's seed, in hexadecimal; drawn where it is not given. The others follow it.
    #[arg(long, value_name = "N", value_parser = super::hexadecimal)]
    seed: Option<u64>,
    /// The most journeys that are played in one topology.
    #[arg(long, value_name = "N", default_value_t = 24)]
    journeys: usize,
    /// Cases at once.
    #[arg(long, value_name = "N", default_value_t = 16)]
    jobs: usize,
    /// The ground: own, machine or mapped; the best that can be had where it is not given.
    #[arg(long, value_parser = super::ground)]
    ground: Option<GroundKind>,
}

/// Of the journeys that may share no lab (a wrong password is one), the most in one topology.
const MOST_ALONE: usize = 1;
/// Beyond the topologies asked for, how many seeds are looked through for rows that none of them reached.
const MOST_SEEDS_BEYOND: u64 = 2000;
/// The most differences that are shrunk and shown whole.
const MOST_SHRUNK: usize = 3;

pub(super) fn random(root: &Path, options: &Random) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &Random) -> Result<Exit, Exit> {
    let ground = Arc::new(say::ground(options.ground)?);
    let suite = Arc::new(say::suite(root)?);
    let folder = say::Folder::make()?;
    let first = options.seed.unwrap_or_else(drawn_seed);
    let drawn = draw(first, options);
    let written =
        drawn.topologies.iter().try_for_each(|one| std::fs::write(one.file(folder.path()), &one.text));
    written.map_err(|error| {
        say::error(format!("{}: {error}", folder.path().display()));
        Exit::Broken
    })?;
    let lab = Laboratory { suite, ground, folder: folder.path().to_owned(), seed: first, jobs: options.jobs };
    let cases: Vec<(Role, Arc<Case>)> =
        drawn.topologies.iter().flat_map(|one| one.cases(folder.path())).collect();
    println!(
        "seeds {}: {} topologies, {} journeys, {} of {} rows of the table",
        seeds(&drawn.topologies),
        drawn.topologies.len(),
        cases.len(),
        drawn.reached.len(),
        drawn.wanted
    );
    let runtime = say::runtime()?;
    runtime.block_on(async {
        let stop = say::interrupted();
        let came = lab.play(&cases, &stop).await?;
        if stop.is_cancelled() {
            return Ok(Exit::Interrupted);
        }
        let wrong: Vec<&Verdict> = came.verdicts.iter().filter(|v| !v.outcome.as_expected()).collect();
        for verdict in wrong.iter().take(MOST_SHRUNK) {
            if let Some((_, case)) = cases.iter().find(|(_, case)| case.id == verdict.id) {
                print!("{}", shrink::shrunk(&lab, case, verdict, &stop).await);
            }
        }
        for verdict in wrong.iter().skip(MOST_SHRUNK) {
            let asked = cases.iter().find(|(_, case)| case.id == verdict.id).map(|(_, case)| journey(case));
            let why = verdict.why.first().map(|why| format!("leg {}: {}", why.leg, why.says));
            println!("{} differs too: {}", verdict.id, asked.unwrap_or_default());
            println!("    {}", why.unwrap_or_default());
        }
        Ok(conclude(&drawn, &came, cases.len()))
    })
}

fn conclude(drawn: &Drawn, came: &Came, played: usize) -> Exit {
    let of = |outcome| came.verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
    let (same, setup) = (of(Outcome::Pass), of(Outcome::Setup));
    println!(
        "{same} of {played} journeys end as the oracle says, in {} labs and {:.1} s",
        came.labs,
        came.took.as_secs_f64()
    );
    let missing = drawn.wanted - drawn.reached.len();
    if missing > 0 {
        say::error(format!(
            "{missing} rows of the oracle's table were not reached: {}",
            drawn.missing.join(", ")
        ));
    }
    match () {
        () if setup > 0 => Exit::Broken,
        () if played == 0 || came.ending.recorded == 0 => Exit::NothingChecked,
        () if same < played || missing > 0 => Exit::NotAsExpected,
        () => Exit::AsExpected,
    }
}

/// A random topology with the journeys that are played in it.
struct One {
    seed: u64,
    text: String,
    role: Role,
    journeys: Vec<Journey>,
}

impl One {
    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("random-{:x}.toml", self.seed))
    }

    /// The journeys as cases: what a case file would say, had somebody written one.
    fn cases(&self, folder: &Path) -> Vec<(Role, Arc<Case>)> {
        let case = |(number, journey): (usize, &Journey)| {
            let when = &journey.when;
            let id = format!("random-{:x}/{}/{}-{number}", self.seed, when.protocol(), when.mailbox);
            let rules = journey.rows.iter().filter_map(|row| row.parse().ok()).collect();
            let source = format!("the oracle, topology of seed {:x}", self.seed);
            let case = journey.case(id.parse().ok()?, &self.file(folder), source, rules);
            Some((self.role, Arc::new(case)))
        };
        self.journeys.iter().enumerate().filter_map(case).collect()
    }
}

/// The topologies of a run, and which rows of the oracle's table their journeys reach.
struct Drawn {
    topologies: Vec<One>,
    reached: BTreeSet<&'static str>,
    /// How many rows the table has.
    wanted: usize,
    missing: Vec<&'static str>,
}

/// Draws the topologies asked for; then, from the seeds after those, each that reaches a row none before it reached.
fn draw(first: u64, options: &Random) -> Drawn {
    let table = Table::standard();
    let every: BTreeSet<&'static str> =
        table.rows().iter().filter(|row| !row.is_of_a_return()).map(|row| row.id).collect();
    let mut drawn =
        Drawn { topologies: vec![], reached: BTreeSet::new(), wanted: every.len(), missing: vec![] };
    let asked = options.count as u64;
    for number in 0..asked + MOST_SEEDS_BEYOND {
        if number >= asked && drawn.reached.len() == every.len() {
            break;
        }
        let seed = first.wrapping_add(number);
        let one = one(seed, &table, &drawn.reached, options.journeys);
        let new = |row: &&'static str| every.contains(row) && !drawn.reached.contains(row);
        let rows: BTreeSet<&'static str> =
            one.journeys.iter().flat_map(|journey| journey.rows.clone()).collect();
        if number < asked || rows.iter().any(new) {
            drawn.reached.extend(rows.intersection(&every));
            drawn.topologies.push(one);
        }
    }
    drawn.missing = every.difference(&drawn.reached).copied().collect();
    drawn
}

/// A seed's topology and its journeys: first those that reach a row nobody reached yet, then any.
fn one(seed: u64, table: &Table, reached: &BTreeSet<&'static str>, most: usize) -> One {
    let text = oracle::random::text(seed);
    let topology = oracle::random::topology(seed);
    let (mut journeys, _) = predicted::journeys(table, &topology);
    shuffle(&mut journeys, seed);
    let mut seen = reached.clone();
    let mut chosen = vec![];
    let mut rest = vec![];
    for journey in journeys {
        match journey.rows.iter().any(|row| !seen.contains(row)) {
            true => {
                seen.extend(journey.rows.clone());
                chosen.push(journey);
            }
            false => rest.push(journey),
        }
    }
    let mut alone = 0;
    for journey in rest {
        let shares = journey.when.password != model::case::Password::Wrong;
        if chosen.len() < most && (shares || alone < MOST_ALONE) {
            alone += usize::from(!shares);
            chosen.push(journey);
        }
    }
    One { seed, text, role: topology.role, journeys: chosen }
}

/// `7f21 to 7f84`, and beyond them those that were needed for a row.
fn seeds(topologies: &[One]) -> String {
    let mut runs: Vec<(u64, u64)> = vec![];
    for one in topologies {
        match runs.last_mut() {
            Some((_, last)) if last.wrapping_add(1) == one.seed => *last = one.seed,
            _ => runs.push((one.seed, one.seed)),
        }
    }
    let said = runs.iter().map(|(from, to)| match from == to {
        true => format!("{from:x}"),
        false => format!("{from:x} to {to:x}"),
    });
    said.collect::<Vec<_>>().join(", ")
}

/// Where journeys are played.
struct Laboratory {
    suite: Arc<Suite>,
    ground: Arc<Ground>,
    folder: PathBuf,
    seed: u64,
    jobs: usize,
}

impl Laboratory {
    /// Plays cases against the reference of each role.
    async fn play(&self, cases: &[(Role, Arc<Case>)], stop: &CancellationToken) -> Result<Came, Exit> {
        let roles: BTreeSet<Role> = cases.iter().map(|(role, _)| *role).collect();
        let mut work = vec![];
        for role in roles {
            let subject = self.suite.subject(Suite::reference_for(role));
            let subject = subject.map_err(|error| say::suite_error(&error))?;
            let cases = cases.iter().filter(|(of, _)| *of == role).map(|(_, case)| case.clone()).collect();
            work.push(Work { subject, cases });
        }
        let how = How {
            gives_up: true,
            hosting: Hosting::InProcess,
            seed: self.seed,
            jobs: self.jobs,
            labs: self.jobs.clamp(1, 8),
            isolate: false,
            folder: self.folder.clone(),
            ledger_lines: false,
            evidence: None,
            subject: None,
        };
        let progress = Arc::new(|_, _, _| {});
        Ok(run(self.suite.clone(), self.ground.clone(), work, how, stop.clone(), progress).await)
    }
}

/// What a case's client does, in a line.
fn journey(case: &Case) -> String {
    case.steps.first().map(|step| predict::asked(&step.when)).unwrap_or_default()
}

/// Builds a topology from the text of a file.
fn built(text: &str) -> Option<Topology> {
    TopologyFiles::base(Source::new("shrunk.toml", text)).build(&Default::default()).ok()
}

fn drawn_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_topologies_reach_every_row_of_the_table() {
        for first in [1, 0xbeef] {
            let options = Random { count: 12, seed: None, journeys: 24, jobs: 1, ground: None };
            let drawn = draw(first, &options);
            assert_eq!(drawn.missing, [] as [&str; 0], "from seed {first:x}");
            assert!(
                drawn.topologies.len() >= 12 && drawn.topologies.len() < 60,
                "{}",
                drawn.topologies.len()
            );
            assert!(drawn.topologies.iter().all(|one| one.journeys.len() <= 60));
        }
    }

    #[test]
    fn journeys_become_cases_that_name_their_topologys_file() {
        let options = Random { count: 1, seed: None, journeys: 5, jobs: 1, ground: None };
        let drawn = draw(7, &options);
        let cases = drawn.topologies[0].cases(Path::new("/tmp/somewhere"));
        assert!(!cases.is_empty());
        for (_, case) in cases {
            assert_eq!(case.topology_name(), "/tmp/somewhere/random-7.toml");
            assert_eq!(
                crate::lab_of::may_share(&case),
                case.steps[0].when.password != model::case::Password::Wrong
            );
        }
    }

    #[test]
    fn seeds_are_said_as_runs() {
        let one = |seed| One { seed, text: String::new(), role: Role::FrontEnd2010, journeys: vec![] };
        assert_eq!(seeds(&[one(9), one(10), one(11), one(20)]), "9 to b, 14");
    }
}

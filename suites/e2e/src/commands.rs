//! The commands of `coexist`, and what each takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use lab::ground::GroundKind;
use model::subject::Span;
use model::verdict::Shard;
use model::{Role, RuleId, View};

use crate::exit::Exit;
use crate::run::Hosting;

mod bench;
mod canary;
mod check;
#[cfg(feature = "docker")]
mod contained;
mod doctor;
mod e2e;
mod exec;
mod explain;
mod export;
mod import;
mod init;
mod laid;
mod list;
mod merge;
mod mutants;
mod positions;
mod predict;
mod random;
mod refer;
mod say;
mod server;
mod steer;
mod up;

pub(crate) use predict::asked;

/// An Exchange coexistence lab, and a conformance suite for the proxies in front of Exchange.
#[derive(Debug, Parser)]
#[command(name = "coexist", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The folder with rules, topologies, cases and subjects.
    #[arg(long, global = true, value_name = "DIR")]
    suites: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all as expected; 1 a verdict is not; 2 bad input; 3 nothing was checked; \
4 the lab or the subject did not start, or did not last; 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the suite against a subject, or against the reference of every role.
    E2e(E2e),
    /// Leaves a lab running for people: prints how to reach it, shows what comes; Ctrl-C ends it.
    Up(up::Up),
    /// Changes a lab that `up` left running: fault, failover, move, out of service, DNS.
    Steer(steer::Steer),
    /// Runs a program in the running lab, or in one of its own: with its DNS, its certificate authority, its view.
    Exec(Exec),
    /// Prints what there is.
    List(List),
    /// Says what a case, a rule or a defect is: what, why, source, hops, how to run it.
    Explain {
        /// A case id, a rule id or a defect's id; `routes` prints what the fakes pass on.
        id: String,
    },
    /// Reports what is wrong or doubtful in topologies, cases and subjects.
    Check {
        /// Files, or names of topologies.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Prints the oracle's legs for every mailbox, client and view of a topology.
    Predict {
        /// A topology's name or file.
        topology: String,
    },
    /// Breaks the reference in every known way, and proves that the suite notices.
    Mutants(Mutants),
    /// Compares oracle and reference over random small topologies.
    Random(random::Random),
    /// Puts reports together.
    Report {
        #[command(subcommand)]
        what: merge::Reports,
    },
    /// Measures, as ratios, side by side in one run.
    Bench {
        /// article, lab-start, scale, throughput, held (ten thousand sessions where it alone is named); all where none is named.
        names: Vec<String>,
        /// How often each is measured.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Makes a topology of what administrators export from Exchange, and says what is missing and what it assumed.
    Import(import::Import),
    /// Writes a topology as a Compose file or as Kubernetes manifests with the released image.
    Export(export::Export),
    /// Writes a subject file and its template for a new proxy, every variable a comment in them.
    Init(init::Init),
    /// Looks at a subject in its seat, line by line, each with a hint.
    Doctor(doctor::Doctor),
    /// A subject that is no proxy, to prove that the suite notices.
    Canary(canary::Canary),
    /// Holds sessions for `bench held`, as it is told on its standard input.
    #[command(hide = true)]
    Hold,
    /// The reference: our own front end, started by its subject file like any proxy.
    Reference(Reference),
    /// One server of a lab as a process, for containers: it reports at the runner's door and takes up places.
    Server(Server),
    /// Copies files, one behind the other, into one: for containers that hold no other program.
    Copy {
        /// The one.
        to: PathBuf,
        /// What it is made of.
        #[arg(required = true)]
        from: Vec<PathBuf>,
    },
}

/// What `e2e` takes.
#[derive(Debug, Args, Clone)]
pub struct E2e {
    /// Only cases of this topology (repeatable): coexistence, or coexistence+pairs. A topology's file, which no case is
    /// written for, gets a case for each journey that the oracle predicts in it.
    #[arg(long, value_name = "T")]
    topology: Vec<String>,
    /// The subject file, by name or path; without it every role's reference runs its own topologies.
    #[arg(long, value_name = "S")]
    subject: Option<String>,
    /// Where the servers run.
    #[arg(long, value_name = "HOST", default_value = "in-process")]
    host: Host,
    /// Only cases whose id matches (repeatable); `*` stands for any text.
    #[arg(long, value_name = "GLOB")]
    case: Vec<String>,
    /// Only cases that hold this rule (repeatable).
    #[arg(long, value_name = "ID")]
    rule: Vec<RuleId>,
    /// Only cases whose clients stand in this view: internal or external.
    #[arg(long)]
    view: Option<View>,
    /// The seed of the order, in hexadecimal; drawn where it is not given.
    #[arg(long, value_name = "N", value_parser = hexadecimal)]
    seed: Option<u64>,
    /// Cases at once.
    #[arg(long, value_name = "N", default_value_t = 16)]
    jobs: usize,
    /// Runs the I-th of N parts: 2/3.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Runs everything so often, each time in another order.
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: usize,
    /// A lab of its own for every case.
    #[arg(long)]
    isolate: bool,
    /// Writes report.html, report.json, junit.xml, summary.md, ledger.jsonl and evidence of what failed here.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Runs only the cases that were not as expected in the report in this folder.
    #[arg(long, value_name = "DIR")]
    failed: Option<PathBuf>,
    /// An earlier report.json: says what is new, mended or regressed; who seems to have regressed is run twice again, alone.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Finds a smaller topology in which a failed case still fails, and writes both as a suite of its own beside the report; at
    /// most so many topologies are tried for each of the first three.
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "200", requires = "report")]
    shrink: Option<usize>,
    /// Which rules decide the exit code: result (what a user would notice), or likeness too. The reference is held to both.
    #[arg(long)]
    level: Option<model::rule::Level>,
    /// The ground: own, machine or mapped; the best that can be had where it is not given.
    #[arg(long, value_parser = ground)]
    ground: Option<GroundKind>,
    /// The day that deviations are held against, `2027-03-01`; today where it is not given.
    #[arg(long, value_name = "DAY")]
    today: Option<model::subject::Day>,
}

/// Where the servers of a lab run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// In this process.
    InProcess,
    /// Each in a container of its own.
    Docker,
    /// Each in a container of its own, and this process in one beside them: laid out as this file says.
    Laid(PathBuf),
    /// Each in a container of its own on whatever machine, expected as this file says.
    Expected(PathBuf),
}

impl Host {
    /// Where the servers are for who runs cases there.
    fn hosting(&self) -> Hosting {
        match self {
            Host::InProcess => Hosting::InProcess,
            Host::Docker | Host::Laid(_) => Hosting::Docker,
            Host::Expected(_) => Hosting::Network,
        }
    }
}

/// How the runner's outer half tells the inner one where it is.
const LAID: &str = "laid:";
/// How a runner is told whom to expect, where nobody knows addresses beforehand.
const EXPECTED: &str = "expected:";

impl std::str::FromStr for Host {
    type Err = String;
    fn from_str(given: &str) -> Result<Host, String> {
        match given {
            "in-process" => Ok(Host::InProcess),
            "docker" => Ok(Host::Docker),
            _ => match (given.strip_prefix(LAID), given.strip_prefix(EXPECTED)) {
                (Some(path), _) => Ok(Host::Laid(path.into())),
                (None, Some(path)) => Ok(Host::Expected(path.into())),
                (None, None) => Err("a host is `in-process` or `docker`".to_owned()),
            },
        }
    }
}

/// Says that containers are out of the usual build, and what builds them.
#[cfg(not(feature = "docker"))]
fn no_container_host(command: &str) -> Exit {
    say::error(format!(
        "this build has no container host: `cargo xtask {command} --host docker` builds one that has"
    ));
    Exit::BadInput
}

/// What `exec` takes.
#[derive(Debug, Args)]
#[command(after_help = EXEC)]
pub struct Exec {
    /// A lab that `up` left running, by its name, topology or process; the only one where it is not given.
    #[arg(long, value_name = "L", conflicts_with_all = ["topology", "subject", "ground"])]
    lab: Option<String>,
    /// A lab of its own, of this topology; coexistence where no lab runs.
    #[arg(long, value_name = "T")]
    topology: Option<String>,
    /// A lab of its own, with this one in the seat; the reference of the topology's role where it is not given.
    #[arg(long, value_name = "S")]
    subject: Option<String>,
    /// Where the program stands: internal or external.
    #[arg(long, default_value = "external")]
    view: View,
    /// A lab of its own, on this ground: own, machine or mapped.
    #[arg(long, value_parser = ground)]
    ground: Option<GroundKind>,
    /// The program and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const EXEC: &str = "Examples:\n  coexist exec -- curl -L https://mail.contoso.com/owa/\n  \
coexist exec --view internal -- dig cas2010-s3.contoso.com\n  coexist exec --topology pre-e15 -- bash";

/// What `list` takes.
#[derive(Debug, Args)]
pub struct List {
    /// cases, rules, topologies, subjects, features or defects.
    what: What,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Cases,
    Rules,
    Topologies,
    Subjects,
    Features,
    Defects,
}

/// What `mutants` takes.
#[derive(Debug, Args, Clone)]
pub struct Mutants {
    /// Only defects whose id matches (repeatable); `*` stands for any text.
    #[arg(long, value_name = "GLOB")]
    defect: Vec<String>,
    /// Defects at once, and twice as many beside in which clients mostly wait.
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// The ground: own, machine or mapped.
    #[arg(long, value_parser = ground)]
    ground: Option<GroundKind>,
}

/// What `reference` takes.
#[derive(Debug, Args)]
pub struct Reference {
    /// front-end-2013 or front-end-2010.
    #[arg(long)]
    role: Role,
    /// The lab's facts.
    #[arg(long, value_name = "PATH")]
    lab: PathBuf,
    /// Between two rounds in which a 2013 front end asks older servers for their health: 50s, or never.
    #[arg(long, value_name = "TIME", default_value = "50s", value_parser = interval)]
    health_interval: Interval,
    /// A defect to be wrapped around one of its ports.
    #[arg(long, value_name = "ID")]
    defect: Option<String>,
    /// Where a defect says that it lied, one line a lie.
    #[arg(long, value_name = "PATH")]
    fired: Option<PathBuf>,
    /// How long a browser's session lives, like 500ms; an hour where it is not given.
    #[arg(long, value_name = "TIME", value_parser = span)]
    owa_timeout: Option<std::time::Duration>,
}

/// What `server` takes.
#[derive(Debug, Args)]
pub struct Server {
    /// What it reports as: the name of its container.
    name: String,
    /// The runner's door: a Unix socket's path, or tcp://HOST:PORT, where the word in COEXIST_DOOR_WORD lets in.
    #[arg(long, value_name = "DOOR")]
    door: String,
    /// The file from which programs of this container read their resolver; once the runner is found they ask that one.
    #[arg(long, value_name = "FILE")]
    resolver: Option<PathBuf>,
    /// How long it stays once the runner is gone, as `10s`, so that whoever removes its container comes first.
    #[arg(long, value_name = "TIME", value_parser = span)]
    stays: Option<Duration>,
}

fn span(given: &str) -> Result<Duration, String> {
    model::subject::Span::try_from(given.to_owned()).map(|span| span.0).map_err(|error| error.to_string())
}

/// A time between rounds, if there are any.
#[derive(Debug, Clone, Copy)]
struct Interval(Option<Duration>);

fn interval(given: &str) -> Result<Interval, String> {
    match given {
        "never" => Ok(Interval(None)),
        time => Span::try_from(time.to_owned())
            .map(|span| Interval(Some(span.0)))
            .map_err(|error| format!("{error}, or never")),
    }
}

fn hexadecimal(given: &str) -> Result<u64, String> {
    u64::from_str_radix(given, 16)
        .map_err(|_| format!("`{given}` is no hexadecimal number; a right one: 7f21"))
}

fn ground(given: &str) -> Result<GroundKind, String> {
    given.parse().map_err(|error| format!("{error}"))
}

/// Runs a command to its end.
pub fn run(cli: Cli) -> Exit {
    let root = crate::suite::root(cli.suites.as_deref());
    match cli.command {
        Command::E2e(options) => e2e::e2e(&root, &options),
        Command::Up(options) => up::up(&root, &options),
        Command::Steer(options) => steer::steer(options),
        Command::Exec(options) => exec::exec(&root, &options),
        Command::List(options) => list::list(&root, &options),
        Command::Explain { id } => explain::explain(&root, &id),
        Command::Check { files } => check::check(&root, &files),
        Command::Predict { topology } => predict::predict(&root, &topology),
        Command::Mutants(options) => mutants::mutants(&root, &options),
        Command::Random(options) => random::random(&root, &options),
        Command::Report { what } => merge::reports(&root, &what),
        Command::Bench { names, rounds } => bench::bench(&root, &names, rounds),
        Command::Import(options) => import::import(&options),
        Command::Export(options) => export::export(&root, &options),
        Command::Init(options) => init::init(&options),
        Command::Doctor(options) => doctor::doctor(&root, &options),
        Command::Canary(options) => canary::canary(&options),
        Command::Hold => bench::hold(),
        Command::Reference(options) => refer::reference(options),
        Command::Server(options) => server::server(&options),
        Command::Copy { to, from } => server::copy(&to, &from),
    }
}

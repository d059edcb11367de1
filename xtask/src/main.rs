//! `cargo xtask COMMAND…`: dispatch for people in this tree.
//!
//! `tidy`, `ci` and `dist` are its own. For everything else it builds the one binary, `coexist`, and becomes it, so exit
//! codes and signals are the binary's. It depends on none of our crates: it must build when they do not.

mod build;
mod dispatch;
mod dist;
mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND…

Runs the suite (built and replaced by the binary `coexist`; `cargo xtask COMMAND --help` says more):
  e2e        runs the cases against a subject, or against the reference of each role
  init       a subject file and its template for a new proxy
  doctor     looks at a subject in its seat, line by line
  up         leaves a lab running: how to reach it, what comes, a page; Ctrl-C ends it
  steer      in a running lab: fault, failover, move, out of service, DNS
  exec       runs a program inside a lab: its DNS, its CA, its view
  list       cases, rules, topologies, subjects, features, defects
  explain    a case, rule or defect: what, why, source, hops, how to run it
  check      topologies, cases, subjects: what is wrong or doubtful in them
  predict    the oracle's legs for every mailbox, client and view of a topology
  import     a topology of what administrators export from Exchange
  export     a topology as a Compose file or as Kubernetes manifests
  mutants    each defect of the reference must be caught; prints who caught it
  bench      ratios, measured side by side in one run; of an optimised build, minutes the first time

Looks after this tree:
  tidy       refuses what the style forbids and the compiler cannot see
  ci         runs .ci/run, as the CI system does
  dist       target/dist: the binary as one static file, an archive, the image, and the SHA-256 of each;
             --output DIR puts them there, --profile dev takes the binary that `e2e --host docker` builds
  help       this text

Any other command is passed to `coexist` too, which says so if it has none of that name.
Exit codes: those of the command; 1 where tidy refuses something; 2 without a command or where something
cannot be built.
";

/// Bad input, and whatever keeps a command from starting.
const CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let root = root();
    let done = match arguments.first().map(String::as_str) {
        None => {
            eprint!("{HELP}");
            return ExitCode::from(CANNOT_START);
        }
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Some("tidy") => alone(&arguments).and_then(|()| tidy::run(&root)),
        Some("ci") => alone(&arguments).and_then(|()| dispatch::ci(&root)),
        Some("dist") => dist::run(&root, &arguments[1..]),
        Some(_) => dispatch::coexist(&root, &arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::from(CANNOT_START)
    })
}

/// Most commands of our own take no arguments; one that is ignored would be a filter that filters nothing.
fn alone(arguments: &[String]) -> anyhow::Result<()> {
    match arguments.get(1) {
        None => Ok(()),
        Some(extra) => {
            anyhow::bail!("`cargo xtask {}` takes no arguments, and was given `{extra}`", arguments[0])
        }
    }
}

/// The tree: the folder above this crate's.
fn root() -> PathBuf {
    let own = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&own).parent().map(Path::to_path_buf).unwrap_or_default()
}

//! `coexist export`: a topology as a Compose file or as Kubernetes manifests, for an existing engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use docker::{Addresses, Positions};
use formats::manifests::{
    Cluster, Container, File, Lab, Pod, READ, RESOLVER, ROLL, SHARED, TOPOLOGY, compose, kubernetes,
};
use ipnet::Ipv4Net;
use lab::ground::{Layout, Place};
use lab::host::{Door, drawn_word};
use ledger::way::Word;
use model::case::Case;
use model::{ServerName, Topology};

use super::{EXPECTED, LAID, import, positions, say};
use crate::exit::Exit;
use crate::predicted;
use crate::select::Filter;
use crate::suite::Suite;

/// What `export` takes.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// A topology's name or file.
    topology: String,
    /// For which tool.
    #[arg(long, value_enum)]
    format: Format,
    /// The folder that is written; it is made where it is not there.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The released image: docker/Dockerfile makes it.
    #[arg(long, default_value = "coexist")]
    image: String,
    /// A private network, as 10.99.0.0/16, from which a Compose file's two networks are taken, where the engine has others at
    /// those of 198.18.0.0/15.
    #[arg(long, value_name = "CIDR", value_parser = subnet)]
    subnet: Option<Ipv4Net>,
    /// Replaces files that are there.
    #[arg(long)]
    replace: bool,
    /// What the runner's `e2e` is told besides: -- --case 'coexistence/owa/*'
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// compose.yaml and what it mounts: a network of the engine for each plane.
    Compose,
    /// lab.yaml: a Pod for each server, which may be on any node, and a Job for the runner. It holds a Secret.
    Kubernetes,
}

/// What stands before a lab's name.
const PREFIX: &str = "coexist-";
/// The longest name of a Job (RFC 1123), less that.
const LONGEST_NAME: usize = 63 - PREFIX.len();
/// The rights of a file that holds a secret.
const OF_OWNER: u32 = 0o600;
/// How long servers of a Compose file stay when the runner is gone: Compose ends them with it, and not before it has said all.
const STAYS: &str = "10s";
/// Which pair of networks, where none is given.
const CHOICE: u32 = 0;

pub(super) fn export(root: &Path, options: &Export) -> Exit {
    inner(root, options).map_or_else(|exit| exit, |()| Exit::AsExpected)
}

fn inner(root: &Path, options: &Export) -> Result<(), Exit> {
    if options.format == Format::Kubernetes && options.subnet.is_some() {
        return Err(bad_input("--subnet is for --format compose: a Pod's address is the cluster's to give"));
    }
    let played = Played::of(root, options)?;
    let (count, files, next) = match options.format {
        Format::Compose => {
            let lab = on_one_machine(&played, options)?;
            let next = "docker compose up --abort-on-container-exit --exit-code-from runner";
            (lab.servers.len(), compose(&lab), next)
        }
        Format::Kubernetes => {
            let lab = on_nodes(&played, options)?;
            (lab.servers.len(), kubernetes(&lab), "kubectl create -f lab.yaml")
        }
    };
    write(&options.output, &files, options.replace)?;
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    println!("{}: {}; {count} servers and a runner", options.output.display(), names.join(", "));
    println!("next: cd {}; {next}", options.output.display());
    Ok(())
}

/// Who is needed for what is played in a topology, and the topology's file where it is none of the image's own.
struct Played {
    positions: Positions,
    /// Where processes of their own are started: the seats, and the front ends behind them.
    seats: BTreeSet<ServerName>,
    file: Option<String>,
}

impl Played {
    fn of(root: &Path, options: &Export) -> Result<Played, Exit> {
        let (suite, given) = (say::suite(root)?, &options.topology);
        if Path::new(given).is_file() { Played::in_file(&suite, given) } else { Played::named(&suite, given) }
    }

    /// The oracle's journeys, which change no address. There may be many, and here none is looked at.
    fn in_file(suite: &Suite, path: &str) -> Result<Played, Exit> {
        let topology = suite.topology(path, &Default::default()).map_err(|error| say::suite_error(&error))?;
        predicted::any(path, &topology).map_err(|error| say::suite_error(&error))?;
        let text = crate::suite::read_text(Path::new(path))
            .map_err(|error| bad_input(format!("{path}: {error}")))?;
        let positions = Positions::of([&topology], false);
        Ok(Played { positions, seats: seats(&topology).collect(), file: Some(text) })
    }

    fn named(suite: &Suite, given: &str) -> Result<Played, Exit> {
        let filter = Filter { topologies: vec![given.to_owned()], ..Filter::default() };
        let cases = filter.select(&suite.cases);
        if cases.is_empty() {
            return Err(bad_input(format!(
                "no case is played in `{given}`; `coexist list topologies` prints those that there are, and a path is a path"
            )));
        }
        let mut all = BTreeSet::new();
        for case in cases.iter().filter(|case| case.finds.is_none()) {
            let topology = suite.topology_of(case).map_err(|error| say::suite_error(&error))?;
            all.extend(seats(&topology));
        }
        let cases: Vec<&Case> = cases.iter().map(|case| &**case).collect();
        Ok(Played { positions: positions::of(suite, &cases)?, seats: all, file: None })
    }

    /// What the runner is told.
    fn run(&self, host: String, options: &Export) -> Vec<String> {
        let given = options.topology.clone();
        let topology = if self.file.is_some() { format!("{SHARED}/{TOPOLOGY}") } else { given };
        let words = ["e2e".to_owned(), "--host".to_owned(), host, "--topology".to_owned(), topology];
        words.into_iter().chain(options.options.iter().cloned()).collect()
    }
}

/// Containers on one engine, each at an address that is written down.
fn on_one_machine(played: &Played, options: &Export) -> Result<Lab, Exit> {
    played.positions.fit().map_err(bad_input)?;
    let Addresses { inside, outside, layout } = match options.subnet {
        Some(subnet) => played.positions.addressed_in(subnet).map_err(bad_input)?,
        None => played.positions.addressed(CHOICE),
    };
    let container = |name: &str, command: Vec<String>, place: &Place| Container {
        name: name.to_owned(),
        command,
        inside: place.inside,
        outside: place.outside,
    };
    let door = format!("{SHARED}/{}", Door::SOCKET);
    let server = |name: &str, place: &Place| {
        container(name, words(&["server", name, "--door", &door, "--stays", STAYS]), place)
    };
    let servers = layout.servers.iter().map(|(name, place)| server(name.as_str(), place));
    let elsewhere = layout.elsewhere.iter().map(|place| server(Layout::ELSEWHERE, place));
    let run = played.run(format!("{LAID}{SHARED}/layout.json"), options);
    Ok(Lab {
        name: called(&options.topology),
        image: options.image.clone(),
        inside,
        outside,
        runner: container("runner", run, &layout.own),
        servers: servers.chain(elsewhere).collect(),
        layout: serde_json::to_string(&layout).map_err(|error| bad_input(error.to_string()))?,
        topology: played.file.clone(),
    })
}

/// Pods wherever there is room, which find the runner by its name.
fn on_nodes(played: &Played, options: &Export) -> Result<Cluster, Exit> {
    let roll = played.positions.roll();
    let name = format!("{PREFIX}{}", called(&options.topology));
    let door = format!("tcp://{name}:{}", Door::PORT);
    let pod = |server: &str| {
        let seat = played.seats.iter().any(|seat| seat.as_str() == server);
        let mut command = words(&["server", server, "--door", &door]);
        if seat {
            command.extend(words(&["--resolver", &format!("/etc/{RESOLVER}")]));
        }
        Pod { name: server.to_owned(), command, seat }
    };
    let servers = roll.names().map(pod).collect();
    let roll = serde_json::to_string(&roll).map_err(|error| bad_input(error.to_string()))?;
    let word = drawn_word().map_err(|error| {
        say::error(error);
        Exit::Broken
    })?;
    Ok(Cluster {
        name,
        image: options.image.clone(),
        port: Door::PORT,
        word: (Word::VARIABLE.to_owned(), word),
        runner: played.run(format!("{EXPECTED}{READ}/{ROLL}"), options),
        servers,
        roll,
        topology: played.file.clone(),
        copy: words(&["copy"]),
    })
}

fn seats(topology: &Topology) -> impl Iterator<Item = ServerName> {
    let behind = topology.front_end.as_ref().map(|place| place.server.clone());
    std::iter::once(topology.seat.clone()).chain(behind)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A topology's name as Kubernetes takes it.
fn called(topology: &str) -> String {
    let stem = Path::new(topology).file_stem().map_or_else(|| topology.into(), |stem| stem.to_string_lossy());
    let plain = stem.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let short: String = plain.trim_matches('-').chars().take(LONGEST_NAME).collect();
    let name = short.trim_matches('-');
    if name.is_empty() { "lab".to_owned() } else { name.to_owned() }
}

/// All of them or none: what is there already is said before anything is written.
fn write(folder: &Path, files: &[File], replace: bool) -> Result<(), Exit> {
    let failed = |path: &Path, error: std::io::Error| {
        say::error(format!("{}: {error}", path.display()));
        Exit::Broken
    };
    let there = files.iter().map(|file| folder.join(file.name)).find(|path| path.exists());
    if let Some(path) = there.filter(|_| !replace) {
        let says = format!("{} is there already: name another folder, or say --replace", path.display());
        return Err(bad_input(says));
    }
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for file in files {
        let path = folder.join(file.name);
        let mode = if file.private { OF_OWNER } else { import::OF_ALL };
        import::whole(&path, &file.text, replace, mode).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

fn subnet(given: &str) -> Result<Ipv4Net, String> {
    given.parse().map_err(|_| "it is no network; right is one like 10.99.0.0/16".to_owned())
}

fn bad_input(says: impl std::fmt::Display) -> Exit {
    say::error(says);
    Exit::BadInput
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_called_as_kubernetes_takes_it() {
        assert_eq!(called("coexistence+pairs"), "coexistence-pairs");
        assert_eq!(called("/somewhere/Contoso AG.toml"), "contoso-ag");
        assert_eq!(called("+++"), "lab");
        assert_eq!(called(&"a".repeat(80)).len(), LONGEST_NAME);
    }
}

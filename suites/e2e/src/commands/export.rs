//! `coexist export`: a topology as a Compose file or as Kubernetes manifests, for an existing engine.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use docker::Addresses;
use formats::manifests::{Container, File, Lab, SHARED, compose, kubernetes};
use lab::ground::Place;
use lab::host::Door;

use super::{LAID, import, positions, say};
use crate::exit::Exit;
use crate::predicted;
use crate::select::Filter;

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
    /// lab.yaml: a Job whose one Pod is the lab.
    Kubernetes,
}

/// The longest name of a Job (RFC 1123), less what stands before ours.
const LONGEST_NAME: usize = 63 - "coexist-".len();
/// Which pair of networks; whoever has others there changes it in one place of the file.
const CHOICE: u32 = 0;

pub(super) fn export(root: &Path, options: &Export) -> Exit {
    inner(root, options).map_or_else(|exit| exit, |()| Exit::AsExpected)
}

fn inner(root: &Path, options: &Export) -> Result<(), Exit> {
    let lab = lab(root, options)?;
    let (files, next) = match options.format {
        Format::Compose => {
            (compose(&lab), "docker compose up --abort-on-container-exit --exit-code-from runner")
        }
        Format::Kubernetes => (kubernetes(&lab), "kubectl apply -f lab.yaml"),
    };
    write(&options.output, &files, options.replace)?;
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    println!(
        "{}: {}; {} servers and a runner",
        options.output.display(),
        names.join(", "),
        lab.servers.len()
    );
    println!("next: cd {}; {next}", options.output.display());
    Ok(())
}

fn lab(root: &Path, options: &Export) -> Result<Lab, Exit> {
    let given = &options.topology;
    let topologies = [given.clone()];
    let (suite, _) =
        predicted::added(say::suite(root)?, &topologies).map_err(|error| say::suite_error(&error))?;
    let chosen = Filter { topologies: topologies.to_vec(), ..Filter::default() }.select(&suite.cases);
    if chosen.is_empty() {
        return Err(bad_input(format!(
            "no case is played in `{given}`; `coexist list topologies` prints those that there are, and a path is a path"
        )));
    }
    let cases: Vec<_> = chosen.iter().map(|case| &**case).collect();
    let addresses = positions::of(&suite, &cases)?.addressed(CHOICE);
    let addresses = if options.format == Format::Kubernetes { on_loopback(addresses) } else { addresses };
    let Addresses { inside, outside, layout } = addresses;
    let file = Path::new(given).is_file().then(|| std::fs::read_to_string(given)).transpose();
    let topology = file.map_err(|error| bad_input(format!("{given}: {error}")))?;
    let played_in = if topology.is_some() { format!("{SHARED}/topology.toml") } else { given.clone() };
    let laid = format!("{LAID}{SHARED}/layout.json");
    let mut run = vec!["e2e", "--host", &laid, "--topology", &played_in];
    run.extend(options.options.iter().map(String::as_str));
    let container = |name: &str, command: &[&str], place: &Place| Container {
        name: name.to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        inside: place.inside,
        outside: place.outside,
    };
    let door = format!("{SHARED}/{}", Door::SOCKET);
    let server = |name: &str, place: &Place| container(name, &["server", name, "--door", &door], place);
    let servers = layout.servers.iter().map(|(name, place)| server(name.as_str(), place));
    let elsewhere = layout.elsewhere.iter().map(|place| server(lab::ground::Layout::ELSEWHERE, place));
    Ok(Lab {
        name: called(given),
        image: options.image.clone(),
        inside,
        outside,
        runner: container("runner", &run, &layout.own),
        servers: servers.chain(elsewhere).collect(),
        layout: serde_json::to_string(&layout).map_err(|error| bad_input(error.to_string()))?,
        topology,
    })
}

/// The containers of a Pod share its loopback: 198.18.9.10 is 127.18.9.10 there. A server that is on both planes listens on
/// every address that it sees; here that would be all of them, so each has one, and the views are the runner's to tell apart.
fn on_loopback(mut addresses: Addresses) -> Addresses {
    let there = |address: IpAddr| match address {
        IpAddr::V4(v4) => {
            let [_, b, c, d] = v4.octets();
            IpAddr::V4(Ipv4Addr::new(127, b, c, d))
        }
        v6 => v6,
    };
    let layout = &mut addresses.layout;
    for place in layout.servers.values_mut().chain(&mut layout.elsewhere) {
        *place = Place { inside: there(place.inside), outside: None };
    }
    layout.own = Place { inside: there(layout.own.inside), outside: layout.own.outside.map(there) };
    addresses
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
        import::whole(&path, &file.text, replace).map_err(|error| failed(&path, error))?;
    }
    Ok(())
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

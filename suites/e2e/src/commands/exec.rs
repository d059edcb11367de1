//! `coexist exec`: any program in the lab that `up` left running, or in one of its own, with the lab's DNS, certificate authority
//! and view.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use lab::ground::{Ground, GroundKind};
use lab::{Lab, Plan};
use ledger::Ledger;
use model::View;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use super::{Exec, say};
use crate::exit::Exit;
use crate::lab_of;
use crate::suite::Suite;
use crate::up::register::{self, Entry};

pub(super) fn exec(root: &Path, options: &Exec) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &Exec) -> Result<Exit, Exit> {
    // Who asks for a topology, a subject or a ground wants a lab that has it.
    let own = options.topology.is_some() || options.subject.is_some() || options.ground.is_some();
    let running = if own { Ok(None) } else { register::chosen(options.lab.as_deref()) };
    match running {
        Ok(Some(lab)) => join(&lab, options),
        Ok(None) => bring_up(root, options),
        Err(says) => {
            say::error(format!("{says}; or --topology T for a lab of its own"));
            Err(Exit::BadInput)
        }
    }
}

/// Runs the program in a lab that runs already.
fn join(lab: &Entry, options: &Exec) -> Result<Exit, Exit> {
    let ground = match lab.stands_on() {
        Some(GroundKind::Own) => Ground::join(lab.process).map_err(broken)?,
        // The lab is where everybody is, and so is its DNS, on its canonical port.
        Some(kind @ (GroundKind::Machine | GroundKind::Planes)) => {
            Ground::beside(kind).unwrap_or_else(|error| {
                say::error(error);
                Ground::mapped()
            })
        }
        Some(GroundKind::Mapped) | None => Ground::mapped(),
    };
    let folder = say::Folder::make()?;
    let dns = match options.view {
        View::Internal => lab.dns_internal,
        View::External => lab.dns_external,
    };
    say::runtime()?.block_on(async {
        let stop = told_to_stop();
        let inside = Inside { ground: &ground, ca: &lab.ca, dns, folder: folder.path() };
        let covers = inside.covers()?;
        eprintln!("coexist: joined {}, {} view; DNS {dns}", lab.lab, options.view);
        say_of_files(covers, dns);
        inside.program(options, &stop).await
    })
}

/// Runs the program in a lab of its own.
fn bring_up(root: &Path, options: &Exec) -> Result<Exit, Exit> {
    let ground = say::ground(options.ground)?;
    let suite = say::suite(root)?;
    let topology = options.topology.as_deref().unwrap_or("coexistence");
    let topology = suite.topology(topology, &Default::default()).map_err(|error| say::suite_error(&error))?;
    let name = options.subject.clone().unwrap_or_else(|| Suite::reference_for(topology.role).to_owned());
    let subject = suite.subject(&name).map_err(|error| say::suite_error(&error))?;
    let folder = say::Folder::make()?;
    let front_end = lab_of::front_end(&suite, &topology).map_err(|error| say::suite_error(&error))?;
    let plan = Plan {
        topology,
        subject: Some(subject),
        front_end,
        leases: vec![],
        faults: vec![],
        health_rounds: false,
        answers: vec![],
        moves: vec![],
        ledger: Ledger::default(),
        folder: folder.path().join("lab"),
    };
    let runtime = say::runtime()?;
    runtime.block_on(async {
        let stop = told_to_stop();
        let started = tokio::select! {
            () = stop.cancelled() => return Err(Exit::Interrupted),
            started = Lab::start(&ground, plan) => started,
        };
        let lab = started.map_err(|error| {
            say::error(error);
            Exit::Broken
        })?;
        let dns = match options.view {
            View::Internal => lab.doors().dns_internal,
            View::External => lab.doors().dns_external,
        };
        let ca = lab.folder().join("ca.pem");
        let inside = Inside { ground: &ground, ca: &ca, dns, folder: lab.folder() };
        let ended = match inside.covers() {
            Ok(covers) => {
                greet(&lab, options, covers, dns);
                inside.program(options, &stop).await
            }
            Err(exit) => Err(exit),
        };
        lab.stop().await;
        ended
    })
}

/// At a terminal Ctrl-C is the program's: a shell in a lab is not left by it.
fn told_to_stop() -> CancellationToken {
    if std::io::stdin().is_terminal() { say::terminated() } else { say::interrupted() }
}

/// By these a company's machine sends every program to a proxy, which knows no name of the lab.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"];

/// What a program in a lab is given.
struct Inside<'a> {
    ground: &'a Ground,
    ca: &'a Path,
    dns: SocketAddr,
    /// A folder of this process's own.
    folder: &'a Path,
}

impl Inside<'_> {
    /// Makes the lab's DNS the system's, and the lab's CA one of the system's, where the ground allows it; says whether it does.
    fn covers(&self) -> Result<bool, Exit> {
        let trusts = self.ground.use_authority(self.ca, self.folder).map_err(broken)?;
        let resolves = self.ground.use_resolver(self.dns.ip(), self.folder).map_err(broken)?;
        Ok(trusts && resolves)
    }

    async fn program(&self, options: &Exec, stop: &CancellationToken) -> Result<Exit, Exit> {
        let (program, arguments) = options.command.split_first().ok_or(Exit::BadInput)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::inherit());
        for name in [
            "SSL_CERT_FILE",
            "CURL_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
            "LDAPTLS_CACERT",
            "COEXIST_CA",
        ] {
            command.env(name, self.ca);
        }
        command.env("COEXIST_DNS", self.dns.to_string());
        for name in PROXIES {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        // At a terminal the program shares the terminal's group, and Ctrl-C reaches it as it reaches us. Elsewhere it has a
        // group of its own, so that what it starts in turn ends with it.
        let grouped = !std::io::stdin().is_terminal();
        if grouped {
            command.process_group(0);
        }
        let mut child =
            tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(|error| {
                say::error(format!("{program}: {error}"));
                Exit::BadInput
            })?;
        let status = tokio::select! {
            () = stop.cancelled() => {
                end(&mut child, grouped).await;
                return Err(Exit::Interrupted);
            }
            status = child.wait() => status.map_err(|error| broken(format!("{program}: {error}")))?,
        };
        if status.success() {
            return Ok(Exit::AsExpected);
        }
        say::error(format!("{program} ended with {status}"));
        Ok(Exit::NotAsExpected)
    }
}

fn broken(error: impl std::fmt::Display) -> Exit {
    say::error(error);
    Exit::Broken
}

/// Ends a program and what it started: it is asked, and after a while it is killed.
async fn end(child: &mut Child, grouped: bool) {
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let tell = |signal| {
        if let Some(group) = group.filter(|_| grouped) {
            // A group that is gone already needs no telling.
            let _ = kill_process_group(group, signal);
        }
    };
    tell(Signal::TERM);
    if crate::clock::within(crate::clock::PROGRAM, child.wait()).await.is_none() {
        tell(Signal::KILL);
        drop(child.kill().await);
    }
}

fn say_of_files(covers: bool, dns: SocketAddr) {
    if !covers {
        eprintln!(
            "coexist: this ground keeps the machine's own resolver and trusted certificates: ask {dns} for names, trust what \
             COEXIST_CA names, or use --ground own"
        );
    }
}

fn greet(lab: &Lab, options: &Exec, covers: bool, dns: SocketAddr) {
    let topology = lab.directory().topology();
    eprintln!("coexist: {} is up, {} view; DNS {dns}", topology.name, options.view);
    say_of_files(covers, dns);
    for (name, leads) in &topology.namespaces {
        let servers = if options.view == View::Internal { &leads.internal } else { &leads.external };
        if let Some(server) = servers.first() {
            let address = lab.address(server).map(|ip| ip.to_string()).unwrap_or_default();
            eprintln!("  {name:<34} {server} {address}");
        }
    }
    for name in topology.mailboxes.keys() {
        if let Some(account) = lab.directory().find(name.as_str()) {
            eprintln!("  user {:<20} password {}", account.account, account.password);
        }
    }
}

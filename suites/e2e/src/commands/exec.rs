//! `coexist exec`: any program in a lab of its own, with the lab's DNS, certificate authority and view.

use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use lab::ground::Ground;
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

pub(super) fn exec(root: &Path, options: &Exec) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &Exec) -> Result<Exit, Exit> {
    let ground = say::ground(options.ground)?;
    let suite = say::suite(root)?;
    let topology =
        suite.topology(&options.topology, &Default::default()).map_err(|error| say::suite_error(&error))?;
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
        // At a terminal Ctrl-C is the program's: a shell in a lab is not left by it.
        let stop = if std::io::stdin().is_terminal() { say::terminated() } else { say::interrupted() };
        let started = tokio::select! {
            () = stop.cancelled() => return Err(Exit::Interrupted),
            started = Lab::start(&ground, plan) => started,
        };
        let lab = started.map_err(|error| {
            say::error(error);
            Exit::Broken
        })?;
        let ended = program(&ground, &lab, options, &stop).await;
        lab.stop().await;
        ended
    })
}

async fn program(ground: &Ground, lab: &Lab, options: &Exec, stop: &CancellationToken) -> Result<Exit, Exit> {
    let dns = match options.view {
        View::Internal => lab.doors().dns_internal,
        View::External => lab.doors().dns_external,
    };
    let broken = |says: String| {
        say::error(says);
        Exit::Broken
    };
    let resolves = ground.use_resolver(dns.ip(), lab.folder()).map_err(|error| broken(error.to_string()))?;
    greet(lab, options, resolves, dns);
    let ca = lab.folder().join("ca.pem");
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
        command.env(name, &ca);
    }
    command.env("COEXIST_DNS", dns.to_string());
    // At a terminal the program shares the terminal's group, and Ctrl-C reaches it as it reaches us. Elsewhere it has a
    // group of its own, so that what it starts in turn ends with it.
    let grouped = !std::io::stdin().is_terminal();
    if grouped {
        command.process_group(0);
    }
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(|error| {
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

fn greet(lab: &Lab, options: &Exec, resolves: bool, dns: std::net::SocketAddr) {
    let topology = lab.directory().topology();
    eprintln!("coexist: {} is up, {} view; DNS {dns}", topology.name, options.view);
    if !resolves {
        eprintln!(
            "coexist: this ground keeps the machine's own resolver: ask {dns} for names, or use --ground own"
        );
    }
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

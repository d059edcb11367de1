//! How long a lab takes to come up, beside the bare cost: as many listeners, as many certificates.

use std::time::{Duration, Instant};

use lab::pki::Authority;
use lab::{Lab, Plan};
use ledger::Ledger;
use model::subject::Subject;
use model::topology::ServerRole;
use model::{Topology, Version};

use super::figures::{Figures, ratio};
use super::{Setting, Unmeasured};
use crate::suite::Suite;

const TOPOLOGY: &str = "coexistence";

pub(super) async fn measure(setting: &Setting) -> Result<String, Unmeasured> {
    let topology = setting.suite.topology(TOPOLOGY, &Default::default())?;
    let reference = setting.suite.subject(Suite::reference_for(topology.role))?;
    let (mut empty, mut seated, mut bare) = (Figures::default(), Figures::default(), Figures::default());
    let (mut down, mut listeners) = (Figures::default(), 0);
    for round in 0..setting.rounds {
        let (up, took_down) = once(setting, &topology, None, round).await?;
        empty.add_time(up);
        down.add_time(took_down);
        seated.add_time(once(setting, &topology, Some(reference.clone()), round).await?.0);
        let (took, count) = bind_and_certify(setting, &topology)?;
        bare.add_time(took);
        listeners = count;
        if setting.stop.is_cancelled() {
            break;
        }
    }
    let mut lines = format!("  {TOPOLOGY}: {} servers, {listeners} listeners\n", topology.servers.len());
    lines.push_str(&empty.line("up, a fake in the seat", "ms"));
    lines.push_str(&seated.line("up, the reference seated", "ms"));
    lines.push_str(&bare.line("bare listeners, certificates", "ms"));
    lines.push_str(&down.line("down", "ms"));
    lines.push_str(&ratio("up over bare", &empty, &bare, "up in 100 ms, down in 1 s"));
    Ok(lines)
}

/// Up, and down again.
async fn once(
    setting: &Setting,
    topology: &Topology,
    subject: Option<(Subject, std::path::PathBuf)>,
    round: usize,
) -> Result<(Duration, Duration), Unmeasured> {
    let seated = subject.is_some();
    let plan = Plan {
        topology: topology.clone(),
        subject,
        front_end: None,
        leases: vec![],
        faults: vec![],
        health_rounds: false,
        answers: vec![],
        moves: vec![],
        ledger: Ledger::default(),
        folder: setting.folder.join(format!("lab-start-{round}-{seated}")),
    };
    let started = Instant::now();
    let lab = Lab::start(&setting.ground, plan).await?;
    let up = started.elapsed();
    let stopping = Instant::now();
    lab.stop().await;
    Ok((up, stopping.elapsed()))
}

/// What a lab cannot do without: its listeners bound, DNS and directory among them, and a certificate a server.
fn bind_and_certify(setting: &Setting, topology: &Topology) -> Result<(Duration, usize), Unmeasured> {
    let started = Instant::now();
    let block = setting.ground.claim(1)?;
    let authority = Authority::new()?;
    let wrong = |error| Unmeasured::Io("a bare listener", error);
    let (mut held, mut certificates) = (vec![], vec![]);
    for ((name, server), number) in topology.servers.iter().zip(10..) {
        let mut ports = vec![];
        if server.is(ServerRole::ClientAccess) {
            ports.extend([443, 80]);
        }
        if server.is(ServerRole::Mailbox) {
            let back_end = server.version == Version::Exchange2013;
            ports.push(if back_end { exchange::BACK_END_PORT } else { exchange::RPC_PORT });
        }
        for port in ports {
            held.push(block.listen(block.address(number), port).map_err(wrong)?);
        }
        certificates.push(authority.leaf(&topology.names_of(name), server.certificate)?.server_config());
    }
    let dns = [2, 3].map(|number| block.listen_dns(block.address(number), 53));
    held.push(block.listen(block.address(4), 80).map_err(wrong)?);
    let took = started.elapsed();
    // UDP and TCP are a listener each.
    let count = held.len() + 2 * dns.len();
    for pair in dns {
        pair.map_err(wrong)?;
    }
    drop(certificates);
    Ok((took, count))
}

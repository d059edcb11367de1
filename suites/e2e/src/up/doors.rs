//! The doors outside: for each name and port that the internet sees, a listener on this machine's loopback that leads there.
//!
//! A door belongs to a name and no server: where the name leads is looked up in the external view for each connection, so
//! that a changed DNS record shows to whoever comes in by it. Where servers are containers this machine reaches them itself, and
//! a door is no more than the address to which its name leads now.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lab::Lab;
use lab::dns::Names;
use ledger::Opener;
use model::case::Over;
use model::mail::client_port;
use model::{CaseId, HostName, Protocol, ServerName, Topology, View};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::connections;
use super::live::{Event, Live};
use crate::clock;

/// Connections through one door at once.
const MOST_CONNECTIONS: usize = 256;
/// How long a connection inside may take to come about.
const DIAL: Duration = Duration::from_secs(10);

/// A name and a canonical port of the internet's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) name: HostName,
    pub(crate) port: u16,
}

/// Where the doors are.
#[derive(Debug)]
pub(crate) enum Ways {
    /// Listeners on this machine's loopback.
    Opened(Vec<(Door, SocketAddr)>),
    /// Wherever the external view leads.
    Straight(Vec<Door>),
}

impl Ways {
    /// Each door, and where it is now; nowhere where its name does not resolve.
    pub(crate) fn now(&self, names: &Names) -> Vec<(Door, Option<SocketAddr>)> {
        let leads = |door: &Door| {
            let address = names.addresses(View::External, &door.name).first().copied()?;
            Some(SocketAddr::new(address, door.port))
        };
        match self {
            Ways::Opened(doors) => doors.iter().map(|(door, at)| (door.clone(), Some(*at))).collect(),
            Ways::Straight(doors) => doors.iter().map(|door| (door.clone(), leads(door))).collect(),
        }
    }
}

/// Every door that a topology has: the web of each published name, and the mail services of the servers behind it.
pub(crate) fn of(topology: &Topology) -> Vec<Door> {
    let published = topology.namespaces.iter().filter(|(_, leads)| !leads.external.is_empty());
    published
        .flat_map(|(name, leads)| {
            let mail = leads.external.iter().flat_map(|server| mail_ports(topology, server));
            let ports: BTreeSet<u16> = mail.collect();
            [443, 80].into_iter().chain(ports).map(|port| Door { name: name.clone(), port })
        })
        .collect()
}

fn mail_ports(topology: &Topology, server: &ServerName) -> Vec<u16> {
    let runs = |protocol| {
        let server = topology.server(server)?;
        server.mail(protocol).filter(|service| service.runs).map(|_| protocol)
    };
    let running = [Protocol::Imap, Protocol::Pop].into_iter().filter_map(runs);
    running.flat_map(|protocol| [Over::Plain, Over::Tls].map(|over| client_port(protocol, over))).collect()
}

/// Lets connections through until told to stop; then those that are open end, and are joined.
pub(crate) async fn lead_in(
    lab: Arc<Lab>,
    door: Door,
    listener: TcpListener,
    live: Live,
    stop: CancellationToken,
) {
    let door = Arc::new(door);
    let carried = |stream| {
        let (lab, door, live) = (lab.clone(), door.clone(), live.clone());
        // A connection that breaks off concerns those at its ends alone.
        async move { drop(carry(&lab, &door, stream, &live).await) }
    };
    connections::served(listener, MOST_CONNECTIONS, &stop, carried).await;
}

async fn carry(lab: &Lab, door: &Door, mut outside: TcpStream, live: &Live) -> std::io::Result<()> {
    let address = lab.names().addresses(View::External, &door.name).first().copied();
    let server = address.and_then(|ip| lab.positions().get(&ip).cloned());
    live.tell(Event::Connected { name: door.name.clone(), port: door.port, server });
    let Some(address) = address else { return Ok(()) };
    let to: SocketAddr = lab.dials().real(address, door.port);
    let dialled = lab.ledger().dial(lab.client_address(View::External), to, Opener::Client(people()));
    let Some(inside) = clock::within(DIAL, dialled).await else { return Ok(()) };
    let mut inside = inside?;
    outside.set_nodelay(true)?;
    copy_bidirectional(&mut outside, &mut inside).await?;
    Ok(())
}

/// Whose the connections are that come in by a door: no case's.
fn people() -> CaseId {
    "up/outside".parse().expect("a literal")
}

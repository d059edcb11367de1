//! Exchange servers that serve, pass on and record, faithful per version where a client or proxy can tell.
//!
//! Each works out for itself what it serves and what it passes on (`route`), from the facts of the directory; it
//! shares no such choice with the reference or the oracle.

mod answered;
mod autodiscover;
mod body;
mod channels;
mod clock;
mod dictated;
pub mod fault;
mod listen;
mod mail;
mod mapi;
mod pass_on;
pub mod route;
mod rpc;
mod server;
mod sign_in;
mod spoken;
mod store;
mod tap;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use directory::Directory;
use ledger::Ledger;
use model::{HostName, Protocol, ServerName};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use fault::{Dictated, Faults, Script};
pub use store::Stores;

/// Where a DNS name of the inside and a canonical port really lead.
pub type Dials = Arc<dyn Fn(&HostName, u16) -> Option<SocketAddr> + Send + Sync>;

/// The port of the endpoint mapper.
pub const ENDPOINT_MAPPER_PORT: u16 = 135;

/// The port on which servers of 2007 and 2010 take MS-RPC. A lab's choice: real ones are dynamic, behind the endpoint
/// mapper.
pub const RPC_PORT: u16 = 6001;

/// The port of the Exchange 2013 back end (wire facts 8).
pub const BACK_END_PORT: u16 = 444;

/// What every server of a lab shares.
pub struct World {
    /// Where arrivals are recorded.
    pub ledger: Ledger,
    /// The facts, sign-in checks and tickets.
    pub directory: Directory,
    /// Names inside, to addresses.
    pub dials: Dials,
    /// Whom servers trust when they dial one another.
    pub trust: Arc<rustls::RootCertStore>,
    /// Misbehaviour switched on by cases.
    pub faults: Faults,
    /// What the Mailbox servers hold.
    pub stores: Stores,
    /// What servers do with a request that they hold.
    pub routes: Vec<route::Row>,
}

/// One server's place in a lab: its name, the address it dials from, the sockets it holds.
pub struct Machine {
    /// Which server of the topology it is.
    pub name: ServerName,
    /// The address it dials from.
    pub source: IpAddr,
    /// Its listeners.
    pub listeners: Vec<Listener>,
}

/// A socket that a server holds, and what it speaks there.
pub enum Listener {
    /// HTTPS of clients and Client Access servers.
    Https(TcpListener, Arc<rustls::ServerConfig>),
    /// Plain HTTP.
    Http(TcpListener),
    /// The 2013 back end.
    BackEnd(TcpListener, Arc<rustls::ServerConfig>),
    /// MS-RPC: of a Mailbox server, or of the RPC Client Access service.
    Rpc(TcpListener),
    /// The endpoint mapper.
    EndpointMapper(TcpListener),
    /// IMAP or POP.
    Mail(TcpListener, Mail),
}

/// How IMAP or POP is spoken on a socket.
pub struct Mail {
    /// Which of the two.
    pub protocol: Protocol,
    /// Whether TLS begins at once, or by a command.
    pub tls_at_once: bool,
    /// Whether it is the 2013 back end's.
    pub back_end: bool,
    /// What TLS presents.
    pub tls: Arc<rustls::ServerConfig>,
}

/// Runs one server until it is told to stop; every task it spawned is joined then. A panic of one is raised again.
pub async fn serve(world: Arc<World>, machine: Machine, stop: CancellationToken) {
    let server = Arc::new(server::Server::new(world, machine.name, machine.source));
    let mut tasks = JoinSet::new();
    for listener in machine.listeners {
        tasks.spawn(listen::accept(server.clone(), listener, stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

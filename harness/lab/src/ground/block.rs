//! A block of addresses, a 127.a.b.0/24 or for a large lab several, each claimed by a socket that it holds; every listener of
//! a lab is bound here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as HeldListener};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpSocket, UdpSocket};

use super::{Dials, GroundError, GroundKind, Place, Planes, Reserved};
use crate::running::{CLIENT_EXTERNAL, DNS_EXTERNAL};

/// The port on a block's first address that whoever holds the block listens on.
const CLAIM_PORT: u16 = 20080;
/// Blocks are looked for from 127.80.1 to 127.111.254, apart from what other programs use of 127/8.
const SECOND_BYTES: std::ops::RangeInclusive<u8> = 80..=111;
const THIRD_BYTES: std::ops::RangeInclusive<u8> = 1..=254;
/// What a lab listens on: web, DNS, the back end of MBX2013, MS-RPC, LDAP and the global catalog, IMAP and POP and their
/// back ends.
const CANONICAL_PORTS: [u16; 15] =
    [80, 443, 53, 444, 6001, 389, 636, 3268, 3269, 143, 993, 110, 995, 1993, 1995];
/// Added to a canonical port where the subject cannot have it: 10443, 10080.
const MAPPED_OFFSET: u16 = 10_000;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How often a free pair of one UDP and one TCP port is looked for.
pub(super) const PAIR_ATTEMPTS: usize = 32;

/// Below it are a lab's doors and clients, which are in its first network.
const FIRST_SERVER: u8 = 10;
/// Servers in one network: what is left of 256 addresses, its last one apart.
const SERVERS: usize = 245;

/// Claimed loopback addresses. Dropping it frees them.
#[derive(Debug)]
pub struct Block {
    kind: GroundKind,
    /// One at least, unless they are an engine's.
    networks: Vec<Network>,
    /// False where the system has 127.0.0.1 alone (macOS): then everything really listens there.
    addresses_are_real: bool,
    dials: Dials,
    /// Where we are on two planes, whose networks are claimed by whoever made them: then there are none here.
    own: Option<Place>,
}

/// A claimed /24.
#[derive(Debug)]
struct Network {
    first: [u8; 3],
    /// Held, never accepted from: it is the claim.
    _claim: HeldListener,
}

impl Block {
    /// The n-th address of its first network.
    pub fn address(&self, n: u8) -> IpAddr {
        if let Some(own) = &self.own {
            return if matches!(n, DNS_EXTERNAL | CLIENT_EXTERNAL) { own.outside() } else { own.inside };
        }
        self.in_network(0, n)
    }

    /// The address of the n-th server; `None` beyond those that it was claimed for.
    pub fn of_server(&self, n: usize) -> Option<IpAddr> {
        let host = FIRST_SERVER + (n % SERVERS) as u8;
        (n / SERVERS < self.networks.len()).then(|| self.in_network(n / SERVERS, host))
    }

    fn in_network(&self, network: usize, host: u8) -> IpAddr {
        let [a, b, c] = self.networks[network].first;
        IpAddr::V4(Ipv4Addr::new(a, b, c, host))
    }

    /// Whether the two views' resolvers have an address each, so that both are on the canonical port.
    pub(crate) fn tells_views_apart(&self) -> bool {
        self.own.as_ref().is_none_or(|own| own.outside.is_some())
    }

    /// Which ground it is on.
    pub fn kind(&self) -> GroundKind {
        self.kind
    }

    /// What a program of ours that plays `ip` binds before it connects.
    pub fn source(&self, ip: IpAddr) -> IpAddr {
        if self.addresses_are_real { ip } else { IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }

    /// Listens on an address of the block; on mapped ground on any free port, which the dial table then knows. Call it
    /// within a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says of binding.
    pub fn listen(&self, ip: IpAddr, canonical_port: u16) -> io::Result<TcpListener> {
        let listener = bind(SocketAddr::new(self.source(ip), self.own_port(canonical_port)))?;
        self.enter(ip, canonical_port, listener.local_addr()?);
        Ok(listener)
    }

    /// Listens for DNS: UDP and TCP on one port, any where it is 0.
    ///
    /// # Errors
    /// What the operating system says of binding either.
    pub fn listen_dns(&self, ip: IpAddr, canonical_port: u16) -> io::Result<(UdpSocket, TcpListener)> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let listener = bind(SocketAddr::new(self.source(ip), self.own_port(canonical_port)))?;
            let real = listener.local_addr()?;
            // Of a number that is drawn, another program may hold the same for UDP: then both are drawn again.
            match std::net::UdpSocket::bind(real) {
                Ok(udp) => {
                    udp.set_nonblocking(true)?;
                    self.enter(ip, canonical_port, real);
                    return Ok((UdpSocket::from_std(udp)?, listener));
                }
                Err(_) if self.own_port(canonical_port) == 0 && attempt < PAIR_ATTEMPTS => {}
                Err(refused) => return Err(refused),
            }
        }
    }

    /// Sets an address aside for the subject, which binds it itself.
    ///
    /// # Errors
    /// Where the system has 127.0.0.1 alone: what it says of looking for a free port.
    pub fn reserve(&self, ip: IpAddr, canonical_port: u16) -> io::Result<Reserved> {
        let canonical = SocketAddr::new(ip, canonical_port);
        let real = match (self.kind, self.addresses_are_real) {
            (GroundKind::Own | GroundKind::Machine | GroundKind::Planes, _) => canonical,
            // The address is this lab's alone, so any number on it is.
            (GroundKind::Mapped, true) => SocketAddr::new(ip, canonical_port + MAPPED_OFFSET),
            // A socket cannot be handed to a program that knows nothing of us. The system hands out a port that was
            // just freed last of all, so the subject will find it free.
            (GroundKind::Mapped, false) => hold(SocketAddr::new(self.source(ip), 0))?.local_addr()?,
        };
        self.enter(ip, canonical_port, real);
        Ok(Reserved { canonical, real })
    }

    /// Where the block's listeners really are.
    pub fn dials(&self) -> Dials {
        self.dials.clone()
    }

    /// What of two planes is ours: one address on each.
    pub(super) fn of(planes: &Planes) -> Block {
        Block {
            kind: GroundKind::Planes,
            networks: vec![],
            addresses_are_real: true,
            dials: Dials::default(),
            own: Some(planes.own().clone()),
        }
    }

    pub(super) fn claim(kind: GroundKind, servers: usize) -> Result<Block, GroundError> {
        let wanted = servers.div_ceil(SERVERS).max(1);
        let (mut networks, mut addresses_are_real) = (vec![], true);
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for (second, third) in blocks() {
            let first = [127, second, third];
            match hold(SocketAddr::from(([127, second, third, 1], CLAIM_PORT))) {
                Ok(claim) => networks.push(Network { first, _claim: claim }),
                // Where all addresses are 127.0.0.1, every port is drawn, so labs cannot meet and the network is only a name.
                Err(refused) if refused.kind() == io::ErrorKind::AddrNotAvailable => {
                    addresses_are_real = false;
                    let claim = hold(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
                    let claim = claim.map_err(|source| GroundError::NoBlock { port: 0, source })?;
                    networks.push(Network { first, _claim: claim });
                }
                Err(refused) => last = refused,
            }
            if networks.len() == wanted {
                return Ok(Block { kind, networks, addresses_are_real, dials: Dials::default(), own: None });
            }
        }
        Err(GroundError::NoBlock { port: CLAIM_PORT, source: last })
    }

    fn own_port(&self, canonical_port: u16) -> u16 {
        if self.kind == GroundKind::Mapped { 0 } else { canonical_port }
    }

    fn enter(&self, ip: IpAddr, canonical_port: u16, real: SocketAddr) {
        if self.kind == GroundKind::Mapped {
            self.dials.enter(SocketAddr::new(ip, canonical_port), real);
        }
    }
}

/// Whether this process may bind every canonical port beside what else listens on this machine: a program on 0.0.0.0:80
/// would be in the way.
pub(super) fn try_canonical_ports() -> io::Result<()> {
    for (second, third) in blocks() {
        match hold(SocketAddr::from(([127, second, third, 1], CLAIM_PORT))) {
            // While the claim is held no other lab has the block, so what is in the way is no lab.
            Ok(_claim) => {
                return CANONICAL_PORTS
                    .iter()
                    .try_for_each(|port| hold(SocketAddr::from(([127, second, third, 1], *port))).map(drop));
            }
            Err(taken) if taken.kind() == io::ErrorKind::AddrInUse => {}
            Err(refused) => return Err(refused),
        }
    }
    Err(io::Error::from(io::ErrorKind::AddrInUse))
}

/// How many blocks this process has tried.
static TRIED: AtomicUsize = AtomicUsize::new(0);

/// Every block once, beginning behind the last one that this process tried, and in each process at another place. A block
/// that a lab has just left is not soon claimed again: its connections may still time out, and a child process that is
/// being started meanwhile holds copies of its listeners until it runs its own program.
fn blocks() -> impl Iterator<Item = (u8, u8)> {
    let all = SECOND_BYTES.len() * THIRD_BYTES.len();
    let first = std::process::id() as usize * 97 % all;
    (0..all).map(move |_| {
        let at = (first + TRIED.fetch_add(1, Ordering::Relaxed)) % all;
        let (second, third) = (at / THIRD_BYTES.len(), at % THIRD_BYTES.len());
        (SECOND_BYTES.start() + second as u8, THIRD_BYTES.start() + third as u8)
    })
}

#[expect(clippy::disallowed_methods, reason = "the ground is where ports are bound")]
pub(crate) fn hold(address: SocketAddr) -> io::Result<HeldListener> {
    HeldListener::bind(address)
}

/// Listens on an address that is a server's own, for whoever has that server's place.
pub(crate) fn hold_at(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A lab that starts where one just ended finds that one's connections in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

//! The one dial of fakes and clients: bind the source, announce it, connect.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{LazyLock, Mutex, PoisonError};

use tokio::net::{TcpSocket, TcpStream};

use crate::{Ledger, Opener};

impl Ledger {
    /// Connects from an address of our own, having announced the socket.
    ///
    /// # Errors
    /// What the operating system says of binding or connecting.
    pub async fn dial(&self, from: IpAddr, to: SocketAddr, opener: Opener) -> io::Result<TcpStream> {
        let socket = self.bound(from)?;
        self.announce(socket.local_addr()?, opener);
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A socket with a source port that this lab has not used before: a port that came round again would make an old
    /// connection's name that of a new one. An address of a lab's own has every port free, but for what an earlier lab on
    /// it left to time out: those are passed over. 127.0.0.1 is nobody's own, and there the system chooses.
    fn bound(&self, from: IpAddr) -> io::Result<TcpSocket> {
        let own = from != IpAddr::from([127, 0, 0, 1]);
        let mut tries = 0;
        loop {
            let socket = if from.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            let port = if own { next_port(from) } else { 0 };
            match socket.bind(SocketAddr::new(from, port)) {
                Ok(()) => return Ok(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < MOST_TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Above the ports that servers of a lab listen on.
const FIRST_PORT: u16 = 11_000;
/// As many source ports as are looked at before giving up: all there are.
const MOST_TRIES: u16 = u16::MAX - FIRST_PORT;

/// The next source port of each address, over all labs of this process: what one lab used is not soon used again.
static NEXT_PORTS: LazyLock<Mutex<HashMap<IpAddr, u16>>> = LazyLock::new(Mutex::default);

fn next_port(from: IpAddr) -> u16 {
    let mut ports = NEXT_PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    // Processes that follow one another on one ground begin at different places.
    let first = || FIRST_PORT + (std::process::id().wrapping_mul(7919) % u32::from(MOST_TRIES)) as u16;
    let next = ports.entry(from).or_insert_with(first);
    let port = *next;
    *next = port.checked_add(1).unwrap_or(FIRST_PORT);
    port
}

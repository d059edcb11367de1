//! The one dial of fakes and clients: bind the source, announce it, connect.

use std::io;
use std::net::{IpAddr, SocketAddr};

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
    /// connection's name that of a new one. An address of a lab's own has every port free; where one is taken all the
    /// same, the next will do. 127.0.0.1 is nobody's own, and there the system chooses.
    fn bound(&self, from: IpAddr) -> io::Result<TcpSocket> {
        let own = from != IpAddr::from([127, 0, 0, 1]);
        let mut refused = None;
        for _ in 0..MOST_TRIES {
            let socket = if from.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            let port = if own { self.next_port(from) } else { 0 };
            match socket.bind(SocketAddr::new(from, port)) {
                Ok(()) => return Ok(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
    }

    fn next_port(&self, from: IpAddr) -> u16 {
        let mut book = self.book();
        let next = book.next_ports.entry(from).or_insert(FIRST_PORT);
        let port = *next;
        *next = port.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }
}

/// Above the ports that servers of a lab listen on.
const FIRST_PORT: u16 = 11_000;
/// As many source ports as are looked at before giving up.
const MOST_TRIES: usize = 256;

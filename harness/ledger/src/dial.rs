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
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(from, 0))?;
        self.announce(socket.local_addr()?, opener);
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

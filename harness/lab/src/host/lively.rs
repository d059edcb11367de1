//! Connections over a network that notice when the other side is gone, though nobody said so: a machine that lost its power.

use std::io;

use rustix::net::sockopt;
use tokio::net::TcpStream;

use crate::clock;

/// Probes that may stay unanswered.
const PROBES: u32 = 3;

/// Has a connection fail where the other machine is gone: when nothing is said, and when something is that nobody takes.
pub(super) fn lively(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, clock::SILENT)?;
    sockopt::set_tcp_keepintvl(stream, clock::BETWEEN_PROBES)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    #[cfg(target_os = "linux")]
    let untaken = (clock::SILENT + clock::BETWEEN_PROBES * PROBES).as_millis();
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(stream, u32::try_from(untaken).unwrap_or(u32::MAX))?;
    Ok(())
}

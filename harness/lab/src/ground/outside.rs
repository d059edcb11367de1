//! Sockets on the loopback outside, which a lab in a network of its own still holds: by them people get at it.
//!
//! A socket stays in the network in which it was made. So they are bound before the process begins anew inside, and wait
//! for it in a Unix socket, its standard input: one process serves both sides, and none is left outside to be ended.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as HeldListener, UdpSocket as HeldUdp};
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::net::{TcpListener, UdpSocket};

use super::block::{PAIR_ATTEMPTS, hold};

/// How many sockets are wanted outside, each on a port of the system's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Listeners.
    pub listeners: usize,
    /// DNS servers: UDP and TCP on one port.
    pub dns: usize,
}

/// The sockets: bound, and of no runtime yet.
#[derive(Debug)]
pub struct Outside {
    listeners: Vec<HeldListener>,
    dns: Vec<(HeldUdp, HeldListener)>,
}

impl Outside {
    /// The sockets for a runtime, in the order in which they were bound. Call it within that runtime.
    ///
    /// # Errors
    /// What the operating system says.
    #[expect(clippy::type_complexity, reason = "listeners, and pairs of one port")]
    pub fn into_sockets(self) -> io::Result<(Vec<TcpListener>, Vec<(UdpSocket, TcpListener)>)> {
        let pair = |(udp, tcp): (HeldUdp, HeldListener)| {
            udp.set_nonblocking(true)?;
            Ok::<_, io::Error>((UdpSocket::from_std(udp)?, listener(tcp)?))
        };
        let listeners = self.listeners.into_iter().map(listener).collect::<io::Result<_>>()?;
        Ok((listeners, self.dns.into_iter().map(pair).collect::<io::Result<_>>()?))
    }

    pub(super) fn bind(wanted: Wanted) -> io::Result<Outside> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listeners = (0..wanted.listeners).map(|_| hold(any)).collect::<io::Result<_>>()?;
        Ok(Outside { listeners, dns: (0..wanted.dns).map(|_| pair(any)).collect::<io::Result<_>>()? })
    }
}

pub(super) fn listener(held: HeldListener) -> io::Result<TcpListener> {
    held.set_nonblocking(true)?;
    TcpListener::from_std(held)
}

/// Another program may hold the same number for UDP: then both are drawn again.
fn pair(any: SocketAddr) -> io::Result<(HeldUdp, HeldListener)> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let tcp = hold(any)?;
        match HeldUdp::bind(tcp.local_addr()?) {
            Ok(udp) => return Ok((udp, tcp)),
            Err(_) if attempt < PAIR_ATTEMPTS => {}
            Err(refused) => return Err(refused),
        }
    }
}

#[cfg(target_os = "linux")]
mod handed_over {
    use std::io::{IoSlice, IoSliceMut};
    use std::mem::MaybeUninit;

    use rustix::net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    };

    use super::{AsFd, BorrowedFd, HeldListener, HeldUdp, Outside, OwnedFd, Wanted, io};

    /// As many as go into one message (at most 253, unix(7)).
    const AT_ONCE: usize = 64;

    impl Outside {
        /// A Unix socket in which all of them wait for whoever reads it.
        pub(in crate::ground) fn hand_over(&self) -> io::Result<OwnedFd> {
            let (near, far) =
                socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            let pairs = self.dns.iter().flat_map(|(udp, tcp)| [udp.as_fd(), tcp.as_fd()]);
            let all: Vec<BorrowedFd<'_>> = self.listeners.iter().map(AsFd::as_fd).chain(pairs).collect();
            for some in all.chunks(AT_ONCE) {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !control.push(SendAncillaryMessage::ScmRights(some)) {
                    return Err(io::Error::other("sockets do not go into a message"));
                }
                sendmsg(&near, &[IoSlice::new(b"s")], &mut control, SendFlags::empty())?;
            }
            Ok(far)
        }

        /// Reads them from such a socket.
        pub(in crate::ground) fn receive(from: impl AsFd, wanted: Wanted) -> io::Result<Outside> {
            let mut received: Vec<OwnedFd> = vec![];
            loop {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let mut byte = [0];
                let mut into = [IoSliceMut::new(&mut byte)];
                let read = recvmsg(&from, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(sockets) = message {
                        received.extend(sockets);
                    }
                }
                if read.bytes == 0 {
                    break;
                }
            }
            if received.len() != wanted.listeners + 2 * wanted.dns {
                return Err(io::Error::other("the sockets outside did not come along"));
            }
            let mut rest = received.split_off(wanted.listeners).into_iter();
            let mut dns = vec![];
            while let (Some(udp), Some(tcp)) = (rest.next(), rest.next()) {
                dns.push((HeldUdp::from(udp), HeldListener::from(tcp)));
            }
            Ok(Outside { listeners: received.into_iter().map(HeldListener::from).collect(), dns })
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_are_handed_over_are_those_that_were_bound_in_their_order() {
        let wanted = Wanted { listeners: 70, dns: 2 };
        let bound = Outside::bind(wanted).unwrap();
        let at = |outside: &Outside| {
            let dns = outside.dns.iter().flat_map(|(udp, tcp)| [udp.local_addr(), tcp.local_addr()]);
            let all = outside.listeners.iter().map(HeldListener::local_addr).chain(dns);
            all.collect::<io::Result<Vec<SocketAddr>>>().unwrap()
        };
        let before = at(&bound);
        let waiting = bound.hand_over().unwrap();
        drop(bound);
        let received = Outside::receive(&waiting, wanted).unwrap();
        assert_eq!(at(&received), before);
        assert_eq!(before[70], before[71], "DNS has one port for UDP and TCP");
        assert!(Outside::receive(&waiting, wanted).is_err(), "they come along once");
    }
}

//! The ground a lab stands on: where its canonical addresses and ports are real, and where they are mapped.
//!
//! *Own network* is a network namespace with every port free and nothing else in it. *This machine* is the host's
//! loopback, for those who may bind low ports. *Mapped* is anything else: a dial table leads from the canonical address
//! and port to the real ones. A ground is chosen once, before anything else a process does; a lab then claims a block.

mod block;
mod dials;
mod outside;
#[cfg(target_os = "linux")]
mod own;
mod planes;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use model::names::BadName;
use tokio::net::TcpListener;

pub use block::Block;
pub(crate) use block::{hold, hold_at};
pub use dials::Dials;
pub use outside::{Outside, Wanted};
#[cfg(target_os = "linux")]
pub(crate) use own::low_ports_are_free;
pub use planes::{Layout, Place, Planes};

/// The three grounds, best first, and what stands in their place where servers are containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroundKind {
    /// A network of the process's own.
    Own,
    /// The host's loopback, canonical ports.
    Machine,
    /// The host's loopback, any ports, and a dial table.
    Mapped,
    /// Two networks of a container engine, canonical ports. Nobody chooses it: it comes with the containers.
    Planes,
}

impl GroundKind {
    /// The word of `--ground`.
    pub fn as_str(self) -> &'static str {
        match self {
            GroundKind::Own => "own",
            GroundKind::Machine => "machine",
            GroundKind::Mapped => "mapped",
            GroundKind::Planes => "planes",
        }
    }
}

impl FromStr for GroundKind {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let bad = || BadName { given: given.to_owned(), what: "ground", example: "own (or machine, mapped)" };
        let kinds = [GroundKind::Own, GroundKind::Machine, GroundKind::Mapped];
        kinds.into_iter().find(|kind| kind.as_str() == given).ok_or_else(bad)
    }
}

impl fmt::Display for GroundKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why there is no ground, or no place on it.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// The system refuses a network of one's own.
    #[error("no network of our own: {why}; `--ground mapped` needs none")]
    Own {
        /// What was refused, and by whom.
        why: String,
    },
    /// A running lab's network cannot be joined.
    #[error("cannot join the network of process {process}: {why}")]
    Join {
        /// The process of the lab.
        process: u32,
        /// What was refused, and by whom.
        why: String,
    },
    /// The system refuses files of one's own in place of the machine's.
    #[error("no files of our own over this machine's: {why}")]
    Files {
        /// What was refused, and by whom.
        why: String,
    },
    /// No sockets on the loopback outside.
    #[error("cannot listen on this machine's loopback: {source}")]
    Outside {
        /// What the operating system says.
        source: io::Error,
    },
    /// The canonical ports of this machine are not ours.
    #[error("cannot use the canonical ports of this machine ({source}); `--ground mapped` needs none")]
    Machine {
        /// What the operating system says.
        source: io::Error,
    },
    /// Every block is taken, or none can be claimed.
    #[error(
        "no free block of addresses from 127.80.1.0/24 on ({source}); are many labs running, or is port {port} taken on every address?"
    )]
    NoBlock {
        /// The port by which a block is claimed.
        port: u16,
        /// What the operating system said of the last one.
        source: io::Error,
    },
    /// The lab's DNS could not be made the system's.
    #[error("cannot make {resolver} the resolver here: {source}")]
    Resolver {
        /// The lab's DNS server.
        resolver: IpAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The lab's certificate authority could not be made one of the system's.
    #[error("cannot add the lab's certificate authority to the system's here: {source}")]
    Authority {
        /// What the operating system says.
        source: io::Error,
    },
}

/// The ground of this process.
#[derive(Debug, Clone)]
pub struct Ground {
    kind: GroundKind,
    planes: Option<Arc<Planes>>,
    /// Whether files may be put over the machine's for this process alone.
    own_files: bool,
}

impl Ground {
    /// Chooses the ground; call it first in `main`, before any thread starts.
    ///
    /// On Linux this starts the program again in a network of its own where the system allows that, with the same
    /// process id, arguments and environment, so exit codes and signals are its own; then it does not return. Inside, the
    /// same call brings the loopback up and returns.
    ///
    /// # Errors
    /// The wanted ground cannot be had. Without a wish there is always one.
    pub fn choose(wanted: Option<GroundKind>) -> Result<Ground, GroundError> {
        Ground::chosen(wanted, None)
    }

    /// The same, with sockets on the loopback of the network in which the process was started.
    ///
    /// # Errors
    /// As for [`Ground::choose`], and what the operating system says of the sockets.
    pub fn choose_with_outside(
        wanted: Option<GroundKind>,
        sockets: Wanted,
    ) -> Result<(Ground, Outside), GroundError> {
        let outside = |source| GroundError::Outside { source };
        #[cfg(target_os = "linux")]
        if let Some(handed_over) = own::handed_over(sockets) {
            return Ok((Ground::own(None)?, handed_over.map_err(outside)?));
        }
        let bound = Outside::bind(sockets).map_err(outside)?;
        Ok((Ground::chosen(wanted, Some(&bound))?, bound))
    }

    /// Joins the network of a running lab on own ground; call it first in `main`, before any thread starts. Like
    /// [`Ground::choose`] it starts the program again, inside, where the same call returns. What stands over the machine's
    /// files there is this process's alone.
    ///
    /// # Errors
    /// Why it cannot be joined.
    pub fn join(process: u32) -> Result<Ground, GroundError> {
        #[cfg(target_os = "linux")]
        return own::join(process).map(|()| Ground::with_own_files(GroundKind::Own));
        #[cfg(not(target_os = "linux"))]
        Err(GroundError::Join { process, why: "only Linux has network namespaces".into() })
    }

    /// The ground of a running lab whose canonical addresses and ports are real where we are: the machine's, or that of containers.
    /// Nothing is joined, but files can be put over the machine's for this process alone. Call it first in `main`, as
    /// [`Ground::join`]: like that one it starts the program again.
    ///
    /// # Errors
    /// Why there can be no such files.
    pub fn beside(kind: GroundKind) -> Result<Ground, GroundError> {
        #[cfg(target_os = "linux")]
        return own::cover_files().map(|()| Ground::with_own_files(kind));
        #[cfg(not(target_os = "linux"))]
        Err(GroundError::Files { why: format!("on ground {kind}, only Linux has mount namespaces") })
    }

    #[cfg(target_os = "linux")]
    fn with_own_files(kind: GroundKind) -> Ground {
        Ground { kind, planes: None, own_files: true }
    }

    fn chosen(wanted: Option<GroundKind>, outside: Option<&Outside>) -> Result<Ground, GroundError> {
        match wanted {
            Some(GroundKind::Own) => Ground::own(outside),
            Some(GroundKind::Machine) => Ground::machine(),
            Some(GroundKind::Mapped | GroundKind::Planes) => Ok(Ground::mapped()),
            None => {
                Ok(Ground::own(outside).or_else(|_| Ground::machine()).unwrap_or_else(|_| Ground::mapped()))
            }
        }
    }

    /// The ground that is always there, and on which crate tests stand.
    pub fn mapped() -> Ground {
        Ground { kind: GroundKind::Mapped, planes: None, own_files: false }
    }

    /// The ground of servers that are containers.
    pub fn of(planes: Arc<Planes>) -> Ground {
        Ground { kind: GroundKind::Planes, planes: Some(planes), own_files: false }
    }

    /// The two planes, where servers are containers.
    pub fn planes(&self) -> Option<&Arc<Planes>> {
        self.planes.as_ref()
    }

    /// Which one it is.
    pub fn kind(&self) -> GroundKind {
        self.kind
    }

    /// Where this ground has a network of its own: a listener inside at an address at which one listens outside, so that both
    /// sides find the same there. Call it within a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says of binding.
    pub fn listen_inside_too(&self, outside: SocketAddr) -> io::Result<Option<TcpListener>> {
        match self.kind {
            GroundKind::Own => outside::listener(block::hold(outside)?).map(Some),
            GroundKind::Machine | GroundKind::Mapped | GroundKind::Planes => Ok(None),
        }
    }

    /// Claims a block of addresses for a lab of so many servers. It is free again when the block is dropped.
    ///
    /// # Errors
    /// All are taken.
    pub fn claim(&self, servers: usize) -> Result<Block, GroundError> {
        match &self.planes {
            Some(planes) => Ok(Block::of(planes)),
            None => Block::claim(self.kind, servers),
        }
    }

    /// Makes a DNS server that of every program on this ground, where its files are our own; says whether it
    /// did. What the system reads is kept in `folder`. A later call replaces the resolver.
    ///
    /// # Errors
    /// What the operating system says of putting its files over the machine's.
    pub fn use_resolver(&self, resolver: IpAddr, folder: &Path) -> Result<bool, GroundError> {
        #[cfg(target_os = "linux")]
        if self.own_files {
            let put = own::put_resolver(resolver, folder);
            return put.map(|()| true).map_err(|source| GroundError::Resolver { resolver, source });
        }
        let _ = (resolver, folder, self.own_files);
        Ok(false)
    }

    /// Adds a certificate authority (a PEM file) to those that every program on this ground trusts by itself, where its files
    /// are our own; says whether it did. What the system reads is kept in `folder`.
    ///
    /// # Errors
    /// What the operating system says of putting its files over the machine's.
    pub fn use_authority(&self, ca: &Path, folder: &Path) -> Result<bool, GroundError> {
        #[cfg(target_os = "linux")]
        if self.own_files {
            let put = own::put_authority(ca, folder);
            return put.map(|()| true).map_err(|source| GroundError::Authority { source });
        }
        let _ = (ca, folder, self.own_files);
        Ok(false)
    }

    fn machine() -> Result<Ground, GroundError> {
        block::try_canonical_ports().map_err(|source| GroundError::Machine { source })?;
        Ok(Ground { kind: GroundKind::Machine, planes: None, own_files: false })
    }

    #[cfg(target_os = "linux")]
    fn own(outside: Option<&Outside>) -> Result<Ground, GroundError> {
        own::enter(outside).map(|()| Ground::with_own_files(GroundKind::Own))
    }

    #[cfg(not(target_os = "linux"))]
    fn own(_: Option<&Outside>) -> Result<Ground, GroundError> {
        Err(GroundError::Own { why: "only Linux has network namespaces".into() })
    }
}

/// An address that the subject is to listen on: the canonical one, and where it really is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// What URLs and verdicts say.
    pub canonical: SocketAddr,
    /// What the subject binds.
    pub real: SocketAddr,
}

#[cfg(test)]
mod tests;

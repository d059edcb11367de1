//! Two planes of a container engine: who has which address on them. The servers are on the inside; what is published and
//! the seat is on the outside too.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use model::{ServerName, View};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::{block, outside};
use crate::host::Door;

/// Where somebody is on the two planes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Place {
    /// On the inside.
    pub inside: IpAddr,
    /// On the outside, for who is there.
    pub outside: Option<IpAddr>,
}

impl Place {
    /// Where all is one network.
    pub(crate) fn everywhere(address: IpAddr) -> Place {
        Place { inside: address, outside: None }
    }

    /// Its address for clients outside.
    pub(crate) fn outside(&self) -> IpAddr {
        self.outside.unwrap_or(self.inside)
    }

    /// Its address in a view.
    pub(crate) fn seen_from(&self, view: View) -> IpAddr {
        match view {
            View::Internal => self.inside,
            View::External => self.outside(),
        }
    }

    /// Every address of its.
    pub(crate) fn all(&self) -> impl Iterator<Item = IpAddr> + use<> {
        [Some(self.inside), self.outside].into_iter().flatten()
    }
}

/// Every address of a run, as who makes the networks and the containers has given them out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Layout {
    /// The runner's: clients, directory, DNS and ledger.
    pub own: Place,
    /// Of the machine itself, from which people and their programs come; none where it has no way in.
    pub machine: Option<Place>,
    /// The servers', by name.
    pub servers: BTreeMap<ServerName, Place>,
    /// Where a server is after it has moved to another address: one at a time.
    pub elsewhere: Option<Place>,
}

impl Layout {
    /// What the container reports as that a server moves to.
    pub const ELSEWHERE: &str = "elsewhere";
}

/// The two planes, and the door at which the servers' processes report.
#[derive(Debug)]
pub struct Planes {
    layout: Layout,
    door: Door,
}

impl Planes {
    /// Planes laid out so, whose servers come to this door.
    pub fn new(layout: Layout, door: Door) -> Planes {
        Planes { layout, door }
    }

    /// Where the servers' processes report. Serve it for as long as there are labs.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Where the machine itself is on them.
    pub fn machine(&self) -> Option<&Place> {
        self.layout.machine.as_ref()
    }

    /// Listens at the runner's own address inside, on a port of the system's choice. Call it within a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says of binding.
    pub fn listen(&self) -> io::Result<TcpListener> {
        outside::listener(block::hold(SocketAddr::new(self.own().inside, 0))?)
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn own(&self) -> &Place {
        &self.layout.own
    }
}

//! Connections to servers behind: whose a connection is, and keeping it for the next request of the same client. A server
//! behind is told once a connection who asks there, as IIS keeps it for the connection's life.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use hyper::client::conn::http1::SendRequest;
use model::HostName;
use tokio_util::task::AbortOnDropHandle;

use crate::ports::{Flow, Lane, Passage};

/// A connection behind, by everything that it must not be shared across.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneId {
    /// The client's connection that it serves.
    pub connection: u64,
    /// The user whose requests it carries.
    pub user: Option<String>,
    /// The server.
    pub host: HostName,
    /// Its canonical port.
    pub port: u16,
}

/// One lane for each client connection, user and server: what a server has authenticated on a connection is never
/// another user's (X-SEC-4).
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnLanes;

impl Lane for OwnLanes {
    fn lane(&self, passage: &Passage) -> LaneId {
        LaneId {
            connection: passage.asked.client.connection,
            user: passage.account.as_ref().map(|account| account.sid.clone()),
            host: passage.host.clone(),
            port: passage.port,
        }
    }
}

/// An open connection, and the task that drives it.
pub(crate) struct Open {
    pub(crate) sender: SendRequest<Flow>,
    pub(crate) driver: AbortOnDropHandle<()>,
    /// This end of it.
    pub(crate) local: SocketAddr,
}

/// Connections that wait for the next request.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<LaneId, Open>>);

impl Kept {
    pub(crate) fn take(&self, lane: &LaneId) -> Option<Open> {
        let alive = |open: &Open| !open.driver.is_finished() && !open.sender.is_closed();
        self.change(|kept| kept.remove(lane)).filter(alive)
    }

    pub(crate) fn keep(&self, lane: LaneId, open: Open) {
        self.change(|kept| kept.insert(lane, open));
    }

    /// A client has gone: so do its connections behind.
    pub(crate) fn forget(&self, connection: u64) {
        self.change(|kept| kept.retain(|lane, _| lane.connection != connection));
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<LaneId, Open>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

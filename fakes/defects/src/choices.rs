//! The lies of `choose`: another server behind for each request of a connection, though a sign-in is bound to it; or always the
//! same, though load is said to be spread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reference::decide::{Account, Target};
use reference::ports::{Asked, Choose, Ports};

use crate::Fired;

const ID: &str = "two-servers-one-handshake";
const FIRST: &str = "first-of-several";

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    [ID, FIRST].into_iter()
}

/// Wraps the port for the lie of this id, where there is one.
pub(crate) fn spoil(id: &str, ports: &Ports, fired: &Fired) -> Option<Arc<dyn Choose>> {
    let (truth, fired) = (ports.choose.clone(), fired.clone());
    match id {
        ID => Some(Arc::new(ByRequest::new(truth, fired))),
        FIRST => Some(Arc::new(First { truth, fired })),
        _ => None,
    }
}

/// Begins where the truth would stay, and goes on to the next server with each request.
pub(crate) struct ByRequest {
    truth: Arc<dyn Choose>,
    fired: Fired,
    /// How many requests each connection has sent.
    sent: Mutex<HashMap<u64, usize>>,
}

impl ByRequest {
    pub(crate) fn new(truth: Arc<dyn Choose>, fired: Fired) -> ByRequest {
        ByRequest { truth, fired, sent: Mutex::default() }
    }
}

impl Choose for ByRequest {
    fn choose(&self, asked: &Asked, account: Option<&Account>, of: &[Target]) -> Option<Target> {
        let truth = self.truth.choose(asked, account, of)?;
        let at = of.iter().position(|target| *target == truth)?;
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sent.entry(asked.client.connection).or_default();
        let other = of.get((at + *sent) % of.len())?.clone();
        *sent += 1;
        if other != truth {
            self.fired.lied(ID, asked.client.socket);
        }
        Some(other)
    }
}

/// Takes the first, whatever it is asked for.
struct First {
    truth: Arc<dyn Choose>,
    fired: Fired,
}

impl Choose for First {
    fn choose(&self, asked: &Asked, account: Option<&Account>, of: &[Target]) -> Option<Target> {
        let truth = self.truth.choose(asked, account, of)?;
        let first = of.first()?.clone();
        if first != truth {
            self.fired.lied(FIRST, asked.client.socket);
        }
        Some(first)
    }
}

//! The dial table: from a canonical address and port to where a listener really is, and back.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

/// Where canonical addresses really are. Clones share it. On a canonical ground it is empty, and every answer is what
/// was asked.
#[derive(Debug, Clone, Default)]
pub struct Dials(Arc<RwLock<Table>>);

#[derive(Debug, Default)]
struct Table {
    real: HashMap<SocketAddr, SocketAddr>,
    canonical: HashMap<SocketAddr, SocketAddr>,
}

impl Dials {
    /// What to connect to in order to reach an address and port of the lab.
    pub fn real(&self, ip: IpAddr, port: u16) -> SocketAddr {
        let canonical = SocketAddr::new(ip, port);
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.real.get(&canonical).copied().unwrap_or(canonical)
    }

    /// What verdicts say of an address that was really used.
    pub fn canonical(&self, real: SocketAddr) -> SocketAddr {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.canonical.get(&real).copied().unwrap_or(real)
    }

    /// The whole table: canonical, and where that really is. Empty on a canonical ground.
    pub fn all(&self) -> Vec<(SocketAddr, SocketAddr)> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = table.real.iter().map(|(canonical, real)| (*canonical, *real)).collect();
        all.sort();
        all
    }

    /// Enters a listener. A later one at the same canonical address takes its place.
    pub(super) fn enter(&self, canonical: SocketAddr, real: SocketAddr) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = table.real.insert(canonical, real) {
            table.canonical.remove(&before);
        }
        table.canonical.insert(real, canonical);
    }
}

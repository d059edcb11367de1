//! What the edge publishes: the names that lead to it outside, and whom each leads to inside.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::{Context, bail};
use model::HostName;

use crate::lab::Lab;

/// The canonical port behind a published name.
const HTTPS: u16 = 443;

/// A server behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Its own DNS name: the greeting asks for it, and its certificate must cover it. The `Host` of a request stays what
    /// the client wrote: the front end knows itself by its namespaces, and builds the logon page, its form and every
    /// address of its own from the one it was called by. CX-TGT-1 binds the front end towards older servers, not what
    /// stands before it.
    pub(super) fqdn: HostName,
    /// Where it really listens.
    pub(super) address: SocketAddr,
}

/// Names to servers.
#[derive(Debug)]
pub(super) struct Published(HashMap<HostName, Server>);

impl Published {
    /// What this seat publishes in this lab.
    ///
    /// # Errors
    /// A topology that is not told, nothing to publish, a published name that leads nowhere inside.
    pub(super) fn of(lab: &Lab) -> anyhow::Result<Published> {
        let topology =
            lab.topology.as_ref().context("lab.json tells no topology: an edge routes by its names")?;
        let doors = lab.doors();
        let mut found = HashMap::new();
        for (name, leads) in &topology.namespaces {
            if !leads.external.contains(&lab.seat.server) {
                continue;
            }
            // Of several alike the first: an edge that balances is another's business.
            let behind = leads.internal.first().with_context(|| format!("{name} leads nowhere inside"))?;
            let fqdn = topology.fqdn(behind);
            let address = doors.get(&(fqdn.clone(), HTTPS)).copied();
            let address = address.with_context(|| format!("nothing is known to listen at {fqdn}:{HTTPS}"))?;
            found.insert(name.clone(), Server { fqdn, address });
        }
        if found.is_empty() {
            bail!("no name leads to {} outside: there is nothing to publish", lab.seat.server);
        }
        Ok(Published(found))
    }

    /// Whom a host leads to.
    pub(super) fn server(&self, host: &HostName) -> Option<&Server> {
        self.0.get(host)
    }
}

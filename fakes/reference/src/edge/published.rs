//! What the edge publishes: the names that lead to it outside, and whom each leads to inside.

use std::collections::HashMap;

use anyhow::{Context, bail};
use model::HostName;

use crate::decide::Target;
use crate::lab::Lab;

/// The canonical port behind a published name.
const HTTPS: u16 = 443;

/// Names to servers, each by its own DNS name: the greeting asks for it, and its certificate must cover it.
#[derive(Debug)]
pub(super) struct Published(HashMap<HostName, Vec<Target>>);

impl Published {
    /// What this seat publishes in this lab.
    ///
    /// # Errors
    /// A topology that is not told, nothing to publish, a published name that leads nowhere inside.
    pub(super) fn of(lab: &Lab) -> anyhow::Result<Published> {
        let topology =
            lab.topology.as_ref().context("lab.json tells no topology: an edge routes by its names")?;
        let mut found = HashMap::new();
        for (name, leads) in &topology.namespaces {
            if !leads.external.contains(&lab.seat.server) {
                continue;
            }
            if leads.internal.is_empty() {
                bail!("{name} leads nowhere inside");
            }
            let at = |server| Target { host: topology.fqdn(server), port: HTTPS };
            found.insert(name.clone(), leads.internal.iter().map(at).collect());
        }
        if found.is_empty() {
            bail!("no name leads to {} outside: there is nothing to publish", lab.seat.server);
        }
        Ok(Published(found))
    }

    /// Whom a host leads to.
    pub(super) fn behind(&self, host: &HostName) -> Option<&[Target]> {
        self.0.get(host).map(Vec::as_slice)
    }
}

//! Findings of IMAP and POP beside Exchange 2013: who passes a session on has no health check, and looks nowhere else.

use std::collections::BTreeSet;

use model::topology::{Server, ServerRole};
use model::{HostName, Protocol, ServerName, Topology, Version};

use super::Finding;

/// A service that does not run, and settings that do not name their server.
pub(super) fn findings(t: &Topology) -> Vec<Finding> {
    if !t.servers.values().any(|server| server.version == Version::Exchange2013) {
        return vec![];
    }
    let legacy = t
        .servers
        .iter()
        .filter(|(_, server)| server.is(ServerRole::ClientAccess) && server.version != Version::Exchange2013);
    let each = legacy.flat_map(|(name, server)| OF.map(|of| (of, name, server)));
    each.flat_map(|(of, name, server)| {
        stopped(of, name, server).into_iter().chain(elsewhere(t, of, name, server))
    })
    .collect()
}

/// One of the two protocols, and its rules.
#[derive(Clone, Copy)]
struct Of {
    protocol: Protocol,
    /// What the service and its settings are called by administrators.
    called: &'static str,
    settings: &'static str,
    runs: &'static str,
}

const OF: [Of; 2] = [
    Of { protocol: Protocol::Imap, called: "IMAP4", settings: "CX-IMAP-2", runs: "CX-IMAP-7" },
    Of { protocol: Protocol::Pop, called: "POP3", settings: "CX-POP-2", runs: "CX-POP-7" },
];

/// CX-IMAP-7, CX-POP-7: nobody asks beforehand whether the service runs.
fn stopped(of: Of, name: &ServerName, server: &Server) -> Option<Finding> {
    server.mail(of.protocol).filter(|service| !service.runs)?;
    let says = format!(
        "the {} service is stopped: the 2013 front end has no health check for it, and sends sessions there all the same. \
         Start it, on every older Client Access server",
        of.called
    );
    Some(Finding::error(of.runs, format!("{name}/{}", of.protocol), says))
}

/// CX-IMAP-2, CX-POP-2: of 2010, InternalConnectionSettings are what is dialled; of 2007 the FQDN is, whatever they say.
fn elsewhere(t: &Topology, of: Of, name: &ServerName, server: &Server) -> Vec<Finding> {
    let own = t.fqdn(name);
    let service = server.mail(of.protocol).filter(|_| server.version == Version::Exchange2010);
    let settings = service.iter().flat_map(|service| &service.internal_connection_settings);
    let others: BTreeSet<&HostName> =
        settings.map(|setting| &setting.host).filter(|host| **host != own).collect();
    let says = |host: &HostName| {
        let lead = t.namespaces.get(host).map_or(0, |leads| leads.internal.len());
        let which = match lead {
            0 => "another name than this server's",
            _ => "a load-balanced name",
        };
        format!(
            "InternalConnectionSettings of {} names {host}, {which}: whoever passes a session on connects to it instead of \
             this server. Name {own} there",
            of.called
        )
    };
    others
        .into_iter()
        .map(|host| Finding::error(of.settings, format!("{name}/{}", of.protocol), says(host)))
        .collect()
}

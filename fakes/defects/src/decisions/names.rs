//! What lies look up: who is where, and by which of its addresses.

use model::topology::ServerRole;
use model::{Protocol, ServerName, SiteName, Version, WebUrl};
use reference::decide::{Account, Decision, Question, Target};

/// Carry on to these, or the truth where there is nobody to carry on to.
pub(super) fn to(candidates: Vec<Target>, truth: Decision) -> Decision {
    if candidates.is_empty() { truth } else { Decision::Proxy(candidates) }
}

/// Carried on to the mailbox's own site, whatever the truth was.
pub(super) fn home(question: &Question, truth: Decision) -> Decision {
    match &question.account {
        Some(account) => to(question.client_access(account.version, &account.site), truth),
        None => truth,
    }
}

/// The mailbox, if it is of this version.
pub(super) fn of(question: &Question, version: Version) -> Option<&Account> {
    question.account.as_ref().filter(|account| account.version == version)
}

/// The mailbox, if it is of this version and not of the front end's site.
pub(super) fn elsewhere(question: &Question, version: Version) -> Option<&Account> {
    of(question, version).filter(|account| question.own_site() != Some(&account.site))
}

/// Client Access servers of a version, of every site, but for the seat's own.
pub(super) fn everywhere(question: &Question, version: Version) -> Vec<Target> {
    let sites = question.topology.sites.keys();
    sites.flat_map(|site| question.client_access(version, site)).collect()
}

/// The server whose FQDN a target dials.
pub(super) fn server_of<'a>(question: &'a Question, target: &Target) -> Option<&'a ServerName> {
    question.topology.server_with_fqdn(&target.host)
}

/// An InternalURL of a server.
pub(super) fn internal(question: &Question, server: &ServerName, protocol: Protocol) -> Option<WebUrl> {
    let directory = question.topology.server(server)?.directory(protocol)?;
    Some(directory.internal_url.as_ref()?.0.clone())
}

/// An ExternalURL of a server.
pub(super) fn external(question: &Question, server: &ServerName, protocol: Protocol) -> Option<WebUrl> {
    let directory = question.topology.server(server)?.directory(protocol)?;
    Some(directory.external_url.as_ref()?.0.clone())
}

/// The first ExternalURL of a version in a site.
pub(super) fn published(
    question: &Question,
    version: Version,
    site: &SiteName,
    protocol: Protocol,
) -> Option<WebUrl> {
    client_access(question, version, site).find_map(|server| external(question, server, protocol))
}

/// Names of the Client Access servers of a version in a site.
pub(super) fn client_access<'a>(
    question: &'a Question,
    version: Version,
    site: &'a SiteName,
) -> impl Iterator<Item = &'a ServerName> {
    let servers = question.topology.servers.iter();
    let fits = move |server: &model::topology::Server| {
        server.version == version && server.site == *site && server.is(ServerRole::ClientAccess)
    };
    servers.filter(move |(name, server)| **name != question.seat && fits(server)).map(|(name, _)| name)
}

/// Whether a browser asks.
pub(super) fn is_web(question: &Question) -> bool {
    matches!(question.protocol, Protocol::Owa | Protocol::Ecp)
}

//! What a fake does with a request that it holds: serves it, passes it on, redirects. A table, printed by `explain`.
//!
//! It is the behaviour of the servers that are not in the seat, as the rule book and public sources tell it; the
//! reference and the oracle have none of it.

use std::fmt;

use directory::Facts;
use model::topology::{RedirectType, Server, ServerRole, VirtualDirectory};
use model::{Protocol, ServerName, Topology, Version, WebUrl};

/// One row: at a server of this version, for this protocol and this kind of mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The server's version. For 2013 it is the Mailbox server.
    pub at: Version,
    /// Protocols it holds for.
    pub protocols: &'static [Protocol],
    /// The mailbox's version; `None` for any.
    pub mailbox: Option<Version>,
    /// Where the mailbox is, seen from the server.
    pub place: Place,
    /// What the server does.
    pub does: Does,
    /// The rule or source.
    pub source: &'static str,
}

/// Where a mailbox is, seen from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Anywhere.
    Any,
    /// In the server's own site; for 2013, its active copy on this very server.
    Own,
    /// In another site whose virtual directories of this protocol and version have an ExternalUrl.
    Facing,
    /// In another site, without one.
    Inside,
    /// In another site, facing or not; for 2013, on another server.
    Other,
}

/// What a server does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Serves it from the mailbox.
    Serve,
    /// Writes the Autodiscover answer.
    Write,
    /// Serves the address book, if it distributes it.
    Distribute,
    /// Passes it on to a Client Access server of the mailbox's version and site, by its InternalUrl.
    PassOn,
    /// Unwraps the RPC, and passes it on to the Mailbox server.
    Unwrap,
    /// Unwraps the RPC, and passes it on to a Client Access server of the mailbox's version and site.
    UnwrapThere,
    /// Moves the user to the ExternalUrl of such a server, silently where forms allow.
    Silent,
    /// Shows the user a link to it.
    Manual,
    /// By the CrossSiteRedirectType of its own virtual directory.
    BySetting,
    /// 302 to the Autodiscover that can answer.
    FoundNewer,
    /// 451 to the newer namespace from protocol 12.1 on, else 403.
    Moved,
    /// This status.
    Refuse(u16),
}

const OWA: &[Protocol] = &[Protocol::Owa, Protocol::Ecp];
const EAS: &[Protocol] = &[Protocol::Eas];
const EWS: &[Protocol] = &[Protocol::Ews];
const OAB: &[Protocol] = &[Protocol::Oab];
const MAPI: &[Protocol] = &[Protocol::Mapi];
const RPC: &[Protocol] = &[Protocol::OutlookAnywhere];
const AD: &[Protocol] = &[Protocol::Autodiscover];

/// The table. The first row that fits holds.
pub fn table() -> Vec<Row> {
    use Does::{
        BySetting, Distribute, FoundNewer, Manual, Moved, PassOn, Refuse, Serve, Silent, Unwrap, UnwrapThere,
        Write,
    };
    use Place::{Any, Facing, Inside, Other, Own};
    use Version::{Exchange2007 as E12, Exchange2010 as E14, Exchange2013 as E15};
    let row =
        |at, protocols, mailbox, place, does, source| Row { at, protocols, mailbox, place, does, source };
    vec![
        // Exchange 2007 Client Access
        row(E12, AD, Some(E12), Any, Write, "Autodiscover of 2007 answers for 2007"),
        row(E12, AD, None, Any, FoundNewer, "X-AD-2"),
        row(E12, OWA, Some(E12), Own, Serve, "CX-OWA-2"),
        row(E12, OWA, Some(E12), Facing, Manual, "Exchange 2007: redirection between internet-facing sites"),
        row(E12, OWA, Some(E12), Inside, PassOn, "CX-OWA-5"),
        row(E12, EAS, Some(E12), Own, Serve, "CX-EAS-2"),
        row(E12, EAS, Some(E12), Other, PassOn, "CAS proxying of Exchange 2007"),
        row(E12, EAS, None, Any, Moved, "X-EAS-2"),
        row(E12, EWS, Some(E12), Own, Serve, "CX-EWS-2"),
        row(E12, EWS, Some(E12), Other, PassOn, "CX-EWS-5"),
        row(E12, OAB, None, Any, Distribute, "CX-OAB-2, CX-OAB-5"),
        row(E12, RPC, Some(E12), Any, Unwrap, "CX-OA-2, CX-OA-8"),
        row(E12, RPC, None, Any, Refuse(503), "2007 serves no newer mailbox"),
        row(E12, OWA, None, Any, Refuse(403), "2007 serves no newer mailbox"),
        row(E12, EWS, None, Any, Refuse(500), "2007 serves no newer mailbox"),
        // Exchange 2010 Client Access
        row(E14, AD, None, Any, Write, "PRE-AD-1, CX-AD-1"),
        row(E14, OWA, Some(E14), Own, Serve, "CX-OWA-1, CX-OWA-3, CX-OWA-4A"),
        row(E14, OWA, Some(E14), Facing, BySetting, "PRE-OWA-4B, PRE-OWA-4C"),
        row(E14, OWA, Some(E14), Inside, PassOn, "PRE-OWA-3"),
        row(E14, OWA, Some(E12), Own, Silent, "PRE-OWA-2"),
        row(E14, OWA, Some(E12), Facing, Manual, "X-OWA-2"),
        row(E14, OWA, Some(E12), Inside, PassOn, "X-OWA-2"),
        row(E14, EAS, Some(E14), Own, Serve, "CX-EAS-1"),
        row(E14, EAS, Some(E14), Other, PassOn, "PRE-EAS-3, PRE-EAS-4C"),
        row(E14, EAS, Some(E12), Any, PassOn, "PRE-EAS-2"),
        row(E14, EWS, Some(E14), Own, Serve, "CX-EWS-1"),
        row(E14, EWS, Some(E14), Other, PassOn, "PRE-EWS-2"),
        row(E14, EWS, Some(E12), Any, Refuse(500), "2010 serves no EWS of 2007 (wire facts 6)"),
        row(E14, OAB, None, Any, Distribute, "CX-OAB-1, CX-OAB-4"),
        row(E14, RPC, Some(E14), Own, Unwrap, "CX-OA-1, CX-OA-3, CX-OA-4"),
        row(E14, RPC, Some(E14), Other, UnwrapThere, "PRE-OA-3"),
        row(E14, RPC, Some(E12), Any, Unwrap, "PRE-OA-2"),
        row(E14, RPC, None, Any, Refuse(503), "2010 serves no newer mailbox"),
        row(E14, OWA, None, Any, Refuse(403), "2010 serves no newer mailbox"),
        row(E14, EAS, None, Any, Refuse(403), "2010 serves no newer mailbox"),
        row(E14, EWS, None, Any, Refuse(500), "2010 serves no newer mailbox"),
        // Exchange 2013 Mailbox
        row(E15, AD, Some(E12), Any, Write, "CX-AD-2"),
        row(E15, AD, Some(E15), Own, Write, "CX-AD-3"),
        row(E15, EAS, Some(E12), Any, PassOn, "CX-EAS-2, CX-EAS-5: the InternalUrl of CAS2007"),
        row(E15, OAB, None, Any, Distribute, "CX-OAB-7"),
        row(E15, OWA, Some(E15), Own, Serve, "CX-OWA-6"),
        row(E15, EAS, Some(E15), Own, Serve, "CX-EAS-6"),
        row(E15, EWS, Some(E15), Own, Serve, "CX-EWS-6"),
        row(E15, MAPI, Some(E15), Own, Serve, "X-MAPI-1"),
        row(E15, RPC, Some(E15), Own, Serve, "CX-OA-5"),
        row(E15, RPC, None, Any, Refuse(503), "not the server that holds this mailbox"),
        row(E15, AD, None, Any, Refuse(503), "not the server that holds this mailbox"),
        row(E15, OWA, None, Any, Refuse(503), "not the server that holds this mailbox"),
        row(E15, EAS, None, Any, Refuse(503), "not the server that holds this mailbox"),
        row(E15, EWS, None, Any, Refuse(503), "not the server that holds this mailbox"),
        row(E15, MAPI, None, Any, Refuse(503), "not the server that holds this mailbox"),
    ]
}

/// What it comes to for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Serve it.
    Serve,
    /// Write the Autodiscover answer.
    Write,
    /// Serve the address book.
    Distribute,
    /// Pass it on to this server, dialled by the host of this address.
    PassOn(ServerName, WebUrl),
    /// Unwrap the RPC, and pass it on to this server.
    Unwrap(ServerName),
    /// Move the user there silently where forms allow: a server and its ExternalUrl.
    Silent(ServerName, WebUrl),
    /// Show a link.
    Manual(WebUrl),
    /// 302.
    Found(WebUrl),
    /// 451.
    Http451(Option<WebUrl>),
    /// This status.
    Refuse(u16),
}

/// Looks a request up in the table.
pub fn route(
    table: &[Row],
    topology: &Topology,
    at: &ServerName,
    protocol: Protocol,
    facts: &Facts,
    device: Option<protocols::eas::Protocol>,
) -> Route {
    let Some(server) = topology.servers.get(at) else { return Route::Refuse(500) };
    let own = match server.version {
        Version::Exchange2013 => facts.server == *at,
        _ => facts.site == server.site,
    };
    let target = || sibling(topology, facts, protocol);
    let facing = target().is_some_and(|(_, directory)| directory.external_url.is_some());
    let fits = |row: &&Row| {
        row.at == server.version
            && row.protocols.contains(&protocol)
            && row.mailbox.is_none_or(|version| version == facts.version)
            && match row.place {
                Place::Any => true,
                Place::Own => own,
                Place::Other => !own,
                Place::Facing => !own && facing,
                Place::Inside => !own && !facing,
            }
    };
    let Some(row) = table.iter().find(fits) else { return Route::Refuse(404) };
    let external = || {
        let (name, directory) = target()?;
        Some((name.clone(), directory.external_url.clone()?.0))
    };
    let manual = || external().map_or(Route::Refuse(403), |(_, url)| Route::Manual(url));
    let silent = || external().map_or(Route::Refuse(403), |(name, url)| Route::Silent(name, url));
    match row.does {
        Does::Serve => Route::Serve,
        Does::Write => Route::Write,
        Does::Distribute => Route::Distribute,
        Does::PassOn => match target() {
            Some((name, VirtualDirectory { internal_url: Some(url), .. })) => {
                Route::PassOn(name.clone(), url.0.clone())
            }
            _ => Route::Refuse(503),
        },
        Does::Unwrap => Route::Unwrap(facts.server.clone()),
        Does::UnwrapThere => match client_access(topology, facts).next() {
            Some((name, _)) => Route::Unwrap(name.clone()),
            None => Route::Refuse(503),
        },
        Does::Silent => silent(),
        Does::Manual => manual(),
        Does::BySetting => {
            let setting = server.directory(protocol).and_then(|directory| directory.cross_site_redirect);
            if setting == Some(RedirectType::Silent) { silent() } else { manual() }
        }
        Does::FoundNewer => {
            newer(topology, at, Protocol::Autodiscover).map_or(Route::Refuse(403), Route::Found)
        }
        Does::Moved => match device {
            Some(version) if version >= protocols::eas::Protocol::V12_1 => {
                Route::Http451(newer(topology, at, Protocol::Eas))
            }
            _ => Route::Refuse(403),
        },
        Does::Refuse(status) => Route::Refuse(status),
    }
}

/// The first Client Access server of the mailbox's version and site that has this virtual directory.
fn sibling<'a>(
    topology: &'a Topology,
    facts: &'a Facts,
    protocol: Protocol,
) -> Option<(&'a ServerName, &'a VirtualDirectory)> {
    client_access(topology, facts).find_map(|(name, server)| Some((name, server.directory(protocol)?)))
}

/// The Client Access servers of the mailbox's version and site.
fn client_access<'a>(
    topology: &'a Topology,
    facts: &'a Facts,
) -> impl Iterator<Item = (&'a ServerName, &'a Server)> {
    topology.servers.iter().filter(|(_, server)| {
        server.is(ServerRole::ClientAccess) && server.version == facts.version && server.site == facts.site
    })
}

/// Where a newer Client Access server of this server's own site answers, as a CAS2007 tells clients.
fn newer(topology: &Topology, at: &ServerName, protocol: Protocol) -> Option<WebUrl> {
    let own = topology.servers.get(at)?;
    let mut newest: Vec<_> = topology
        .servers
        .values()
        .filter(|server| {
            server.is(ServerRole::ClientAccess) && server.site == own.site && server.version > own.version
        })
        .collect();
    newest.sort_by_key(|server| std::cmp::Reverse(server.version));
    newest.into_iter().find_map(|server| match protocol {
        Protocol::Autodiscover => server.scp.as_ref().map(|scp| scp.at("/autodiscover/autodiscover.xml")),
        _ => server.directory(protocol)?.external_url.as_ref().map(|url| url.0.clone()),
    })
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocols: Vec<&str> = self.protocols.iter().map(|protocol| protocol.as_str()).collect();
        let mailbox = self.mailbox.map_or("any".to_owned(), |version| version.to_string());
        write!(
            f,
            "{:<5} {:<13} mailbox {:<5} {:<8} {:<14} {}",
            self.at.to_string(),
            protocols.join(" "),
            mailbox,
            format!("{:?}", self.place).to_lowercase(),
            format!("{:?}", self.does).to_lowercase(),
            self.source
        )
    }
}

//! What happens to a request, given who asks and what discovery found: proxy, redirect, serve, refuse. Pure.

mod before;
mod coexistence;
pub mod device;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Method;
use model::topology::{Authentication, RedirectType, Server, ServerRole, VirtualDirectory};
use model::{HostName, Protocol, Role, ServerName, SiteName, Topology, Version, WebUrl};
use serde::Deserialize;

use crate::ports::{Client, Decide};
use crate::pulse::Down;
pub use device::Device;

/// A user with a mailbox, and where the mailbox is now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Account {
    /// Primary address.
    pub address: String,
    /// User principal name.
    pub upn: String,
    /// `CONTOSO\purple`
    pub account: String,
    /// legacyExchangeDN
    pub legacy_dn: String,
    /// Mailbox GUID.
    pub guid: String,
    /// Security identifier.
    pub sid: String,
    /// Shown name.
    pub display_name: String,
    /// The database it is in.
    pub database: model::DatabaseName,
    /// The server that holds the active copy now.
    pub server: ServerName,
    /// That server's version.
    pub version: Version,
    /// That server's site.
    pub site: SiteName,
}

/// Where servers of 2007 and 2010 take MS-RPC.
pub const MS_RPC: u16 = 6001;

/// How the client signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// It filled in the logon page just now: what was typed is at hand.
    Typed,
    /// It has a session that began with the logon page.
    Session,
    /// It sent credentials with the request.
    Basic,
    /// Its connection is signed in.
    Bound,
    /// It did not, or not with right ones.
    Not,
}

/// Everything that a decision follows from.
#[derive(Debug, Clone)]
pub struct Question {
    /// Who asks.
    pub client: Client,
    /// What this front end is.
    pub role: Role,
    /// The position it fills.
    pub seat: ServerName,
    /// Servers, sites, virtual directories.
    pub topology: Arc<Topology>,
    /// The protocol that the path enters.
    pub protocol: Protocol,
    /// The verb.
    pub verb: Method,
    /// Path and query, as they came.
    pub target: String,
    /// The host that the client called.
    pub host: Option<HostName>,
    /// All `Cookie` lines as one. A client may write there what it likes: no server follows from it (X-SEC-2).
    pub cookies: Option<String>,
    /// How it signed in.
    pub sign_in: SignIn,
    /// Who signed in, and where the mailbox is.
    pub account: Option<Account>,
    /// The name that was given with wrong credentials.
    pub claimed: Option<String>,
    /// What is known of the device.
    pub device: Device,
    /// Servers that take no requests of a protocol, by their health (CX-HLT-3).
    pub down: Down,
}

/// A server behind: a name to dial and its canonical port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name that is dialled, also SNI, Host and ticket.
    pub host: HostName,
    /// 443; 444 for the back end of 2013; 6001 for MS-RPC.
    pub port: u16,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The client must sign in: the same for everybody (GEN-1).
    Challenge,
    /// Carry the request on to any one of these.
    Proxy(Vec<Target>),
    /// Take the RPC out of Outlook Anywhere's channels, and pass it on to any one of these.
    Unwrap(Vec<Target>),
    /// Read the mailbox at this Mailbox server, and answer.
    Serve(HostName),
    /// Write the Autodiscover answer here.
    WriteAutodiscover,
    /// Hand over what the user typed to this address.
    SilentRedirect(WebUrl, Version),
    /// 302, without credentials.
    Found(WebUrl),
    /// A page with a link.
    Manual(WebUrl),
    /// 451, with the address to use from now on.
    Http451(Option<WebUrl>),
    /// A status and nothing else.
    Refuse(u16),
}

/// The rules, as the production implementation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules;

impl Decide for Rules {
    fn decide(&self, question: &Question) -> Decision {
        let Some(account) = &question.account else {
            return match question.sign_in {
                SignIn::Not => Decision::Challenge,
                _ => Decision::Refuse(403), // signed in, and without a mailbox
            };
        };
        match question.role {
            _ if is_ambiguous(&question.target) => Decision::Refuse(400),
            Role::FrontEnd2013 => coexistence::decide(question, account),
            Role::FrontEnd2010 => before::decide(question, account),
            Role::Edge => Decision::Refuse(501),
        }
    }
}

impl Question {
    /// The server whose seat this is.
    pub fn seat(&self) -> Option<&Server> {
        self.topology.server(&self.seat)
    }

    /// The site of the seat.
    pub fn own_site(&self) -> Option<&SiteName> {
        self.seat().map(|server| &server.site)
    }

    /// The seat's virtual directory for a protocol.
    pub fn own_directory(&self, protocol: Protocol) -> Option<&VirtualDirectory> {
        self.seat()?.directory(protocol)
    }

    /// Client Access servers of a version in a site that take proxied requests, but for the seat's own.
    pub fn client_access(&self, version: Version, site: &SiteName) -> Vec<Target> {
        self.servers(version, site, ServerRole::ClientAccess)
            .filter(|(name, server)| self.takes_requests(name, server))
            .map(|(name, _)| self.at(name, 443))
            .collect()
    }

    /// In service (CX-OOS-1), and up for the protocol in question (CX-HLT-6).
    fn takes_requests(&self, name: &ServerName, server: &Server) -> bool {
        !server.out_of_service && !self.down.contains(&(name.clone(), self.protocol))
    }

    /// Mailbox servers of 2013 in a site, by their back end (wire facts 8).
    pub fn back_ends(&self, site: &SiteName) -> Vec<Target> {
        self.servers(Version::Exchange2013, site, ServerRole::Mailbox)
            .map(|(name, _)| self.at(name, 444))
            .collect()
    }

    /// A server by its own FQDN (CX-TGT-1).
    pub fn at(&self, server: &ServerName, port: u16) -> Target {
        Target { host: self.topology.fqdn(server), port }
    }

    /// The first ExternalURL that Client Access servers of a version carry in a site for a protocol, and who carries it.
    fn published(&self, version: Version, site: &SiteName, protocol: Protocol) -> Option<Published<'_>> {
        self.servers(version, site, ServerRole::ClientAccess).find_map(|(_, server)| {
            let directory = server.directory(protocol)?;
            Some(Published { url: &directory.external_url.as_ref()?.0, directory, version })
        })
    }

    /// What leads a browser to this version in this site. Exchange 2007 has no ECP: its OWA stands for it (X-ECP-1).
    fn web_page(&self, version: Version, site: &SiteName) -> Option<Published<'_>> {
        match (self.protocol, version) {
            (Protocol::Ecp, Version::Exchange2007) => self.published(version, site, Protocol::Owa),
            _ => self.published(version, site, self.protocol),
        }
    }

    /// The best redirect to there: silent where both ends sign in by forms (X-OWA-1), else without credentials
    /// (X-OWA-3).
    fn redirect(&self, to: Published<'_>) -> Decision {
        let own_forms = self.own_directory(Protocol::Owa).is_some_and(|owa| owa.forms);
        let fit = to.directory.forms && to.directory.external_authentication.contains(&Authentication::Fba);
        let typed = matches!(self.sign_in, SignIn::Typed | SignIn::Session);
        if own_forms && fit && typed && to.url.tls {
            return Decision::SilentRedirect(to.url.clone(), to.version);
        }
        let legacy = self.own_directory(Protocol::Owa).and_then(|owa| owa.legacy_redirect);
        match (to.version, legacy) {
            (Version::Exchange2007, Some(RedirectType::Manual)) => Decision::Manual(to.url.clone()),
            _ => Decision::Found(to.url.clone()),
        }
    }

    /// The Offline Address Book that the path names by GUID, else the one of the mailbox's database.
    fn oab(&self, account: &Account) -> Option<&model::topology::Oab> {
        let named = self.target.split('/').nth(2).unwrap_or_default();
        self.topology.oabs.values().find(|oab| oab.guid.eq_ignore_ascii_case(named)).or_else(|| {
            let database = self.topology.databases.get(&account.database)?;
            self.topology.oabs.get(database.oab.as_ref()?)
        })
    }

    /// Name and GUID of that address book.
    pub(crate) fn oab_named(&self, account: &Account) -> Option<(&str, &str)> {
        let meant = self.oab(account)?;
        let (name, oab) = self.topology.oabs.iter().find(|(_, oab)| oab.guid == meant.guid)?;
        Some((name.as_str(), &oab.guid))
    }

    /// The Client Access servers in a site that distribute this address book, of any version, but for the seat's own.
    fn distributors(&self, oab: &model::topology::Oab, site: &SiteName) -> Vec<Target> {
        let takes = |name: &&ServerName| {
            let server = self.topology.server(name);
            **name != self.seat
                && server.is_some_and(|server| {
                    server.site == *site
                        && server.is(ServerRole::ClientAccess)
                        && self.takes_requests(name, server)
                })
        };
        oab.distribution_points.iter().filter(takes).map(|name| self.at(name, 443)).collect()
    }

    fn servers(
        &self,
        version: Version,
        site: &SiteName,
        role: ServerRole,
    ) -> impl Iterator<Item = (&ServerName, &Server)> {
        self.topology.servers.iter().filter(move |(name, server)| {
            server.version == version && server.site == *site && server.is(role) && **name != self.seat
        })
    }
}

/// X-SEC-3: what another server might decode to another virtual directory.
fn is_ambiguous(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default().to_ascii_lowercase();
    let once = path.replace("%25", "%"); // decoded twice by somebody
    let decoded = once.replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\");
    let climbs = decoded.split('/').any(|segment| segment == ".." || segment == ".");
    let first_is_encoded = path.split('/').nth(1).unwrap_or_default().contains('%');
    climbs || first_is_encoded || decoded.contains('\\') || once.contains("%00")
}

/// An ExternalURL and the virtual directory that carries it.
#[derive(Clone, Copy)]
struct Published<'a> {
    url: &'a WebUrl,
    directory: &'a VirtualDirectory,
    version: Version,
}

/// Carry on to any of these; to nobody is an error that the client sees at once (CX-HLT-7).
fn proxy(candidates: Vec<Target>) -> Decision {
    match candidates.is_empty() {
        true => Decision::Refuse(503),
        false => Decision::Proxy(candidates),
    }
}

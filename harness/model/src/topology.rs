//! A topology: sites, servers, virtual directories, namespaces, databases, mailboxes. An immutable description.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::mail::MailService;
use crate::names::{DatabaseName, HostName, MailboxName, OabName, ServerName, SiteName};
use crate::protocol::{Protocol, Role, words};
use crate::subject::Span;
use crate::url::{ExternalUrl, InternalUrl, WebUrl};
use crate::version::{Build, Version};

mod file;
pub use file::{Setting, TopologyFiles};

/// Everything that a lab is built from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Topology {
    /// `coexistence`, or with its variants `coexistence+pairs`. Set when read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where its facts come from.
    pub source: String,
    /// What the subject in the seat is.
    pub role: Role,
    /// The position that the subject fills: one of the servers, or one of the edges.
    pub seat: ServerName,
    /// The front end that our reference fills where an overlay moved the seat before it. Set when read.
    #[serde(default)]
    pub front_end: Option<FrontEnd>,
    /// The domain of servers, namespaces and addresses.
    pub domain: HostName,
    /// Whether the same name may answer differently inside and outside; what each leads to is said by its namespace in any case.
    pub split_brain: bool,
    /// Active Directory sites.
    pub sites: BTreeMap<SiteName, Site>,
    /// Every server, and the seat where a server's place is taken.
    pub servers: BTreeMap<ServerName, Server>,
    /// Places of reverse proxies before the servers.
    #[serde(default)]
    pub edges: BTreeMap<ServerName, Edge>,
    /// DNS names other than the servers' own, and whom they lead to.
    pub namespaces: BTreeMap<HostName, Namespace>,
    /// SRV records: service name to target.
    #[serde(default)]
    pub services: BTreeMap<HostName, Service>,
    /// Mailbox databases.
    pub databases: BTreeMap<DatabaseName, Database>,
    /// Mailboxes by their colour.
    pub mailboxes: BTreeMap<MailboxName, Mailbox>,
    /// Offline Address Books.
    #[serde(default)]
    pub oabs: BTreeMap<OabName, Oab>,
    /// What administrators call what was imported, by its place as a finding names it: `cas2010-s1`, `cas2010-s1/owa`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, Origin>,
}

/// Where something imported comes from: its identity in Exchange, `CAS01\owa (Default Web Site)`, and the file and line of
/// the export, `owa.csv:3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin(pub String, pub String);

/// The front end of a topology whose seat is before it: what the base topology's seat was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FrontEnd {
    /// Its position.
    pub server: ServerName,
    /// What it is.
    pub role: Role,
}

/// The place of a reverse proxy: no Exchange server, so it has no version, roles or virtual directories. It publishes the
/// names that lead to it outside; what such a name leads to inside is behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Edge {
    /// The site that it stands before.
    pub site: SiteName,
    /// What certificate it presents.
    #[serde(default)]
    pub certificate: Certificate,
}

/// An Active Directory site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Site {
    /// The RPC Client Access array's name, where the site has one.
    pub array: Option<HostName>,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Server {
    /// Its generation.
    pub version: Version,
    /// Its build; the first number is the generation's.
    pub build: Build,
    /// The site it is in.
    pub site: SiteName,
    /// Its own DNS name, where that is not its name in the topology's domain: servers of a domain that is not the mail's.
    pub fqdn: Option<HostName>,
    /// What it does.
    pub roles: Vec<ServerRole>,
    /// What its service connection point names (AutoDiscoverServiceInternalUri). Client Access only.
    pub scp: Option<WebUrl>,
    /// What certificate it presents.
    #[serde(default)]
    pub certificate: Certificate,
    /// Taken out of proxying (IsOutOfService). Exchange 2010 only.
    #[serde(default)]
    pub out_of_service: bool,
    /// Virtual directories by protocol.
    #[serde(default)]
    pub directories: BTreeMap<Protocol, VirtualDirectory>,
    /// Outlook Anywhere's settings. Client Access only.
    pub outlook_anywhere: Option<OutlookAnywhere>,
    /// How long MAPI over HTTP is quiet before it says that it is still at it (`X-PendingPeriod`): a Mailbox server of
    /// Exchange 2013. 15 s unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapi_pending_period: Option<Span>,
    /// How many bytes an OUT channel of its RPC proxy carries at most: another is asked for when half of it is used up
    /// ([MS-RPCH] 3.2.2.3.5). 1 GiB unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc_channel_lifetime: Option<u32>,
    /// The IMAP service: of Client Access, and of Exchange 2013's Mailbox server, which is the back end.
    pub imap: Option<MailService>,
    /// The POP service, likewise.
    pub pop: Option<MailService>,
}

impl Server {
    /// Whether it has this role.
    pub fn is(&self, role: ServerRole) -> bool {
        self.roles.contains(&role)
    }

    /// Its IMAP or POP service; none for another protocol.
    pub fn mail(&self, protocol: Protocol) -> Option<&MailService> {
        match protocol {
            Protocol::Imap => self.imap.as_ref(),
            Protocol::Pop => self.pop.as_ref(),
            _ => None,
        }
    }

    /// Its virtual directory for a protocol.
    pub fn directory(&self, protocol: Protocol) -> Option<&VirtualDirectory> {
        self.directories.get(&protocol)
    }
}

words! {
    /// What a server does.
    ServerRole, "server role", "client-access (or mailbox)";
    /// Client Access
    ClientAccess = "client-access",
    /// Mailbox
    Mailbox = "mailbox",
}

words! {
    /// The certificate that a server presents: a right one, or wrong in one way.
    #[derive(Default)]
    Certificate, "certificate", "valid (or by-intermediate, expired, not-yet-valid, wrong-name, untrusted, missing-intermediate)";
    /// Names cover everything that leads to the server; the lab's root signs it.
    #[default]
    Valid = "valid",
    /// Right, signed by an intermediate that is sent along.
    ByIntermediate = "by-intermediate",
    /// Its time is over.
    Expired = "expired",
    /// Its time has not begun.
    NotYetValid = "not-yet-valid",
    /// It names another host.
    WrongName = "wrong-name",
    /// Signed by a root that nobody trusts.
    Untrusted = "untrusted",
    /// Signed by an intermediate that the server does not send.
    MissingIntermediate = "missing-intermediate",
}

words! {
    /// A way to sign in at a virtual directory.
    Authentication, "authentication method", "basic (or fba, ntlm, windows, negotiate, nego2, anonymous)";
    /// Basic
    Basic = "basic",
    /// Forms-based
    Fba = "fba",
    /// NTLM alone
    Ntlm = "ntlm",
    /// Windows Integrated: Negotiate and NTLM
    Windows = "windows",
    /// Negotiate alone
    Negotiate = "negotiate",
    /// Nego2, which IIS may offer beside the others
    Nego2 = "nego2",
    /// None asked
    Anonymous = "anonymous",
}

words! {
    /// How a redirect to another site or version is made where it is a setting.
    RedirectType, "redirect type", "silent (or manual)";
    /// Without the user noticing.
    Silent = "silent",
    /// A page with a link.
    Manual = "manual",
}

words! {
    /// Which devices a CAS2010 answers 451 (rule X-EAS-1; sources disagree, so it is a setting).
    Devices451, "list of devices for 451", "article-list (or 12.1-and-later, later-than-12.1)";
    /// Those that support Autodiscover and are on a list: the article.
    ArticleList = "article-list",
    /// Protocol 12.1 or later: a Microsoft article of 2009.
    From121 = "12.1-and-later",
    /// Protocol later than 12.1: Microsoft KB 2751417.
    After121 = "later-than-12.1",
}

/// A protocol's entry on a Client Access server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VirtualDirectory {
    /// InternalUrl
    pub internal_url: Option<InternalUrl>,
    /// ExternalUrl
    pub external_url: Option<ExternalUrl>,
    /// What IIS takes, in the order in which a 401 offers it.
    pub authentication: Vec<Authentication>,
    /// ExternalAuthenticationMethods, as a redirecting server reads it (rule X-OWA-1).
    #[serde(default)]
    pub external_authentication: Vec<Authentication>,
    /// FormsAuthentication: OWA and ECP.
    #[serde(default)]
    pub forms: bool,
    /// CrossSiteRedirectType: OWA of Exchange 2010. Manual unless set.
    pub cross_site_redirect: Option<RedirectType>,
    /// LegacyRedirectType: OWA of Exchange 2010. Silent unless set.
    pub legacy_redirect: Option<RedirectType>,
    /// LogonPagePublicPrivateSelectionEnabled: whether OWA's logon page asks if the computer is a public or a private one.
    /// Where unset, Exchange 2013 asks nothing, and older versions do (rule X-OWA-5).
    pub public_private_selection: Option<bool>,
    /// Whom it answers 451: ActiveSync of Exchange 2010.
    pub devices_451: Option<Devices451>,
    /// The name users sign in with: `DOMAIN\user` unless set.
    #[serde(default)]
    pub logon_format: LogonFormat,
}

words! {
    /// LogonFormat of an OWA virtual directory.
    #[derive(Default)]
    LogonFormat, "logon format", "full-domain (or user-name, principal-name)";
    /// `CONTOSO\user`
    #[default]
    FullDomain = "full-domain",
    /// `user`
    UserName = "user-name",
    /// `user@contoso.com`
    PrincipalName = "principal-name",
}

/// Outlook Anywhere on one Client Access server. 2007 and 2010 have the external half only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutlookAnywhere {
    /// ExternalHostname
    pub external_host: Option<HostName>,
    /// ExternalClientAuthenticationMethod
    pub external_authentication: Authentication,
    /// ExternalClientsRequireSsl
    pub external_ssl: bool,
    /// InternalHostname: Exchange 2013.
    pub internal_host: Option<HostName>,
    /// InternalClientAuthenticationMethod: Exchange 2013.
    pub internal_authentication: Option<Authentication>,
    /// InternalClientsRequireSsl: Exchange 2013.
    #[serde(default)]
    pub internal_ssl: bool,
    /// IISAuthenticationMethods
    pub iis_authentication: Vec<Authentication>,
}

/// Whom a DNS name leads to, in each view. An empty list is a name that does not resolve there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Namespace {
    /// Inside.
    pub internal: Vec<ServerName>,
    /// Outside.
    pub external: Vec<ServerName>,
}

/// An SRV record: the same in both views.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// The host it names.
    pub target: HostName,
    /// The port it names.
    pub port: u16,
}

/// A mailbox database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Database {
    /// Servers that hold a copy.
    pub copies: Vec<ServerName>,
    /// The one whose copy is active.
    pub active: ServerName,
    /// RpcClientAccessServer: Exchange 2010.
    pub rpc_client_access_server: Option<HostName>,
    /// The Offline Address Book of its mailboxes.
    pub oab: Option<OabName>,
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mailbox {
    /// The database it is in.
    pub database: DatabaseName,
}

/// An Offline Address Book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Oab {
    /// Its GUID, which the download's path names.
    pub guid: String,
    /// The Client Access servers that distribute it by web.
    pub distribution_points: Vec<ServerName>,
    /// Exchange 2013: the database of the organization mailbox that generates it.
    pub organization_mailbox: Option<DatabaseName>,
}

impl Topology {
    /// The server of this name.
    pub fn server(&self, name: &ServerName) -> Option<&Server> {
        self.servers.get(name)
    }

    /// Whether a server or an edge has this name.
    pub fn has_position(&self, name: &ServerName) -> bool {
        self.servers.contains_key(name) || self.edges.contains_key(name)
    }

    /// The name of every position: servers, then edges.
    pub fn positions(&self) -> impl Iterator<Item = &ServerName> {
        self.servers.keys().chain(self.edges.keys())
    }

    /// Who can be reached from outside: whoever a name leads to there, and the seat.
    pub fn published(&self) -> BTreeSet<&ServerName> {
        let named: Vec<&ServerName> = self.namespaces.values().flat_map(|leads| &leads.external).collect();
        self.positions().filter(|name| **name == self.seat || named.contains(name)).collect()
    }

    /// The site of a position.
    pub fn site_of(&self, position: &ServerName) -> Option<&SiteName> {
        let server = self.servers.get(position).map(|server| &server.site);
        server.or_else(|| self.edges.get(position).map(|edge| &edge.site))
    }

    /// The certificate that a position presents.
    pub fn certificate_of(&self, position: &ServerName) -> Option<Certificate> {
        let server = self.servers.get(position).map(|server| server.certificate);
        server.or_else(|| self.edges.get(position).map(|edge| edge.certificate))
    }

    /// The server that holds the active copy of a mailbox's database.
    pub fn home(&self, mailbox: &MailboxName) -> Option<&ServerName> {
        let mailbox = self.mailboxes.get(mailbox)?;
        Some(&self.databases.get(&mailbox.database)?.active)
    }

    /// The server's own DNS name.
    pub fn fqdn(&self, server: &ServerName) -> HostName {
        let set = self.servers.get(server).and_then(|server| server.fqdn.clone());
        set.unwrap_or_else(|| server.fqdn(&self.domain))
    }

    /// The server whose own DNS name this is.
    pub fn server_with_fqdn(&self, host: &HostName) -> Option<&ServerName> {
        self.servers.keys().find(|name| self.fqdn(name) == *host)
    }

    /// Every DNS name that leads to a server in either view, its own name first.
    pub fn names_of(&self, server: &ServerName) -> Vec<HostName> {
        let mut names = vec![self.fqdn(server)];
        for (host, leads) in &self.namespaces {
            if leads.internal.contains(server) || leads.external.contains(server) {
                names.push(host.clone());
            }
        }
        names
    }
}

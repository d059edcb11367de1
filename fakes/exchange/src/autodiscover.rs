//! The Autodiscover answer of a fake: which addresses it names for a mailbox, worked out from the directory's facts.
//!
//! The rules' table "What the Autodiscover answer names" is what comes out of it in the article's topologies.

use bytes::Bytes;
use directory::Facts;
use http::Request;
use model::topology::{Authentication, Server as Facing, ServerRole};
use model::{Build, HostName, Protocol, SiteName, Topology, Version, WebUrl};
use protocols::answer::Answer;
use protocols::autodiscover::{
    self, ExHttp, Exch, Expr, MapiHttp, Owa, PoxRequest, Schema, Services, Settings, SoapRequest, Web,
};

use crate::server::Server;

/// The first build that writes ExHTTP only for clients that say they know it (rule X-AD-1).
const EXHTTP_GATE: Build = Build { major: 15, minor: 0, build: 995, revision: 14 };

/// The first build that knows MAPI over HTTP: 2013 SP1 (wire facts 3.1).
const MAPI_HTTP_FROM: Build = Build { major: 15, minor: 0, build: 847, revision: 32 };

/// The forest's GUID: one for every lab.
const DEPLOYMENT: &str = "c1f5a1de-8d9f-4b42-9d55-6a3b1f6e2013";

/// Answers a POX or SOAP request for the user who signed in.
pub(crate) fn write(server: &Server, topology: &Topology, facts: &Facts, request: &Request<Bytes>) -> Answer {
    let exhttp = server.build < EXHTTP_GATE || autodiscover::says_exhttp(request.headers());
    let mapi_http = server.build >= MAPI_HTTP_FROM && autodiscover::says_mapi_http(request.headers());
    let settings = settings(server.version, topology, facts, exhttp, mapi_http);
    if request.uri().path().to_ascii_lowercase().ends_with(".svc") {
        return match SoapRequest::read(request.body()) {
            Ok(asked) => autodiscover::soap(server.version, server.build, &settings, &asked),
            Err(error) => error.answer(),
        };
    }
    match PoxRequest::read(request.body()) {
        Ok(PoxRequest { schema: Schema::Outlook2006a, .. }) => autodiscover::pox(&settings),
        Ok(PoxRequest { schema: Schema::MobileSync, .. }) => autodiscover::mobilesync(&settings),
        Err(error) => error.answer(),
    }
}

fn settings(
    written_by: Version,
    topology: &Topology,
    facts: &Facts,
    exhttp: bool,
    mapi_http: bool,
) -> Settings {
    let places = Places { topology, facts, entry: entry(topology) };
    let outside = |protocol| places.external(protocol);
    let inside = |protocol| places.internal(protocol);
    let guid = places.oab_guid();
    let oab = |url: Option<WebUrl>| {
        let (url, guid) = (url?, guid.clone()?);
        Some(url.at(&format!("{}/{guid}/", url.path.trim_end_matches('/'))))
    };
    let external = Services {
        ews: outside(Protocol::Ews),
        oab: oab(outside(Protocol::Oab)),
        ecp: outside(Protocol::Ecp),
    };
    let internal =
        Services { ews: inside(Protocol::Ews), oab: oab(inside(Protocol::Oab)), ecp: inside(Protocol::Ecp) };
    let anywhere = places.outlook_anywhere();
    let owa = |url: Option<WebUrl>, way| {
        url.map(|url| Owa { url, authentication: vec![way] }).into_iter().collect::<Vec<_>>()
    };
    Settings {
        written_by,
        display_name: facts.account.display_name.clone(),
        address: facts.account.address.clone(),
        legacy_dn: facts.account.legacy_dn.clone(),
        deployment_id: DEPLOYMENT.to_owned(),
        exch: Some(places.exch(internal.clone())),
        expr: anywhere.as_ref().map(|(host, way, ssl)| Expr {
            server: host.clone(),
            ssl: *ssl,
            auth_package: *way,
            cert_principal: None,
            services: external.clone(),
        }),
        web: Some(Web {
            internal: owa(inside(Protocol::Owa), Authentication::Windows),
            external: owa(outside(Protocol::Owa), Authentication::Fba),
            internal_ews: inside(Protocol::Ews),
            external_ews: outside(Protocol::Ews),
        }),
        exhttp: match facts.version == Version::Exchange2013 && exhttp {
            true => places.exhttp(&internal, &external),
            false => vec![],
        },
        mapi_http: (facts.version == Version::Exchange2013 && mapi_http)
            .then(|| places.mapi_http())
            .flatten(),
        eas_url: outside(Protocol::Eas),
    }
}

/// Where Autodiscover itself leads: the site of the server behind the name in the service connection points.
fn entry(topology: &Topology) -> Option<SiteName> {
    let scp = topology.servers.values().find_map(|server| server.scp.as_ref())?;
    let leads = topology.namespaces.get(&scp.host)?;
    let first = leads.internal.first().or(leads.external.first())?;
    Some(topology.servers.get(first)?.site.clone())
}

struct Places<'a> {
    topology: &'a Topology,
    facts: &'a Facts,
    entry: Option<SiteName>,
}

impl Places<'_> {
    fn client_access<'b>(&'b self, site: &'b SiteName, version: Version) -> impl Iterator<Item = &'b Facing> {
        self.topology.servers.values().filter(move |server| {
            server.is(ServerRole::ClientAccess) && server.site == *site && server.version == version
        })
    }

    /// The servers whose settings count for this mailbox, best first: those of its version in its site, then those of
    /// the entry site; there a 2010 mailbox is served by the newest, a 2007 one by its own version.
    fn candidates(&self, protocol: Protocol) -> Vec<&Facing> {
        let own = self.client_access(&self.facts.site, self.facts.version);
        let mut servers: Vec<&Facing> = match self.facts.version {
            // Devices and Outlook Anywhere of 2007 mailboxes enter where everybody does.
            Version::Exchange2007 if matches!(protocol, Protocol::Eas | Protocol::OutlookAnywhere) => vec![],
            _ => own.collect(),
        };
        if let Some(entry) = &self.entry {
            let newest = [Version::Exchange2013, Version::Exchange2010];
            match (self.facts.version, protocol) {
                (Version::Exchange2007, Protocol::Ews | Protocol::Oab | Protocol::Owa | Protocol::Ecp) => {
                    servers.extend(self.client_access(entry, Version::Exchange2007));
                }
                _ => {
                    servers.extend(newest.into_iter().flat_map(|version| self.client_access(entry, version)))
                }
            }
        }
        servers
    }

    fn external(&self, protocol: Protocol) -> Option<WebUrl> {
        let urls = self.candidates(protocol).into_iter();
        urls.filter_map(|server| server.directory(protocol)?.external_url.clone()).map(|url| url.0).next()
    }

    fn internal(&self, protocol: Protocol) -> Option<WebUrl> {
        let urls = self.candidates(protocol).into_iter();
        urls.filter_map(|server| server.directory(protocol)?.internal_url.clone()).map(|url| url.0).next()
    }

    fn outlook_anywhere(&self) -> Option<(HostName, Authentication, bool)> {
        self.candidates(Protocol::OutlookAnywhere).into_iter().find_map(|server| {
            let settings = server.outlook_anywhere.as_ref()?;
            Some((settings.external_host.clone()?, settings.external_authentication, settings.external_ssl))
        })
    }

    /// Internal first, external second (rule CX-EXHTTP-1).
    fn exhttp(&self, internal: &Services, external: &Services) -> Vec<ExHttp> {
        let mut blocks = vec![];
        let settings = self
            .candidates(Protocol::OutlookAnywhere)
            .into_iter()
            .filter(|server| server.version == Version::Exchange2013)
            .find_map(|server| server.outlook_anywhere.as_ref());
        let Some(settings) = settings else { return blocks };
        if let (Some(host), Some(way)) = (&settings.internal_host, settings.internal_authentication) {
            blocks.push(ExHttp {
                server: host.clone(),
                ssl: settings.internal_ssl,
                auth_package: way,
                services: internal.clone(),
            });
        }
        if let Some(host) = &settings.external_host {
            blocks.push(ExHttp {
                server: host.clone(),
                ssl: settings.external_ssl,
                auth_package: settings.external_authentication,
                services: external.clone(),
            });
        }
        blocks
    }

    /// Where the virtual directory is published that leads to this mailbox (rule X-MAPI-1).
    fn mapi_http(&self) -> Option<MapiHttp> {
        let (internal, external) = (self.internal(Protocol::Mapi), self.external(Protocol::Mapi));
        let mailbox_id = format!("{}@{}", self.facts.account.guid, self.topology.domain);
        (internal.is_some() || external.is_some()).then_some(MapiHttp { internal, external, mailbox_id })
    }

    /// EXCH names the Mailbox server (2007), the database's RpcClientAccessServer (2010), or the mailbox itself (2013):
    /// wire facts 3.1.
    fn exch(&self, services: Services) -> Exch {
        let database = self.topology.databases.get(&self.facts.account.database);
        let mailbox_server = self.topology.fqdn(&self.facts.server);
        let server = match self.facts.version {
            Version::Exchange2007 => mailbox_server.to_string(),
            Version::Exchange2010 => database
                .and_then(|database| database.rpc_client_access_server.clone())
                .unwrap_or(mailbox_server)
                .to_string(),
            Version::Exchange2013 => format!("{}@{}", self.facts.account.guid, self.topology.domain),
        };
        let build = self.topology.servers.get(&self.facts.server).map_or(EXHTTP_GATE, |server| server.build);
        let group =
            "/o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers";
        Exch {
            server_dn: format!("{group}/cn={server}"),
            mdb_dn: format!("{group}/cn={}/cn=Microsoft Private MDB", self.facts.server),
            server,
            build,
            auth_package: None,
            services,
        }
    }

    fn oab_guid(&self) -> Option<String> {
        let database = self.topology.databases.get(&self.facts.account.database)?;
        Some(self.topology.oabs.get(database.oab.as_ref()?)?.guid.clone())
    }
}

//! Autodiscover as a 2010 front end writes it, for mailboxes of 2010 and 2007 alike, in any site (PRE-AD-1, PRE-AD-2).

use http::{Method, Request};
use model::topology::{OutlookAnywhere, Server, ServerRole, VirtualDirectory};
use model::{HostName, Protocol, SiteName, Version, WebUrl};
use protocols::answer::Answer;
use protocols::autodiscover::{
    self as wire, Exch, Expr, Owa, PoxRequest, Schema, Services, Settings, SoapRequest, Web,
};
use protocols::iis;

use crate::decide::{Account, Question};
use crate::ports::Flow;
use crate::request::{FrontEnd, read};

/// The longest request that is read, in bytes.
const LONGEST: usize = 256 * 1024;
/// The forest's GUID; one forest, so one value.
const DEPLOYMENT: &str = "6f1d2c3b-4a59-4e68-9b7a-c0ff33c03215";
/// Where legacyExchangeDNs of servers begin.
const SERVERS: &str =
    "/o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers";

impl FrontEnd {
    /// Writes the answer for whoever signed in; another address in the request is unknown here.
    pub(crate) async fn write_autodiscover(
        &self,
        question: &Question,
        account: &Account,
        request: Request<Flow>,
    ) -> Answer {
        let soap = request.uri().path().to_ascii_lowercase().contains("autodiscover.svc");
        let post = request.method() == Method::POST;
        let body = match read(request.into_body(), LONGEST).await {
            Ok(body) => body,
            Err(code) => return iis::status(code),
        };
        let Some(settings) = Cells { question, account }.settings() else {
            return wire::error(602, "The configuration of the mailbox is incomplete.", "");
        };
        if soap {
            let Some(build) = self.own_server().map(|server| server.build) else { return iis::unavailable() };
            return match SoapRequest::read(&body) {
                Ok(asked) => wire::soap(self.version, build, &settings, &asked),
                Err(refused) => refused.answer(),
            };
        }
        if !post {
            return wire::announce_soap(wire::error(600, "Invalid Request", "")); // wire facts 3.1
        }
        match PoxRequest::read(&body) {
            Err(refused) => refused.answer(),
            Ok(asked) if !is_about(&asked, account) => {
                wire::error(500, "The email address can't be found.", "")
            }
            Ok(asked) => match asked.schema {
                Schema::Outlook2006a => wire::pox(&settings),
                Schema::MobileSync => wire::mobilesync(&settings),
            },
        }
    }
}

fn is_about(asked: &PoxRequest, account: &Account) -> bool {
    match (&asked.legacy_dn, &asked.address) {
        (Some(dn), _) => dn.eq_ignore_ascii_case(&account.legacy_dn),
        (None, Some(address)) => {
            [&account.address, &account.upn].iter().any(|own| own.eq_ignore_ascii_case(address.trim()))
        }
        (None, None) => false,
    }
}

/// What the rule book's table under "What the Autodiscover answer names" says, cell by cell.
struct Cells<'a> {
    question: &'a Question,
    account: &'a Account,
}

impl Cells<'_> {
    fn settings(&self) -> Option<Settings> {
        Some(Settings {
            written_by: Version::Exchange2010,
            display_name: self.account.display_name.clone(),
            address: self.account.address.clone(),
            legacy_dn: self.account.legacy_dn.clone(),
            deployment_id: DEPLOYMENT.to_owned(),
            exch: self.exch(),
            expr: self.expr(),
            web: Some(self.web()),
            exhttp: vec![],  // a 2010 server does not know it (CX-EXHTTP-4)
            mapi_http: None, // nor this
            eas_url: self.eas(),
        })
    }

    /// EWS and OAB: what serves the mailbox's version in its site, if that is published; else the nearest that is.
    fn service(&self, protocol: Protocol) -> Option<&VirtualDirectory> {
        let version = self.account.version;
        let published = |server: &&Server| {
            server.directory(protocol).is_some_and(|directory| directory.external_url.is_some())
        };
        let at_home = self.client_access(version, Some(&self.account.site)).find(published);
        let in_own_site = || self.client_access(version, self.question.own_site()).find(published);
        let anywhere = || self.client_access(version, None).find(published);
        at_home.or_else(in_own_site).or_else(anywhere)?.directory(protocol)
    }

    /// Whose devices and Outlook Anywhere have a name of their site's own: 2010 mailboxes. Both of the table's 2007
    /// mailboxes, published or not, enter where the Subject does.
    fn own_names(&self) -> impl Iterator<Item = &Server> {
        let own = self.account.version != Version::Exchange2007;
        self.newest_in(&self.account.site).filter(move |_| own)
    }

    /// ActiveSync: always a 2010 server's address, which passes on to 2007 (PRE-EAS-2). The site's own if published.
    fn eas(&self) -> Option<WebUrl> {
        let published = |server: &Server| external(server.directory(Protocol::Eas));
        let at_home = self.own_names().find_map(published);
        at_home.or_else(|| published(self.question.seat()?))
    }

    /// Outlook Anywhere: the site's own name if it has one, else this server's, which unwraps for every site (PRE-OA-1
    /// to 4).
    fn outlook_anywhere(&self) -> Option<(&HostName, &OutlookAnywhere)> {
        fn named(server: &Server) -> Option<(&HostName, &OutlookAnywhere)> {
            let settings = server.outlook_anywhere.as_ref()?;
            Some((settings.external_host.as_ref()?, settings))
        }
        self.own_names().find_map(named).or_else(|| named(self.question.seat()?))
    }

    fn expr(&self) -> Option<Expr> {
        let (server, settings) = self.outlook_anywhere()?;
        Some(Expr {
            server: server.clone(),
            ssl: settings.external_ssl,
            auth_package: settings.external_authentication,
            cert_principal: None,
            services: Services {
                ews: external(self.service(Protocol::Ews)),
                oab: self.oab(external(self.service(Protocol::Oab))),
                ecp: external(self.service(Protocol::Ecp)),
            },
        })
    }

    fn exch(&self) -> Option<Exch> {
        let topology = &self.question.topology;
        let home = topology.server(&self.account.server)?;
        let database = topology.databases.get(&self.account.database)?;
        // PRE-RPC-1, 2 and 4; wire facts 3.1.
        let array = || database.rpc_client_access_server.clone();
        let server = match self.account.version {
            Version::Exchange2010 => array().unwrap_or_else(|| topology.fqdn(&self.account.server)),
            _ => topology.fqdn(&self.account.server),
        };
        let server_dn = format!("{SERVERS}/cn={server}");
        Some(Exch {
            server: server.to_string(),
            mdb_dn: format!("{server_dn}/cn=Microsoft Private MDB"),
            server_dn,
            build: home.build,
            auth_package: None,
            services: Services {
                ews: internal(self.service(Protocol::Ews)),
                oab: self.oab(internal(self.service(Protocol::Oab))),
                ecp: internal(self.service(Protocol::Ecp)),
            },
        })
    }

    fn web(&self) -> Web {
        let servers = || self.client_access(self.account.version, Some(&self.account.site));
        let pages = || servers().filter_map(|server| server.directory(Protocol::Owa));
        let inside = pages().filter_map(|owa| {
            Some(Owa { url: internal(Some(owa))?, authentication: owa.authentication.clone() })
        });
        let outside = pages().filter_map(|owa| {
            Some(Owa { url: external(Some(owa))?, authentication: owa.external_authentication.clone() })
        });
        Web {
            internal: inside.collect(),
            external: outside.collect(),
            internal_ews: internal(self.service(Protocol::Ews)),
            external_ews: external(self.service(Protocol::Ews)),
        }
    }

    /// Wire facts 7: the address book's GUID below the virtual directory.
    fn oab(&self, directory: Option<WebUrl>) -> Option<WebUrl> {
        let topology = &self.question.topology;
        let database = topology.databases.get(&self.account.database)?;
        let guid = &topology.oabs.get(database.oab.as_ref()?)?.guid;
        let directory = directory?;
        Some(directory.at(&format!("{}/{guid}/", directory.path.trim_end_matches('/'))))
    }

    fn newest_in(&self, site: &SiteName) -> impl Iterator<Item = &Server> {
        self.client_access(Version::Exchange2010, Some(site))
    }

    /// Client Access servers of a version, of a site or of all, the seat's own among them and before the others.
    fn client_access(&self, version: Version, site: Option<&SiteName>) -> impl Iterator<Item = &Server> {
        let site = site.cloned();
        let seat = self.question.seat();
        let others = self.question.topology.servers.iter();
        let others = others.filter(|(name, _)| **name != self.question.seat).map(|(_, server)| server);
        seat.into_iter().chain(others).filter(move |server| {
            server.version == version
                && server.is(ServerRole::ClientAccess)
                && site.as_ref().is_none_or(|site| server.site == *site)
        })
    }
}

fn external(directory: Option<&VirtualDirectory>) -> Option<WebUrl> {
    Some(directory?.external_url.as_ref()?.0.clone())
}

fn internal(directory: Option<&VirtualDirectory>) -> Option<WebUrl> {
    Some(directory?.internal_url.as_ref()?.0.clone())
}

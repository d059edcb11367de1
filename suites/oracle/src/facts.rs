//! What the oracle derives of a topology, for itself: site, version, internet-facing, candidates, fit for single sign-on.

use std::collections::BTreeSet;

use model::case::{CertificateFault, Device as ClientDevice, Hop, Scheme, SignsIn};
use model::topology::{
    Authentication, Certificate, Database, Devices451, Edge, OutlookAnywhere, RedirectType, Server,
    ServerRole, VirtualDirectory,
};
use model::{
    Build, HostName, MailboxName, OabName, Position, Protocol, Role, ServerName, SiteName, Topology, Version,
    View, WebUrl,
};

use crate::Unpredicted;
use crate::health::Down;
use crate::outcome::hop;

/// A topology, seen by one mailbox.
pub(crate) struct Facts<'t> {
    pub(crate) topology: &'t Topology,
    /// The front end that the rules speak of: the subject, or where that is an edge, the one behind it.
    pub(crate) seat: &'t Server,
    seat_name: &'t ServerName,
    role: Role,
    /// The server that holds the active copy of the mailbox's database.
    pub(crate) home: &'t ServerName,
    pub(crate) version: Version,
    pub(crate) site: &'t SiteName,
    database: &'t Database,
    /// What takes no requests by its health.
    down: Option<&'t Down>,
}

/// The servers behind a name: alike in version and site, so that it does not matter which one the client gets.
pub(crate) struct Here<'t> {
    pub(crate) servers: Position,
    pub(crate) first: &'t Server,
    /// Whether the front end that the rules speak of is among them.
    pub(crate) subject: bool,
    /// The edge that the client meets before them.
    pub(crate) edge: Option<(&'t ServerName, &'t Edge)>,
}

/// Which servers are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidates {
    /// Those that there are.
    All,
    /// Those that take requests of this protocol now.
    Taking(Protocol),
}

impl Here<'_> {
    /// The hops up to them.
    pub(crate) fn hops(&self) -> Vec<Hop> {
        let edge = self.edge.map(|(name, _)| hop(Position(vec![name.clone()])));
        edge.into_iter().chain([hop(self.servers.clone())]).collect()
    }

    /// The certificate that the client sees.
    pub(crate) fn certificate(&self) -> Certificate {
        self.edge.map_or(self.first.certificate, |(_, edge)| edge.certificate)
    }
}

impl<'t> Facts<'t> {
    pub(crate) fn of(topology: &'t Topology, mailbox: &MailboxName) -> Result<Facts<'t>, Unpredicted> {
        let (seat_name, role) = match &topology.front_end {
            Some(front_end) => (&front_end.server, front_end.role),
            None => (&topology.seat, topology.role),
        };
        let seat = topology
            .server(seat_name)
            .ok_or_else(|| Unpredicted::new(format!("the seat {seat_name} is no server of it")))?;
        let held = topology.mailboxes.get(mailbox).and_then(|m| topology.databases.get(&m.database));
        let database =
            held.ok_or_else(|| Unpredicted::new(format!("mailbox {mailbox} is in no database of it")))?;
        let home = &database.active;
        let server = topology
            .server(home)
            .ok_or_else(|| Unpredicted::new(format!("mailbox {mailbox} is on no server of it")))?;
        let (version, site) = (server.version, &server.site);
        Ok(Facts { topology, seat, seat_name, role, home, version, site, database, down: None })
    }

    /// The same, where these take no requests.
    pub(crate) fn with_down(self, down: &'t Down) -> Facts<'t> {
        Facts { down: Some(down), ..self }
    }

    /// Whether a server takes requests of a protocol that are passed on: in service (CX-OOS-1), and up for it (CX-HLT-6).
    fn takes(&self, name: &ServerName, server: &Server, protocol: Protocol) -> bool {
        let down = self.down.is_some_and(|down| down.contains(&(name.clone(), protocol)));
        !server.out_of_service && !down
    }

    /// Whether a 2013 front end is in the seat; the rules of the other era claim nothing then.
    pub(crate) fn with_2013(&self) -> bool {
        self.role == Role::FrontEnd2013
    }

    /// Whether a name leads anywhere in a view.
    pub(crate) fn resolves(&self, host: &HostName, view: View) -> bool {
        !self.behind_name(host, view).is_empty()
    }

    /// The servers that a client which dials this name for a protocol reaches.
    pub(crate) fn behind(
        &self,
        host: &HostName,
        view: View,
        protocol: Protocol,
    ) -> Result<Here<'t>, Unpredicted> {
        let mut names = self.behind_name(host, view);
        // An edge publishes what leads to it: what the name leads to inside is behind it.
        let edge = names.first().and_then(|name| self.topology.edges.get_key_value(name));
        if edge.is_some() {
            names = self.behind_name(host, View::Internal);
        }
        let found: Vec<(&ServerName, &'t Server)> =
            names.iter().filter_map(|name| Some((name, self.topology.servers.get(name)?))).collect();
        let Some((_, first)) = found.first().copied() else {
            return Err(Unpredicted::new(format!("{host} does not resolve in the {view} view")));
        };
        // A 2007 mailbox is had by RPC at its Mailbox server.
        if !first.is(ServerRole::ClientAccess) && protocol != Protocol::Rpc {
            return Err(Unpredicted::new(format!("{host} leads to a server without Client Access")));
        }
        if found.iter().any(|(_, s)| (s.version, &s.site) != (first.version, &first.site)) {
            return Err(Unpredicted::new(format!("{host} leads to servers of several versions or sites")));
        }
        let subject = names.contains(self.seat_name);
        Ok(Here { servers: Position(names), first, subject, edge })
    }

    fn behind_name(&self, host: &HostName, view: View) -> Vec<ServerName> {
        if let Some(leads) = self.topology.namespaces.get(host) {
            return match view {
                View::Internal => leads.internal.clone(),
                View::External => leads.external.clone(),
            };
        }
        // A server's own name is known inside only (DNS-1).
        let own = (view == View::Internal).then(|| self.topology.server_with_fqdn(host)).flatten();
        own.cloned().into_iter().collect()
    }

    /// The candidates for a request that is passed on for this mailbox: Client Access servers of its version in its site, or
    /// those of them that take it.
    pub(crate) fn candidates(&self, of: Candidates) -> Result<Position, Unpredicted> {
        let fits = |(name, s): &(&ServerName, &Server)| {
            s.version == self.version
                && s.is(ServerRole::ClientAccess)
                && match of {
                    Candidates::All => true,
                    Candidates::Taking(protocol) => self.takes(name, s, protocol),
                }
        };
        let names = self.in_site(self.site).filter(fits).map(|(name, _)| name.clone()).collect();
        some(names, || format!("no Client Access server of Exchange {} in {}", self.version, self.site))
    }

    /// The 2013 Mailbox servers of a site.
    pub(crate) fn mailbox_2013(&self, site: &SiteName) -> Result<Position, Unpredicted> {
        let names = self
            .in_site(site)
            .filter(|(_, s)| s.version == Version::Exchange2013 && s.is(ServerRole::Mailbox))
            .map(|(name, _)| name.clone())
            .collect();
        some(names, || format!("no Exchange 2013 Mailbox server in {site}"))
    }

    /// Whether each of these takes the Windows sign-in of a server that passes a request on (wire facts 1.4). Of one that
    /// does not no rule says what comes: it depends on how the front end speaks for its users.
    pub(crate) fn lets_servers_in(&self, targets: &Position, protocol: Protocol) -> Result<(), Unpredicted> {
        let takes = |name: &&ServerName| {
            let server = self.topology.server(name);
            server.is_some_and(|server| takes_scheme(server, protocol, Scheme::Ticket))
        };
        match targets.0.iter().find(|name| !takes(name)) {
            None => Ok(()),
            Some(name) => Err(Unpredicted::new(format!(
                "{name}/{protocol} takes no Windows authentication, by which a server that passes requests on signs in"
            ))),
        }
    }

    /// The mailbox's Offline Address Book.
    pub(crate) fn oab(&self) -> Result<&'t OabName, Unpredicted> {
        let none = || Unpredicted::new("the mailbox's database has no Offline Address Book");
        self.database.oab.as_ref().ok_or_else(none)
    }

    /// Legacy Client Access servers of a site that distribute the mailbox's Offline Address Book (CX-OAB-1).
    pub(crate) fn distribution_points(
        &self,
        site: &SiteName,
        of: Candidates,
    ) -> Result<Position, Unpredicted> {
        let oab = self.oab()?;
        let points = self.topology.oabs.get(oab).map(|oab| &oab.distribution_points[..]).unwrap_or_default();
        let here = self
            .in_site(site)
            .filter(|(name, s)| {
                points.contains(name)
                    && *name != self.seat_name
                    && (of == Candidates::All || self.takes(name, s, Protocol::Oab))
            })
            .map(|(name, _)| name.clone())
            .collect();
        some(here, || format!("no server of {site} distributes {oab}"))
    }

    /// The server with the active copy of the organization mailbox's database (CX-OAB-7).
    pub(crate) fn organization_mailbox(&self) -> Result<Position, Unpredicted> {
        let oab = self.oab()?;
        let database = self.topology.oabs.get(oab).and_then(|oab| oab.organization_mailbox.as_ref());
        let active = database.and_then(|name| self.topology.databases.get(name)).map(|d| d.active.clone());
        some(active.into_iter().collect(), || format!("{oab} has no organization mailbox"))
    }

    /// The ExternalURL under which Client Access servers of a version publish a protocol in a site, and whose it is. A
    /// site is internet-facing for the protocol exactly when there is one (TOP-1).
    pub(crate) fn published(
        &self,
        version: Version,
        site: &SiteName,
        protocol: Protocol,
    ) -> Option<(&'t Server, &'t WebUrl)> {
        let mut servers =
            self.in_site(site).filter(|(_, s)| s.version == version && s.is(ServerRole::ClientAccess));
        servers.find_map(|(_, server)| Some((server, external_url(server, protocol)?)))
    }

    /// The same for Outlook Anywhere, which has a host instead of an address.
    pub(crate) fn published_outlook_anywhere(
        &self,
        version: Version,
        site: &SiteName,
    ) -> Option<&'t HostName> {
        let mut servers =
            self.in_site(site).filter(|(_, s)| s.version == version && s.is(ServerRole::ClientAccess));
        servers.find_map(|(_, server)| server.outlook_anywhere.as_ref()?.external_host.as_ref())
    }

    /// The server that an Outlook profile names for RPC over TCP: the Mailbox server before 2010, the database's
    /// RpcClientAccessServer in 2010, none in 2013.
    pub(crate) fn rpc_server(&self) -> Option<HostName> {
        match self.version {
            Version::Exchange2007 => Some(self.topology.fqdn(self.home)),
            Version::Exchange2010 => self.database.rpc_client_access_server.clone(),
            Version::Exchange2013 => None,
        }
    }

    /// The Outlook Anywhere settings that an answer hands out: of the mailbox's site where it is published there, and 2010,
    /// else the subject's.
    pub(crate) fn outlook_anywhere(&self) -> Option<&'t OutlookAnywhere> {
        let own = self.in_site(self.site).filter(|(_, server)| {
            self.version == Version::Exchange2010
                && server.version == self.version
                && server.is(ServerRole::ClientAccess)
        });
        let named = |server: &'t Server| {
            server.outlook_anywhere.as_ref().filter(|settings| settings.external_host.is_some())
        };
        own.map(|(_, server)| server).find_map(named).or_else(|| named(self.seat))
    }

    /// Where a browser that entered by this protocol is moved to: 2007 has no `/ecp`, its users are moved to `/owa`.
    pub(crate) fn browser_target(
        &self,
        site: &SiteName,
        protocol: Protocol,
    ) -> Option<(&'t Server, &'t WebUrl)> {
        let has_ecp = self
            .in_site(site)
            .any(|(_, s)| s.version == self.version && s.directory(Protocol::Ecp).is_some());
        let protocol = if has_ecp { protocol } else { Protocol::Owa };
        self.published(self.version, site, protocol)
    }

    /// SCP records as Outlook in the subject's site takes them: those of its own site first.
    pub(crate) fn service_connection_points(&self) -> Vec<&'t WebUrl> {
        let near = self.topology.servers.values().filter(|s| s.site == self.seat.site);
        let far = self.topology.servers.values().filter(|s| s.site != self.seat.site);
        let mut seen = BTreeSet::new();
        near.chain(far).filter_map(|s| s.scp.as_ref()).filter(|url| seen.insert(*url)).collect()
    }

    /// A mailbox that the article has in no topology of this era: 2007 in another site before 2013; with it, 2007 in
    /// another site that is internet-facing.
    pub(crate) fn is_open_in_the_article(&self) -> bool {
        let faces = |protocol| self.published(self.version, self.site, protocol).is_some();
        self.version == Version::Exchange2007
            && *self.site != self.seat.site
            && (!self.with_2013()
                || [Protocol::Owa, Protocol::Eas, Protocol::Ews, Protocol::Oab].into_iter().any(faces))
    }

    fn in_site<'s>(
        &self,
        site: &'s SiteName,
    ) -> impl Iterator<Item = (&'t ServerName, &'t Server)> + use<'t, 's> {
        self.topology.servers.iter().filter(move |(_, server)| server.site == *site)
    }
}

/// A protocol's ExternalURL on a server.
pub(crate) fn external_url(server: &Server, protocol: Protocol) -> Option<&WebUrl> {
    server.directory(protocol)?.external_url.as_ref().map(|url| &url.0)
}

/// Whether browsers sign in by forms here; ECP's sign-in is OWA's.
pub(crate) fn signs_in_by_forms(server: &Server) -> bool {
    server.directory(Protocol::Owa).is_some_and(|owa| owa.forms)
}

/// Whether its logon page is to ask for a public or private computer, where that is set; ECP's logon page is OWA's.
pub(crate) fn public_private_selection(server: &Server) -> Option<bool> {
    server.directory(Protocol::Owa)?.public_private_selection
}

/// Whether a target takes the silent form: Fba among its ExternalAuthenticationMethods, and forms on (X-OWA-1).
pub(crate) fn takes_the_silent_form(target: &Server) -> bool {
    let fit =
        |owa: &VirtualDirectory| owa.forms && owa.external_authentication.contains(&Authentication::Fba);
    target.directory(Protocol::Owa).is_some_and(fit)
}

/// Whether a virtual directory takes what a client would sign in by: Windows stands for Negotiate and NTLM (wire facts 4.5).
pub(crate) fn takes_scheme(server: &Server, protocol: Protocol, scheme: Scheme) -> bool {
    let methods = match protocol {
        Protocol::OutlookAnywhere => server.outlook_anywhere.as_ref().map(|own| &own.iis_authentication),
        _ => server.directory(protocol).map(|directory| &directory.authentication),
    };
    let takes =
        |any: &[Authentication]| methods.is_some_and(|own| own.iter().any(|method| any.contains(method)));
    match scheme {
        Scheme::Basic | Scheme::Plain => takes(&[Authentication::Basic]),
        Scheme::Ntlm | Scheme::NtlmLowerCase | Scheme::Profile => {
            takes(&[Authentication::Windows, Authentication::Ntlm])
        }
        Scheme::Negotiate | Scheme::Ticket => takes(&[Authentication::Windows, Authentication::Negotiate]),
        Scheme::Nego2 => takes(&[Authentication::Nego2]),
    }
}

/// What a client that signed in by a scheme says of itself.
pub(crate) fn bound_by(scheme: Scheme) -> SignsIn {
    match scheme {
        Scheme::Basic | Scheme::Plain => SignsIn::Basic,
        Scheme::Ntlm | Scheme::NtlmLowerCase | Scheme::Profile => SignsIn::Ntlm,
        Scheme::Negotiate | Scheme::Nego2 | Scheme::Ticket => SignsIn::Negotiate,
    }
}

/// How a client signs in that is told to by this setting.
pub(crate) fn scheme_of(authentication: Authentication) -> Option<Scheme> {
    match authentication {
        Authentication::Basic => Some(Scheme::Basic),
        Authentication::Ntlm => Some(Scheme::Ntlm),
        Authentication::Windows | Authentication::Negotiate => Some(Scheme::Negotiate),
        Authentication::Nego2 => Some(Scheme::Nego2),
        Authentication::Fba | Authentication::Anonymous => None,
    }
}

/// CrossSiteRedirectType: manual unless set.
pub(crate) fn cross_site_redirect(server: &Server) -> RedirectType {
    server.directory(Protocol::Owa).and_then(|owa| owa.cross_site_redirect).unwrap_or(RedirectType::Manual)
}

/// LegacyRedirectType: silent unless set.
pub(crate) fn legacy_redirect(server: &Server) -> RedirectType {
    server.directory(Protocol::Owa).and_then(|owa| owa.legacy_redirect).unwrap_or(RedirectType::Silent)
}

/// Whether a server answers this device 451, by the preset of its virtual directory (X-EAS-1).
pub(crate) fn moves(server: &Server, device: &ClientDevice) -> bool {
    let preset = server.directory(Protocol::Eas).and_then(|eas| eas.devices_451);
    match preset.unwrap_or(Devices451::ArticleList) {
        Devices451::ArticleList => device.on_451_list && device.autodiscover,
        Devices451::From121 => speaks(device) >= (12, 1),
        Devices451::After121 => speaks(device) > (12, 1),
    }
}

/// A device's protocol as two numbers; what is none counts as none.
pub(crate) fn speaks(device: &ClientDevice) -> (u16, u16) {
    let (major, minor) = device.protocol.split_once('.').unwrap_or((&device.protocol, "0"));
    (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

/// From this build on ExHTTP needs `X-ClientCanHandle: ExHttpInfo` (X-AD-1).
const EXHTTP_ASKS_FROM: Build = Build { major: 15, minor: 0, build: 995, revision: 14 };

/// Whether a 2013 server of this build writes ExHTTP for a client that says this of itself.
pub(crate) fn exhttp_passes(build: Build, can_handle: Option<&str>) -> bool {
    let asked =
        can_handle.unwrap_or_default().split(',').any(|word| word.trim().eq_ignore_ascii_case("ExHttpInfo"));
    build < EXHTTP_ASKS_FROM || asked
}

/// What a person is asked about a server's certificate.
pub(crate) fn fault(certificate: Certificate) -> Option<CertificateFault> {
    match certificate {
        Certificate::Valid | Certificate::ByIntermediate => None,
        Certificate::Expired | Certificate::NotYetValid => Some(CertificateFault::Date),
        Certificate::WrongName => Some(CertificateFault::Name),
        Certificate::Untrusted | Certificate::MissingIntermediate => Some(CertificateFault::Trust),
    }
}

fn some(names: Vec<ServerName>, otherwise: impl Fn() -> String) -> Result<Position, Unpredicted> {
    if names.is_empty() { Err(Unpredicted::new(otherwise())) } else { Ok(Position(names)) }
}

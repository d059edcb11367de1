//! Servers with their virtual directories, Outlook Anywhere and mail services.

use std::collections::BTreeMap;

use model::mail::{LoginType, MailService};
use model::topology::{
    Authentication, Certificate, LogonFormat, OutlookAnywhere, Server, ServerRole, VirtualDirectory,
};
use model::{ExternalUrl, HostName, InternalUrl, Protocol, ServerName, Version};

use super::Making;
use crate::cmdlet::Cmdlet;
use crate::note::Kind;
use crate::rows;

/// What a directory takes where no export says so.
const USUAL: [Authentication; 2] = [Authentication::Windows, Authentication::Basic];

impl Making<'_> {
    pub(super) fn servers(&mut self) {
        let domain = self.servers_domain();
        let parts: Vec<(ServerName, ServerRole, &rows::Server, model::SiteName)> = self
            .cast
            .members()
            .flat_map(|member| {
                let front = member.client_access.clone().map(|name| (name, ServerRole::ClientAccess));
                let back = member.mailbox.clone().map(|name| (name, ServerRole::Mailbox));
                let part = |(name, role)| (name, role, member.row, member.site.clone());
                front.into_iter().chain(back).map(part).collect::<Vec<_>>()
            })
            .collect();
        for (name, role, row, site) in parts {
            self.came_from(name.as_str(), &row.origin);
            let fqdn = self.fqdn(&name, role, row, &domain);
            let mut server = Server {
                version: row.version,
                build: row.build,
                site,
                fqdn: Some(fqdn).filter(|fqdn| *fqdn != name.fqdn(&self.topology.domain)),
                roles: vec![role],
                scp: None,
                certificate: Certificate::Valid,
                out_of_service: false,
                directories: BTreeMap::new(),
                outlook_anywhere: None,
                mapi_pending_period: None,
                rpc_channel_lifetime: None,
                imap: None,
                pop: None,
            };
            match role {
                ServerRole::ClientAccess => self.front(&name, row, &mut server),
                ServerRole::Mailbox => self.back(row, &mut server),
            }
            self.topology.servers.insert(name, server);
        }
    }

    /// The domain of the servers' own names, for one whose name no export says.
    fn servers_domain(&self) -> HostName {
        let parents = self.cast.members().filter_map(|member| {
            member.row.fqdn.as_ref()?.as_str().split_once('.').and_then(|(_, parent)| parent.parse().ok())
        });
        parents.into_iter().next().unwrap_or_else(|| self.topology.domain.clone())
    }

    /// A server's own DNS name; of one that is two here, the Mailbox half has its own.
    fn fqdn(
        &mut self,
        name: &ServerName,
        role: ServerRole,
        row: &rows::Server,
        domain: &HostName,
    ) -> HostName {
        let alone = !(row.client_access && row.mailbox && role == ServerRole::Mailbox);
        match &row.fqdn {
            Some(own) if alone => own.clone(),
            Some(own) => {
                let parent = own.as_str().split_once('.').and_then(|(_, parent)| parent.parse().ok());
                name.fqdn(&parent.unwrap_or_else(|| domain.clone()))
            }
            None => {
                let own = name.fqdn(domain);
                self.say(Kind::Assumed, &row.name, format!("its DNS name is {own}: no export has its Fqdn"));
                own
            }
        }
    }

    fn front(&mut self, name: &ServerName, row: &rows::Server, server: &mut Server) {
        let rows = self.rows;
        let is_own = |written: &str, cast: &super::Cast<'_>| cast.is(written, row);
        let own = rows.client_access.iter().find(|one| is_own(&one.server, &self.cast));
        if own.is_none() {
            self.lacks(Cmdlet::ClientAccessServer, row, "no service connection point of it is known");
        }
        self.scope(own, row);
        server.scp = own.and_then(|own| own.scp.clone());
        server.out_of_service =
            own.is_some_and(|own| own.out_of_service) && row.version == Version::Exchange2010;
        for protocol in DIRECTORIES {
            let cmdlet = Cmdlet::Directory(protocol);
            let mut found = rows
                .directories
                .iter()
                .filter(|one| one.protocol == protocol && is_own(&one.server, &self.cast));
            let first = found.next();
            if let Some(second) = found.next() {
                let says = format!(
                    "a second one beside {}: a topology has one of each kind at a server",
                    first.map_or("", |one| &one.origin.0)
                );
                self.say(Kind::LeftOut, &second.origin.0, says);
            }
            match first {
                Some(directory) => {
                    let made = self.directory(directory, row.version);
                    server.directories.insert(protocol, made);
                    self.came_from(format!("{name}/{protocol}"), &directory.origin);
                }
                // It is at every one, and was not exported.
                None if protocol == Protocol::Autodiscover => {
                    self.lacks(cmdlet, row, "one is assumed, with Windows authentication and Basic");
                    server.directories.insert(protocol, bare(USUAL.to_vec()));
                }
                None if !is_newer(protocol, row) => self.lacks(cmdlet, row, "it has no address there"),
                None => {}
            }
        }
        self.mail_services(name, row, server);
        let is_on = row.version == Version::Exchange2013 || own.is_some_and(|own| own.anywhere == Some(true));
        if let Some(anywhere) = rows.anywhere.iter().find(|one| is_own(&one.server, &self.cast)) {
            server.outlook_anywhere = Some(self.anywhere(anywhere, row.version));
            self.came_from(format!("{name}/outlook-anywhere"), &anywhere.origin);
        } else if is_on {
            self.lacks(Cmdlet::OutlookAnywhere, row, "Outlook Anywhere is taken to be off there");
        }
    }

    /// Clients prefer the service connection points whose scope has their own site
    /// (<https://learn.microsoft.com/powershell/module/exchange/set-clientaccessserver>); here each is its own site's.
    fn scope(&mut self, own: Option<&rows::ClientAccess>, row: &rows::Server) {
        let Some(own) = own.filter(|own| !own.scope.is_empty()) else { return };
        let is_own = |site: &&String| row.site.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(site));
        let mut sites: Vec<&str> =
            own.scope.iter().filter(|site| !is_own(site)).map(String::as_str).collect();
        if !own.scope.iter().any(|site| is_own(&site)) {
            sites.extend(row.site.as_deref());
        }
        if !sites.is_empty() {
            let says = format!(
                "AutoDiscoverSiteScope is {}, and scopes are not modelled: Outlook inside, in {}, may take another service \
                 connection point",
                own.scope.join(", "),
                sites.join(" and in ")
            );
            self.say(Kind::LeftOut, &row.name, says);
        }
    }

    /// Says that a cmdlet was exported, and nothing of this server with it. Of one that was not, it is said once.
    fn lacks(&mut self, cmdlet: Cmdlet, row: &rows::Server, so: &str) {
        if self.rows.have.contains(&cmdlet) {
            self.say(Kind::Missing, &row.name, format!("{} has no object of it: {so}", cmdlet.called()));
        }
    }

    fn mail_services(&mut self, name: &ServerName, row: &rows::Server, server: &mut Server) {
        let rows = self.rows;
        for protocol in [Protocol::Imap, Protocol::Pop] {
            let own = |one: &&rows::Mail| one.protocol == protocol && self.cast.is(&one.server, row);
            let Some(mail) = rows.mail.iter().find(own) else {
                let so = format!("{} is left out there", protocol.as_str().to_uppercase());
                self.lacks(Cmdlet::MailSettings(protocol), row, &so);
                continue;
            };
            let service = MailService {
                runs: self.runs(row, protocol, false),
                internal_connection_settings: mail.settings.clone(),
                login_type: mail.login_type,
                banner: mail.banner.clone(),
                ntlm: mail.ntlm,
            };
            self.came_from(format!("{name}/{protocol}"), &mail.origin);
            match protocol {
                Protocol::Imap => server.imap = Some(service),
                _ => server.pop = Some(service),
            }
        }
    }

    /// Exchange 2013's back end of the mail services: it has no settings that a client meets.
    fn back(&mut self, row: &rows::Server, server: &mut Server) {
        let rows = self.rows;
        let any = |protocol| rows.mail.iter().any(|mail| mail.protocol == protocol);
        if row.version != Version::Exchange2013 {
            return;
        }
        let service = |runs| MailService {
            runs,
            internal_connection_settings: vec![],
            login_type: LoginType::default(),
            banner: None,
            ntlm: false,
        };
        server.imap = any(Protocol::Imap).then(|| service(self.runs(row, Protocol::Imap, true)));
        server.pop = any(Protocol::Pop).then(|| service(self.runs(row, Protocol::Pop, true)));
    }

    /// Whether a mail service runs; where Get-Service says nothing of it, it does.
    fn runs(&mut self, row: &rows::Server, protocol: Protocol, back_end: bool) -> bool {
        let own = self.rows.services.iter().find(|service| {
            service.protocol == protocol && service.back_end == back_end && self.cast.is(&service.server, row)
        });
        let is_exported = self.rows.have.contains(&Cmdlet::Service);
        if own.is_none() && is_exported {
            let service = rows::Service::called(protocol, back_end);
            let says = format!("{} has no {service} of it: it is taken to run", Cmdlet::Service.called());
            self.say(Kind::Missing, &row.name, says);
        }
        own.is_none_or(|service| service.runs)
    }

    fn directory(&mut self, from: &rows::Directory, version: Version) -> VirtualDirectory {
        let web = matches!(from.protocol, Protocol::Owa | Protocol::Ecp);
        let forms = web && from.forms.unwrap_or(true);
        let authentication = from.authentication.clone().unwrap_or_else(|| {
            let says = match web {
                true => "Windows authentication, Basic and forms are on: the export has none of its authentication properties",
                false => "Windows authentication and Basic are on: the export has none of its authentication properties",
            };
            self.say(Kind::Assumed, &from.origin.0, says);
            USUAL.to_vec()
        });
        let external = from.external_authentication.clone();
        let redirects = from.protocol == Protocol::Owa && version == Version::Exchange2010;
        VirtualDirectory {
            internal_url: from.internal_url.clone().map(InternalUrl),
            external_url: from.external_url.clone().map(ExternalUrl),
            authentication,
            external_authentication: external
                .unwrap_or_else(|| if forms { vec![Authentication::Fba] } else { vec![] }),
            forms,
            cross_site_redirect: from.cross_site_redirect.filter(|_| redirects),
            legacy_redirect: from.legacy_redirect.filter(|_| redirects),
            public_private_selection: from.public_private_selection,
            devices_451: None,
            logon_format: from.logon_format,
        }
    }

    fn anywhere(&mut self, from: &rows::Anywhere, version: Version) -> OutlookAnywhere {
        let new = version == Version::Exchange2013;
        let usual = if new { Authentication::Negotiate } else { Authentication::Basic };
        let external_authentication = from.external_authentication.unwrap_or_else(|| {
            let says = format!("clients sign in by {usual}: the export has no client authentication method");
            self.say(Kind::Assumed, &from.origin.0, says);
            usual
        });
        let iis_authentication = from.iis.clone().unwrap_or_else(|| {
            let says = "IISAuthenticationMethods are Ntlm and Basic: the export does not have them";
            self.say(Kind::Assumed, &from.origin.0, says);
            vec![Authentication::Ntlm, Authentication::Basic]
        });
        OutlookAnywhere {
            external_host: from.external_host.clone(),
            external_authentication,
            external_ssl: from.external_ssl.filter(|_| new).unwrap_or(true),
            internal_host: from.internal_host.clone().filter(|_| new),
            internal_authentication: from.internal_authentication.filter(|_| new),
            internal_ssl: from.internal_ssl.filter(|_| new).unwrap_or(false),
            iis_authentication,
        }
    }
}

const DIRECTORIES: [Protocol; 7] = [
    Protocol::Autodiscover,
    Protocol::Owa,
    Protocol::Ecp,
    Protocol::Eas,
    Protocol::Ews,
    Protocol::Oab,
    Protocol::Mapi,
];

/// Whether a protocol came with a later version than the server's.
fn is_newer(protocol: Protocol, row: &rows::Server) -> bool {
    match protocol {
        Protocol::Ecp => row.version == Version::Exchange2007,
        Protocol::Mapi => !row.has_mapi(),
        _ => false,
    }
}

/// A directory without addresses.
fn bare(authentication: Vec<Authentication>) -> VirtualDirectory {
    VirtualDirectory {
        internal_url: None,
        external_url: None,
        authentication,
        external_authentication: vec![],
        forms: false,
        cross_site_redirect: None,
        legacy_redirect: None,
        public_private_selection: None,
        devices_451: None,
        logon_format: LogonFormat::FullDomain,
    }
}

//! Servers, their virtual directories, and their service connection points.

use model::mail::{LoginType, MailService};
use model::topology::{Authentication, OutlookAnywhere, RedirectType, Server, ServerRole, VirtualDirectory};
use model::{HostName, Protocol, ServerName, Version};

use super::{Grow, legacy};
use crate::ldap::dn::Dn;
use crate::ldap::entry::Entry;

/// The keyword of a service connection point that holds an address (wire facts 3.5).
const AUTODISCOVER_URL: &str = "77378F46-2C66-4aa9-A6A6-3E7A48B19596";

pub(super) fn grow(grow: &mut Grow<'_>) {
    let topology = grow.topology;
    let servers = grow.places.servers();
    for (name, server) in &topology.servers {
        let fqdn = topology.fqdn(name);
        let site = grow.places.site(&server.site);
        let dn = grow.add(&servers, name.as_str(), "msExchExchangeServer", |entry| {
            machine(entry, name, server, &fqdn, &site)
        });
        if server.is(ServerRole::ClientAccess) {
            protocols(grow, &dn, name, server, &fqdn);
        }
        if server.is(ServerRole::Mailbox) && server.version == Version::Exchange2007 {
            let store = grow.add(&dn, "InformationStore", "msExchInformationStore", |entry| entry);
            grow.add(&store, "First Storage Group", "msExchStorageGroup", |entry| entry);
        }
    }
}

fn machine(entry: Entry, name: &ServerName, server: &Server, fqdn: &HostName, site: &Dn) -> Entry {
    let build = server.build;
    // Wire facts 12.3: the text carries the build and 30000.
    let serial = format!(
        "Version {}.{} (Build {}.{})",
        build.major,
        build.minor,
        u32::from(build.build) + 30_000,
        build.revision
    );
    let roles: u32 = server.roles.iter().map(|role| role_bit(*role, server.version)).sum();
    let entry = entry
        .texts(
            "networkAddress",
            [format!("ncacn_ip_tcp:{fqdn}"), format!("netbios:{}", name.as_str().to_uppercase())],
        )
        .text("serialNumber", serial)
        .text("versionNumber", build.packed().cast_signed())
        .text("msExchCurrentServerRoles", roles)
        .text("msExchServerSite", site)
        .text("legacyExchangeDN", legacy(&format!("/cn=Configuration/cn=Servers/cn={name}")));
    match server.out_of_service {
        true => entry.text("coexistIsOutOfService", "TRUE"),
        false => entry,
    }
}

/// Wire facts 12.3.
fn role_bit(role: ServerRole, version: Version) -> u32 {
    match (role, version) {
        (ServerRole::Mailbox, _) => 2,
        (ServerRole::ClientAccess, Version::Exchange2013) => 0x4000,
        (ServerRole::ClientAccess, _) => 4,
    }
}

fn protocols(grow: &mut Grow<'_>, dn: &Dn, name: &ServerName, server: &Server, fqdn: &HostName) {
    let protocols = grow.add(dn, "Protocols", "container", |entry| entry);
    let http = grow.add(&protocols, "HTTP", "container", |entry| entry);
    for (protocol, facts) in &server.directories {
        let Some((path, class)) = kind(*protocol) else { continue };
        grow.add(&http, &in_default_site(path), class, |entry| virtual_directory(entry, facts, path, fqdn));
    }
    if let (Some(facts), Some((path, class))) = (&server.outlook_anywhere, kind(Protocol::OutlookAnywhere)) {
        grow.add(&http, &in_default_site(path), class, |entry| outlook_anywhere(entry, facts, path, fqdn));
    }
    for (name, class, service) in
        [("IMAP4", "protocolCfgIMAPServer", &server.imap), ("POP3", "protocolCfgPOPServer", &server.pop)]
    {
        let Some(service) = service else { continue };
        let kind = grow.add(&protocols, name, "container", |entry| entry);
        grow.add(&kind, "1", class, |entry| mail(entry, service));
    }
    if let Some(url) = &server.scp {
        let autodiscover = grow.add(&protocols, "Autodiscover", "container", |entry| entry);
        grow.add(&autodiscover, name.as_str(), "serviceConnectionPoint", |entry| {
            entry
                .texts("keywords", [AUTODISCOVER_URL.to_owned(), format!("Site={}", server.site)])
                .text("serviceBindingInformation", url)
                .text("serviceClassName", "ms-Exchange-AutoDiscover-Service")
                .text("serviceDNSName", name)
        });
    }
}

/// Where a server's virtual directory of a protocol is.
pub(super) fn directory(server: &Dn, protocol: Protocol) -> Dn {
    let http = server.child("CN", "Protocols").child("CN", "HTTP");
    http.child("CN", &in_default_site(kind(protocol).map_or("", |(path, _)| path)))
}

fn in_default_site(path: &str) -> String {
    format!("{path} (Default Web Site)")
}

/// What a virtual directory is called in IIS, and its class.
fn kind(protocol: Protocol) -> Option<(&'static str, &'static str)> {
    Some(match protocol {
        Protocol::Autodiscover => ("Autodiscover", "msExchAutoDiscoverVirtualDirectory"),
        Protocol::Owa => ("owa", "msExchOWAVirtualDirectory"),
        Protocol::Ecp => ("ecp", "msExchECPVirtualDirectory"),
        Protocol::Eas => ("Microsoft-Server-ActiveSync", "msExchMobileVirtualDirectory"),
        Protocol::Ews => ("EWS", "msExchWebServicesVirtualDirectory"),
        Protocol::Oab => ("OAB", "msExchOABVirtualDirectory"),
        Protocol::OutlookAnywhere => ("Rpc", "msExchRpcHttpVirtualDirectory"),
        Protocol::Mapi => ("mapi", "msExchMapiVirtualDirectory"),
        Protocol::PowerShell | Protocol::Rpc | Protocol::Imap | Protocol::Pop | Protocol::Dns => return None,
    })
}

fn metabase(fqdn: &HostName, path: &str) -> String {
    format!("IIS://{fqdn}/W3SVC/1/ROOT/{path}")
}

fn virtual_directory(entry: Entry, facts: &VirtualDirectory, path: &str, fqdn: &HostName) -> Entry {
    // FormsAuthentication is a setting of IIS; Active Directory shows it as a method of the inside.
    let forms = facts.forms.then_some(Authentication::Fba);
    let inside = facts.authentication.iter().copied().chain(forms);
    let entry = entry
        .text("msExchMetabasePath", metabase(fqdn, path))
        .texts("msExchInternalHostName", facts.internal_url.as_ref().map(|url| &url.0))
        .texts("msExchExternalHostName", facts.external_url.as_ref().map(|url| &url.0))
        .text("msExchInternalAuthenticationMethods", bits(inside))
        .text("coexistIisAuthentication", words(&facts.authentication))
        .texts("coexistCrossSiteRedirectType", facts.cross_site_redirect.map(redirect))
        .texts("coexistLegacyRedirectType", facts.legacy_redirect.map(redirect))
        .texts("coexistPublicPrivateSelection", facts.public_private_selection.map(truth))
        .texts("coexistDevices451", facts.devices_451);
    let entry = match facts.external_authentication.is_empty() {
        true => entry,
        false => entry
            .text("msExchExternalAuthenticationMethods", bits(facts.external_authentication.iter().copied())),
    };
    match path {
        "owa" => entry.text("coexistLogonFormat", facts.logon_format),
        _ => entry,
    }
}

fn outlook_anywhere(entry: Entry, facts: &OutlookAnywhere, path: &str, fqdn: &HostName) -> Entry {
    let entry = entry
        .text("msExchMetabasePath", metabase(fqdn, path))
        .texts("msExchExternalHostName", &facts.external_host)
        .text("msExchExternalAuthenticationMethods", bits([facts.external_authentication]))
        .text("coexistExternalClientsRequireSsl", truth(facts.external_ssl))
        .text("coexistIisAuthentication", words(&facts.iis_authentication))
        .texts("msExchInternalHostName", &facts.internal_host);
    match facts.internal_authentication {
        Some(method) => entry
            .text("msExchInternalAuthenticationMethods", bits([method]))
            .text("coexistInternalClientsRequireSsl", truth(facts.internal_ssl)),
        None => entry,
    }
}

fn truth(yes: bool) -> &'static str {
    if yes { "TRUE" } else { "FALSE" }
}

/// What Set-ImapSettings and Set-PopSettings set. Whether a service runs is no fact of Active Directory: here it is shown.
fn mail(entry: Entry, service: &MailService) -> Entry {
    let login = match service.login_type {
        LoginType::PlainTextLogin => 1,
        LoginType::PlainTextAuthentication => 2,
        LoginType::SecureLogin => 3,
    };
    entry
        .texts("msExchPOPIMAPInternalConnectionSettings", &service.internal_connection_settings)
        .text("msExchAuthenticationFlags", login)
        .texts("msExchPopImapBanner", &service.banner)
        .text("coexistServiceRuns", if service.runs { "TRUE" } else { "FALSE" })
}

fn redirect(kind: RedirectType) -> &'static str {
    match kind {
        RedirectType::Silent => "Silent",
        RedirectType::Manual => "Manual",
    }
}

fn words(methods: &[Authentication]) -> String {
    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(" ")
}

/// Wire facts 12.3, authentication flags. Anonymous is no method there.
fn bits(methods: impl IntoIterator<Item = Authentication>) -> u32 {
    methods.into_iter().fold(0, |bits, method| {
        bits | match method {
            Authentication::Basic => 1,
            Authentication::Ntlm => 2,
            Authentication::Fba => 4,
            Authentication::Windows => 16,
            Authentication::Negotiate => 8192,
            Authentication::Nego2 => 512,
            Authentication::Anonymous => 0,
        }
    })
}

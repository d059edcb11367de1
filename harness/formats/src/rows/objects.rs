//! Each cmdlet's objects, property by property.

use model::mail::LoginType;
use model::topology::{Authentication, LogonFormat, Origin, RedirectType};
use model::{Build, Protocol, Version, View};

use super::{
    Anywhere, Array, ClientAccess, Database, Directory, Domain, Mail, Name, Oab, Server, Service, server_of,
};
use crate::cmdlet::named;
use crate::note::{Kind, Note};
use crate::reading::{Reading, relative};
use crate::record::Value;

const LOGON_FORMATS: &[(&str, LogonFormat)] = &[
    ("FullDomain", LogonFormat::FullDomain),
    ("PrincipalName", LogonFormat::PrincipalName),
    ("UserName", LogonFormat::UserName),
];
const LOGIN_TYPES: &[(&str, LoginType)] = &[
    ("SecureLogin", LoginType::SecureLogin),
    ("PlainTextAuthentication", LoginType::PlainTextAuthentication),
    ("PlainTextLogin", LoginType::PlainTextLogin),
];

pub(super) fn server(of: &mut Reading<'_>, origin: Origin) -> Option<Server> {
    let name = relative(of.known_by(&["Name", "Identity"])?);
    let shown = of.text("AdminDisplayVersion").unwrap_or_default();
    let mut leave_out =
        |says: String| of.notes.push(Note::new(Kind::LeftOut, &of.record.at, format!("{name}: {says}")));
    let Some(build) = build(shown) else {
        leave_out(format!(
            "AdminDisplayVersion `{shown}` is no version; a right one: Version 14.3 (Build 123.4)"
        ));
        return None;
    };
    let version = match (build.major, build.minor) {
        (8, _) => Version::Exchange2007,
        (14, _) => Version::Exchange2010,
        (15, 0) => Version::Exchange2013,
        _ => {
            leave_out(format!("{shown} is none of Exchange 2007, 2010 and 2013"));
            return None;
        }
    };
    let roles = of.record.property("ServerRole").map(|roles| roles.value.items()).unwrap_or_default();
    let has = |role: &str| roles.iter().any(|own| own.eq_ignore_ascii_case(role));
    // An enumeration that lost its names is the sum of its bits: 2 Mailbox, 4 Client Access. Of 2013 a Mailbox server has 4
    // and those of transport and Unified Messaging as well, 54 in all, and 16384 is its front end.
    let bits = roles.first().and_then(|first| first.parse::<u32>().ok()).unwrap_or_default();
    let front_end = if version == Version::Exchange2013 { 16384 } else { 4 };
    let client_access = has("ClientAccess") || has("Cafe") || bits & front_end != 0;
    let mailbox = has("Mailbox") || bits & 2 != 0;
    if roles.is_empty() {
        leave_out(
            "no export has its ServerRole: export Get-ExchangeServer whole, as Export-Clixml does".to_owned(),
        );
        return None;
    }
    if !client_access && !mailbox {
        leave_out(format!("no client meets it: ServerRole is {}", roles.join(", ")));
        return None;
    }
    let (fqdn, site) = (of.host("Fqdn"), of.name(&["Site"]));
    Some(Server { name, fqdn, version, build, client_access, mailbox, site, origin })
}

/// `Version 14.3 (Build 123.4)`; the directory's own text adds 30000 to the build.
pub(crate) fn build(shown: &str) -> Option<Build> {
    let numbers: Vec<u16> = shown
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [major, minor, build, revision] = numbers[..] else { return None };
    let build = if build >= 30_000 { build - 30_000 } else { build };
    Some(Build { major, minor, build, revision })
}

pub(super) fn client_access(of: &mut Reading<'_>) -> Option<ClientAccess> {
    Some(ClientAccess {
        server: relative(of.known_by(&["Name", "Identity"])?),
        scp: of.url("AutoDiscoverServiceInternalUri"),
        scope: of.names("AutoDiscoverSiteScope"),
        anywhere: of.truth("OutlookAnywhereEnabled"),
        out_of_service: of.truth("IsOutOfService").unwrap_or(false),
    })
}

pub(super) fn array(of: &mut Reading<'_>, origin: Origin) -> Option<Array> {
    of.known_by(&["Fqdn"])?;
    Some(Array {
        fqdn: of.host("Fqdn")?,
        site: of.name(&["Site", "SiteName"]),
        members: of.names("Members"),
        origin,
    })
}

/// The switches, as they are called, and as those of ActiveSync are.
const WINDOWS: [&str; 2] = ["WindowsAuthentication", "WindowsAuthEnabled"];
const BASIC: [&str; 2] = ["BasicAuthentication", "BasicAuthEnabled"];

pub(super) fn directory(of: &mut Reading<'_>, protocol: Protocol, origin: Origin) -> Option<Directory> {
    let name = named(of.record).to_owned();
    let own = of.record.text("Name").unwrap_or(&name).rsplit('\\').next().unwrap_or_default().to_lowercase();
    // Exchange 2013's back end has directories of its own, which no client meets; those of Exchange 2003 lead to /owa.
    let old = of.record.text("OwaVersion").is_some_and(|version| version.contains("2003"))
        || ["exchange (", "public (", "exchweb (", "exadmin ("].iter().any(|start| own.starts_with(start));
    if name.contains("(Exchange Back End)") || own.contains("(exchange back end)") || old {
        return None;
    }
    let server = server_of(of)?;
    let list = match protocol {
        Protocol::Mapi => "IISAuthenticationMethods",
        _ => "InternalAuthenticationMethods",
    };
    let listed = of.authentication(list);
    // A way that no client of a lab has is one nevertheless.
    let lists_nothing = of.record.property(list).is_none_or(|property| property.value.items().is_empty());
    let basic = of.truth(BASIC[0]).or_else(|| of.truth(BASIC[1]));
    let windows = of.truth(WINDOWS[0]).or_else(|| of.truth(WINDOWS[1]));
    let forms = of.truth("FormsAuthentication");
    // With -ADPropertiesOnly the shell does not ask IIS: every switch is off, and the directory's own list is as it was set.
    let methods = |listed: &&Vec<Authentication>| listed.iter().any(|method| *method != Authentication::Fba);
    let is_told_apart = (basic, windows) == (Some(false), Some(false));
    let of_directory = listed.as_ref().filter(methods).filter(|_| is_told_apart);
    let forms = match of_directory {
        Some(listed) => Some(listed.contains(&Authentication::Fba)),
        None => forms.or_else(|| listed.as_ref().map(|methods| methods.contains(&Authentication::Fba))),
    };
    let off = BASIC.into_iter().find(|name| of.record.has(name)).unwrap_or(BASIC[0]);
    let authentication = match (basic, windows) {
        _ if of_directory.is_some() => {
            let says = "is off, as is Windows authentication, and InternalAuthenticationMethods has methods, which are taken: was it \
                        exported with -ADPropertiesOnly?";
            of.doubtful(off, says);
            listed.map(ordered)
        }
        (None, None) => listed.filter(|_| !lists_nothing).map(ordered),
        (basic, windows) => {
            let on = switched(of, windows, basic, listed.as_deref());
            if on.is_empty() && forms != Some(true) && lists_nothing {
                let says = "is off, as is every other way to sign in: nobody can; was it exported with -ADPropertiesOnly?";
                of.doubtful(off, says);
            }
            Some(on)
        }
    };
    let web = matches!(protocol, Protocol::Owa | Protocol::Ecp);
    let (cross_site_redirect, legacy_redirect) =
        (redirect(of, "CrossSiteRedirectType"), redirect(of, "LegacyRedirectType"));
    Some(Directory {
        protocol,
        server,
        internal_url: of.url("InternalUrl"),
        external_url: of.url("ExternalUrl"),
        authentication,
        external_authentication: of.authentication("ExternalAuthenticationMethods").filter(|_| web),
        forms: forms.filter(|_| web),
        cross_site_redirect,
        legacy_redirect,
        public_private_selection: of
            .truth("LogonPagePublicPrivateSelectionEnabled")
            .filter(|_| protocol == Protocol::Owa),
        logon_format: of.word("LogonFormat", LOGON_FORMATS).unwrap_or(LogonFormat::FullDomain),
        origin,
    })
}

/// What is switched on; of a switch that was not exported the list of methods tells.
fn switched(
    of: &mut Reading<'_>,
    windows: Option<bool>,
    basic: Option<bool>,
    listed: Option<&[Authentication]>,
) -> Vec<Authentication> {
    let integrated = [Authentication::Windows, Authentication::Ntlm, Authentication::Negotiate];
    let own = [(windows, &integrated[..], WINDOWS), (basic, &[Authentication::Basic][..], BASIC)];
    let mut on = vec![];
    for (switch, methods, names) in own {
        let told = listed.map(|listed| listed.iter().any(|method| methods.contains(method)));
        match switch.or(told) {
            Some(true) => on.push(methods[0]),
            // One that is there and says nothing has been named.
            None if !names.iter().any(|name| of.record.has(name)) => of.missing(names[0], "taken for off"),
            Some(false) | None => {}
        }
    }
    on
}

/// As IIS offers them: its own Windows sign-in, which is Negotiate and NTLM, stands before Basic; forms are apart.
fn ordered(mut methods: Vec<Authentication>) -> Vec<Authentication> {
    if methods.contains(&Authentication::Windows) {
        methods.retain(|method| !matches!(method, Authentication::Ntlm | Authentication::Negotiate));
    }
    methods.retain(|method| *method != Authentication::Fba);
    methods.sort_by_key(|method| *method == Authentication::Basic);
    methods
}

fn redirect(of: &mut Reading<'_>, name: &str) -> Option<RedirectType> {
    let words =
        [("Silent", Some(RedirectType::Silent)), ("Manual", Some(RedirectType::Manual)), ("None", None)];
    of.word(name, &words).flatten()
}

pub(super) fn anywhere(of: &mut Reading<'_>, origin: Origin) -> Option<Anywhere> {
    if origin.0.to_lowercase().contains("exchange back end") {
        return None;
    }
    let mut one = |names: [&str; 2]| {
        let found = names.iter().find(|name| of.record.has(name))?;
        of.authentication(found)?.first().copied()
    };
    let external_authentication = one(["ExternalClientAuthenticationMethod", "ClientAuthenticationMethod"]);
    let internal_authentication = one(["InternalClientAuthenticationMethod"; 2]);
    Some(Anywhere {
        server: server_of(of)?,
        external_host: of.host("ExternalHostname"),
        external_authentication,
        external_ssl: of.truth("ExternalClientsRequireSsl"),
        internal_host: of.host("InternalHostname"),
        internal_authentication,
        internal_ssl: of.truth("InternalClientsRequireSsl"),
        iis: of.authentication("IISAuthenticationMethods"),
        origin,
    })
}

pub(super) fn mail(of: &mut Reading<'_>, protocol: Protocol, origin: Origin) -> Option<Mail> {
    let login_type = of.word("LoginType", LOGIN_TYPES).unwrap_or(LoginType::SecureLogin);
    Some(Mail {
        protocol,
        server: server_of(of)?,
        settings: of.connection_settings(),
        login_type,
        banner: of.text("Banner").filter(|banner| !banner.contains("Microsoft Exchange")).map(str::to_owned),
        ntlm: of.truth("EnableGSSAPIAndNTLMAuth").unwrap_or(false),
        origin,
    })
}

pub(super) fn database(of: &mut Reading<'_>, origin: Origin) -> Option<Database> {
    let name = relative(of.known_by(&["Name", "AdminDisplayName", "Identity"])?);
    // Mailboxes are restored there, and nobody opens one.
    if of.truth("Recovery") == Some(true) {
        return None;
    }
    let all_copies = match of.record.property("Servers").map(|property| &property.value) {
        Some(Value::Lost(_) | Value::Cut(_)) => false,
        Some(_) => true,
        // Of Exchange 2007, where there are none.
        None => of.record.has("StorageGroup") || of.record.has("StorageGroupName"),
    };
    let mut copies = of.names("Servers");
    let active = of.name(&["MountedOnServer", "Server", "ServerName"]);
    if copies.is_empty() {
        copies.extend(active.clone().or_else(|| of.name(&["MasterServerOrAvailabilityGroup"])));
    }
    // CliXML has a list of servers as objects whose text is the server's name; of a pair, `[MBX1, 1]`, the first part.
    let copies = copies
        .into_iter()
        .map(|copy| copy.trim_start_matches('[').to_owned())
        .filter(|copy| copy.parse::<u32>().is_err());
    Some(Database {
        name,
        copies: copies.collect(),
        all_copies,
        active,
        rpc_client_access_server: of.host("RpcClientAccessServer"),
        oab: of.name(&["OfflineAddressBook"]),
        origin,
    })
}

pub(super) fn oab(of: &mut Reading<'_>, origin: Origin) -> Option<Oab> {
    let points = of.names("VirtualDirectories");
    let server = |point: &String| point.split('\\').next().unwrap_or_default().to_owned();
    Some(Oab {
        name: relative(of.known_by(&["Name", "Identity"])?),
        guid: of.text("Guid").map(|guid| guid.trim_matches(['{', '}']).to_lowercase()),
        servers: points.iter().map(server).collect(),
        default: of.truth("IsDefault").unwrap_or(false),
        origin,
    })
}

pub(super) fn domain(of: &mut Reading<'_>) -> Option<Domain> {
    let default = of.truth("Default").unwrap_or(false);
    // `*.contoso.com` is no domain of an address.
    let authoritative = of.text("DomainType").is_some_and(|kind| kind.eq_ignore_ascii_case("Authoritative"));
    let written = of.known_by(&["DomainName"])?;
    match model::HostName::folded(written.trim_start_matches("*.")) {
        Ok(name) => Some(Domain { name, default, authoritative }),
        Err(_) => of.bad("DomainName", written, "is no DNS name; one beyond ASCII is written as xn--…"),
    }
}

pub(super) fn service(of: &mut Reading<'_>) -> Option<Service> {
    let name = of.known_by(&["Name"])?;
    let known = Service::ALL.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
    let (_, protocol, back_end) = *known?;
    let server = relative(of.known_by(&["MachineName"])?);
    let server = server.split('.').next().unwrap_or_default().to_owned();
    // Running, or the number that it has in CliXML.
    let runs = matches!(of.known_by(&["Status"])?, "Running" | "4");
    Some(Service { server, protocol, back_end, runs })
}

pub(super) fn dns_name(of: &mut Reading<'_>) -> Option<Name> {
    let view = match of.text("View").map(str::to_lowercase).as_deref() {
        Some("external") => View::External,
        _ => View::Internal,
    };
    of.known_by(&["Name"])?;
    let addresses = of.text("Address").unwrap_or_default();
    let addresses = addresses.split([' ', ',', ';']).filter(|address| !address.is_empty());
    Some(Name { addresses: addresses.map(str::to_owned).collect(), host: of.host("Name")?, view })
}

//! Findings of settings that organizations get wrong: servers that are alike and set unlike, 2007 users who are sent back to
//! where they came from, databases that name a server which is gone.

use std::collections::BTreeMap;

use model::topology::{Authentication, Server, ServerRole};
use model::{HostName, Protocol, ServerName, SiteName, Topology, Version, View};

use super::Finding;
use super::topology::{client_access, leads, resolves};

/// All of them.
pub(super) fn findings(t: &Topology) -> Vec<Finding> {
    [
        alike_servers_are_set_alike(t),
        exchange_2007_has_names_of_its_own(t),
        profiles_name_somebody(t),
        targets_take_windows_authentication(t),
    ]
    .concat()
}

fn with_2013(t: &Topology) -> bool {
    t.servers.values().any(|server| server.version == Version::Exchange2013)
}

/// TOP-1: a site faces the internet by what its servers carry. Where two of one version differ, it depends on which is met.
fn alike_servers_are_set_alike(t: &Topology) -> Vec<Finding> {
    let mut farms: BTreeMap<(Version, &SiteName), Vec<(&ServerName, &Server)>> = BTreeMap::new();
    for (name, server) in client_access(t) {
        farms.entry((server.version, &server.site)).or_default().push((name, server));
    }
    let mut found = vec![];
    for ((version, site), farm) in farms.iter().filter(|(_, farm)| farm.len() > 1) {
        for (what, place, of) in PUBLISHED {
            let set: Vec<(&ServerName, Option<String>)> =
                farm.iter().filter_map(|(name, server)| Some((*name, of(server)?))).collect();
            let Some((right, usual)) = set.iter().find(|(_, value)| value.is_some()) else { continue };
            for (name, value) in set.iter().filter(|(_, value)| value != usual) {
                let is = value.as_ref().map_or("is not set".to_owned(), |value| format!("is {value}"));
                let says = format!(
                    "{what} {is}, and at {right}, the same version in the same site, it is {}: it depends on which of the \
                     servers of Exchange {version} in {site} is met what a user is told. Set them alike",
                    usual.as_deref().unwrap_or_default()
                );
                found.push(Finding::warning("TOP-1", format!("{name}/{place}"), says));
            }
        }
    }
    found
}

/// What a server is set to; none where it does not have the virtual directory at all.
type Of = fn(&Server) -> Option<Option<String>>;

const PUBLISHED: [(&str, &str, Of); 6] = [
    ("ExternalUrl", "owa", |server| external(server, Protocol::Owa)),
    ("ExternalUrl", "ecp", |server| external(server, Protocol::Ecp)),
    ("ExternalUrl", "eas", |server| external(server, Protocol::Eas)),
    ("ExternalUrl", "ews", |server| external(server, Protocol::Ews)),
    ("ExternalUrl", "oab", |server| external(server, Protocol::Oab)),
    ("ExternalHostname", "outlook-anywhere", |server| {
        Some(server.outlook_anywhere.as_ref()?.external_host.as_ref().map(HostName::to_string))
    }),
];

fn external(server: &Server, protocol: Protocol) -> Option<Option<String>> {
    Some(server.directory(protocol)?.external_url.as_ref().map(|url| url.0.to_string()))
}

/// PRE-OWA-2, CX-OWA-2: users of 2007 in the seat's site are sent to an ExternalUrl of CAS2007, which must lead to it.
fn exchange_2007_has_names_of_its_own(t: &Topology) -> Vec<Finding> {
    let front = t.front_end.as_ref().map_or(&t.seat, |front_end| &front_end.server);
    let Some(site) = t.server(front).map(|server| &server.site) else { return vec![] };
    let of_2007 = |server: &Server| server.version == Version::Exchange2007 && server.site == *site;
    if !t.mailboxes.keys().any(|mailbox| t.home(mailbox).and_then(|home| t.server(home)).is_some_and(of_2007))
    {
        return vec![];
    }
    let rule = if with_2013(t) { "CX-OWA-2" } else { "PRE-OWA-2" };
    let own: Vec<_> = client_access(t).filter(|(_, server)| of_2007(server)).collect();
    let mut found = vec![];
    for (name, server) in &own {
        let named = [Protocol::Owa, Protocol::Ews, Protocol::Oab].into_iter().filter_map(|protocol| {
            Some((protocol, &server.directory(protocol)?.external_url.as_ref()?.0.host))
        });
        for (protocol, host) in named {
            let newer = |name: &ServerName| t.server(name).is_some_and(|s| s.version > Version::Exchange2007);
            let Some(to) = leads(t, host, View::External).into_iter().find(|to| newer(to)) else { continue };
            let comes = match protocol {
                Protocol::Owa => "its users are sent back there again and again",
                _ => "nobody there serves a mailbox of Exchange 2007",
            };
            let says = format!(
                "ExternalUrl names {host}, which leads to {to}, a newer server: {comes}. Give Exchange 2007 a name of its own, \
                 legacy.{} say, that leads to {name}",
                t.domain
            );
            found.push(Finding::error(rule, format!("{name}/{protocol}"), says));
        }
    }
    let published = own.iter().any(|(_, server)| matches!(external(server, Protocol::Owa), Some(Some(_))));
    if let Some((name, _)) = own.first().filter(|_| !published) {
        let says = format!(
            "ExternalUrl is not set, nor at any other Exchange 2007 server in {site}: the front end has nowhere to send their \
             users. Give it a name of its own, legacy.{} say",
            t.domain
        );
        found.push(Finding::error(rule, format!("{name}/owa"), says));
    }
    found
}

/// PRE-RPC-1, CX-RPC-1: Outlook inside connects to what the database names.
fn profiles_name_somebody(t: &Topology) -> Vec<Finding> {
    let rule = if with_2013(t) { "CX-RPC-1" } else { "PRE-RPC-1" };
    let of_2010 = |server: &ServerName| t.server(server).is_some_and(|s| s.version == Version::Exchange2010);
    let mut found = vec![];
    for (name, database) in t.databases.iter().filter(|(_, database)| of_2010(&database.active)) {
        let Some(host) = &database.rpc_client_access_server else { continue };
        let serves = |server: &ServerName| {
            of_2010(server) && t.server(server).is_some_and(|server| server.is(ServerRole::ClientAccess))
        };
        let why = match leads(t, host, View::Internal) {
            _ if !resolves(t, host, View::Internal) => {
                "which does not resolve inside: was the server removed?"
            }
            to if !to.iter().all(serves) => {
                "which leads to others than Client Access servers of Exchange 2010."
            }
            _ => continue,
        };
        let says = format!(
            "RpcClientAccessServer names {host}, {why} Outlook inside connects there. Set it to the site's array, or to a \
             server that there is"
        );
        found.push(Finding::error(rule, name.as_str(), says));
    }
    found
}

/// A server that passes a request on signs in at the next one by Windows authentication, whatever its user brought (Microsoft's
/// "Understanding Proxying and Redirection", of Exchange 2007 and 2010). No rule of the book says so of settings.
fn targets_take_windows_authentication(t: &Topology) -> Vec<Finding> {
    let front = t.front_end.as_ref().map_or(&t.seat, |front_end| &front_end.server);
    let here = t.server(front).map(|server| &server.site);
    let taken = [Authentication::Windows, Authentication::Negotiate];
    let mut found = vec![];
    for (name, server) in client_access(t) {
        let passed_on: &[Protocol] = match (server.version, with_2013(t)) {
            (Version::Exchange2013, _) => &[],
            (Version::Exchange2007, _) => &[Protocol::Eas],
            // Before 2013 a server of the front end's own site is the front end, or one like it.
            (Version::Exchange2010, false) if Some(&server.site) == here => &[],
            (Version::Exchange2010, _) => {
                &[Protocol::Owa, Protocol::Ecp, Protocol::Eas, Protocol::Ews, Protocol::Autodiscover]
            }
        };
        let lacking = passed_on.iter().filter(|protocol| {
            let directory = server.directory(**protocol);
            directory.is_some_and(|own| !taken.iter().any(|method| own.authentication.contains(method)))
        });
        found.extend(lacking.map(|protocol| {
            let says = "Windows authentication is off, by which a server that passes requests on to this one signs in: its users \
                        are refused there. Turn it on beside Basic and forms";
            Finding::warning("-", format!("{name}/{protocol}"), says)
        }));
    }
    found
}

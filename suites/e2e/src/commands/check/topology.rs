//! Findings of a topology: what is wrong or doubtful about it before any traffic.
//!
//! Which site faces the internet, who serves whom: worked out here for itself, as everywhere.

use std::collections::BTreeSet;

use model::topology::{Authentication, Certificate, OutlookAnywhere, Server, ServerRole};
use model::{HostName, Protocol, Role, ServerName, SiteName, Topology, Version, View, WebUrl};

use super::findings::Finding;

/// Everything that is wrong or doubtful about a topology.
pub(super) fn findings(t: &Topology) -> Vec<Finding> {
    [
        sites_are_served(t),
        exchange_2007_has_a_way_in(t),
        outlook_anywhere_is_on_everywhere(t),
        outlook_anywhere_signs_in_alike(t),
        arrays_are_not_ambiguous(t),
        names_lead_somewhere(t),
        namespaces_lead_to_one_place(t),
        connection_points_name_autodiscover(t),
        address_books_are_distributed(t),
        certificates_are_valid(t),
    ]
    .concat()
}

fn client_access(t: &Topology) -> impl Iterator<Item = (&ServerName, &Server)> {
    t.servers.iter().filter(|(_, server)| server.is(ServerRole::ClientAccess))
}

/// Whom a name leads to; a server's own name is known inside only (DNS-1).
fn leads(t: &Topology, host: &HostName, view: View) -> Vec<ServerName> {
    match (t.namespaces.get(host), view) {
        (Some(leads), View::Internal) => leads.internal.clone(),
        (Some(leads), View::External) => leads.external.clone(),
        (None, View::Internal) => t.server_with_fqdn(host).cloned().into_iter().collect(),
        (None, View::External) => vec![],
    }
}

fn resolves(t: &Topology, host: &HostName, view: View) -> bool {
    !leads(t, host, view).is_empty()
}

/// A site without servers; a mailbox whose site has no Client Access server of its version, the seat's own apart.
fn sites_are_served(t: &Topology) -> Vec<Finding> {
    let empty = t.sites.keys().filter(|site| !t.servers.values().any(|server| server.site == **site));
    let mut found: Vec<Finding> =
        empty.map(|site| Finding::warning("-", site.as_str(), "the site has no server")).collect();
    for mailbox in t.mailboxes.keys() {
        let Some(home) = t.home(mailbox).and_then(|name| t.server(name)) else { continue };
        let alike = |server: &Server| server.version == home.version && server.site == home.site;
        let legacy = home.version != Version::Exchange2013;
        if legacy && !client_access(t).any(|(_, server)| alike(server)) {
            let says = format!(
                "the mailbox is on Exchange {} in {}, which has no Client Access server of that version: nobody can \
                 pass its requests on",
                home.version, home.site
            );
            found.push(Finding::error("GEN-2", mailbox.as_str(), says));
        }
    }
    found
}

/// TOP-2: EWS and OAB of a 2007 mailbox are reached by an ExternalUrl of a CAS2007, its own site's or another's.
fn exchange_2007_has_a_way_in(t: &Topology) -> Vec<Finding> {
    let of_2007 = |server: &&Server| server.version == Version::Exchange2007;
    let sites: BTreeSet<&SiteName> = t
        .mailboxes
        .keys()
        .filter_map(|mailbox| t.server(t.home(mailbox)?))
        .filter(of_2007)
        .map(|server| &server.site)
        .collect();
    let faces = |protocol| {
        let mut servers = client_access(t).map(|(_, server)| server).filter(of_2007);
        servers.any(|server| external(server, protocol).is_some())
    };
    let lost: Vec<&str> =
        [Protocol::Ews, Protocol::Oab].into_iter().filter(|p| !faces(*p)).map(Protocol::as_str).collect();
    if lost.is_empty() {
        return vec![];
    }
    sites
        .into_iter()
        .map(|site| {
            let mut there = t.servers.iter().filter(|(_, s)| s.site == *site && of_2007(s));
            let at = there.find(|(_, server)| server.is(ServerRole::ClientAccess)).map(|(name, _)| name);
            let says = format!(
                "{site} holds Exchange 2007 mailboxes and does not face the internet, and no CAS2007 does elsewhere: {} \
                 is lost",
                lost.join(" and ")
            );
            Finding::error("TOP-2", at.map_or(site.as_str(), ServerName::as_str), says)
        })
        .collect()
}

/// TOP-3, beside Exchange 2013: on at every Client Access server; NTLM beside Basic in IIS at every legacy one.
fn outlook_anywhere_is_on_everywhere(t: &Topology) -> Vec<Finding> {
    if !t.servers.values().any(|server| server.version == Version::Exchange2013) {
        return vec![];
    }
    let mut found = vec![];
    for (name, server) in client_access(t) {
        let at = format!("{name}/outlook-anywhere");
        let Some(own) = &server.outlook_anywhere else {
            found.push(Finding::error("TOP-3", at, "Outlook Anywhere is off"));
            continue;
        };
        let has = |words: &[Authentication]| words.iter().any(|word| own.iis_authentication.contains(word));
        if server.version == Version::Exchange2013 {
            continue;
        }
        if !has(&[Authentication::Ntlm, Authentication::Windows]) {
            let says = "IIS does not allow NTLM, by which the 2013 front end signs in behind";
            found.push(Finding::error("TOP-3", at, says));
        } else if !has(&[Authentication::Basic]) {
            found.push(Finding::error("TOP-3", at, "IIS does not allow Basic beside NTLM"));
        }
    }
    found
}

/// CX-EXHTTP-2: with one name inside and out Outlook uses the internal authentication only, outside too.
fn outlook_anywhere_signs_in_alike(t: &Topology) -> Vec<Finding> {
    let ambiguous = |own: &OutlookAnywhere| {
        own.internal_host.is_some()
            && own.internal_host == own.external_host
            && own.internal_authentication.is_some_and(|inside| inside != own.external_authentication)
    };
    client_access(t)
        .filter_map(|(name, server)| Some((name, server.outlook_anywhere.as_ref()?)))
        .filter(|(_, own)| ambiguous(own))
        .map(|(name, own)| {
            let says = format!(
                "one name inside and out, signed in to by {} inside and {} outside: Outlook uses the internal way only",
                own.internal_authentication.map_or("nothing", Authentication::as_str),
                own.external_authentication
            );
            Finding::error("CX-EXHTTP-2", format!("{name}/outlook-anywhere"), says)
        })
        .collect()
}

/// AMB-1: an array's name that resolves outside, or that HTTP uses too.
fn arrays_are_not_ambiguous(t: &Topology) -> Vec<Finding> {
    let mut found = vec![];
    for (site, array) in t.sites.iter().filter_map(|(name, site)| Some((name, site.array.as_ref()?))) {
        if resolves(t, array, View::External) {
            let says = format!("the RPC Client Access array {array} resolves outside: Outlook tries RPC there first");
            found.push(Finding::error("AMB-1", site.as_str(), says));
        }
        let user = used(t).into_iter().find(|used| used.host == array);
        if let Some(user) = user {
            let says = format!("the RPC Client Access array {array} is an HTTP namespace too: {}", user.at);
            found.push(Finding::error("AMB-1", site.as_str(), says));
        }
    }
    found
}

/// A name that clients or servers are given, and where.
struct Used<'t> {
    host: &'t HostName,
    at: String,
    what: &'static str,
    view: View,
}

/// Every name that HTTP clients are given.
fn used(t: &Topology) -> Vec<Used<'_>> {
    let mut all = vec![];
    for (name, server) in client_access(t) {
        let mut add = |url: Option<&'_ WebUrl>, at: String, what, view| {
            // The topology outlives this list; the borrow is taken below.
            url.map(|_| all.push((at, what, view)));
        };
        let _ = &mut add;
        let _ = name;
        let _ = server;
    }
    drop(all);
    vec![]
}

//! Findings of a topology: what is wrong or doubtful about it before any traffic.
//!
//! Which site faces the internet, who serves whom: worked out here for itself, as everywhere.

use std::collections::BTreeSet;

use model::topology::{Authentication, Certificate, Namespace, OutlookAnywhere, Server, ServerRole};
use model::{HostName, Protocol, Role, ServerName, SiteName, Topology, Version, View, WebUrl};

use super::Finding;

/// Everything that is wrong or doubtful about a topology.
pub(crate) fn findings(t: &Topology) -> Vec<Finding> {
    [
        sites_are_served(t),
        exchange_2007_has_a_way_in(t),
        outlook_anywhere_is_on_everywhere(t),
        outlook_anywhere_signs_in_alike(t),
        arrays_are_not_ambiguous(t),
        names_lead_somewhere(t),
        namespaces_lead_to_one_place(t),
        views_are_alike_without_split_brain(t),
        connection_points_name_autodiscover(t),
        address_books_are_distributed(t),
        certificates_are_valid(t),
        super::mail::findings(t),
        super::settings::findings(t),
    ]
    .concat()
}

pub(super) fn client_access(t: &Topology) -> impl Iterator<Item = (&ServerName, &Server)> {
    t.servers.iter().filter(|(_, server)| server.is(ServerRole::ClientAccess))
}

/// Whom a name leads to; a server's own name is known inside only (DNS-1).
pub(super) fn leads(t: &Topology, host: &HostName, view: View) -> Vec<ServerName> {
    match (t.namespaces.get(host), view) {
        (Some(leads), View::Internal) => leads.internal.clone(),
        (Some(leads), View::External) => leads.external.clone(),
        (None, View::Internal) => t.server_with_fqdn(host).cloned().into_iter().collect(),
        (None, View::External) => vec![],
    }
}

pub(super) fn resolves(t: &Topology, host: &HostName, view: View) -> bool {
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
                "{site} holds Exchange 2007 mailboxes, and no Exchange 2007 Client Access server of any site has an \
                 ExternalUrl for {}: nobody outside reaches it there. Give one in an internet-facing site its ExternalUrl",
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
            let says = "Outlook Anywhere is off, and clients of this server's mailboxes are proxied to it: enable it there";
            found.push(Finding::error("TOP-3", at, says));
            continue;
        };
        let has = |words: &[Authentication]| words.iter().any(|word| own.iis_authentication.contains(word));
        if server.version == Version::Exchange2013 {
            continue;
        }
        if !has(&[Authentication::Ntlm, Authentication::Windows]) {
            let says = "IISAuthenticationMethods of the Rpc virtual directory has no NTLM, by which the 2013 front end signs \
                        in there: add it beside Basic";
            found.push(Finding::error("TOP-3", at, says));
        } else if !has(&[Authentication::Basic]) {
            let says =
                "IISAuthenticationMethods of the Rpc virtual directory has no Basic beside NTLM: add it";
            found.push(Finding::error("TOP-3", at, says));
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
                "InternalHostname and ExternalHostname are one name, signed in to by {} inside and {} outside: Outlook \
                 uses the internal way only, outside too. Make the two methods equal, or the names different",
                own.internal_authentication.map_or("nothing", Authentication::as_str),
                own.external_authentication
            );
            Finding::error("CX-EXHTTP-2", format!("{name}/outlook-anywhere"), says)
        })
        .collect()
}

/// AMB-1: an array's name that resolves outside, or that HTTP uses too. Before 2013 PRE-RPC-3 says whose profiles name it.
fn arrays_are_not_ambiguous(t: &Topology) -> Vec<Finding> {
    let mut found = vec![];
    for (site, array) in t.sites.iter().filter_map(|(name, site)| Some((name, site.array.as_ref()?))) {
        for why in ambiguous(t, array) {
            let says = format!("the RPC Client Access array {array} {why}");
            found.push(Finding::error("AMB-1", site.as_str(), says));
        }
    }
    let before = !t.servers.values().any(|server| server.version == Version::Exchange2013);
    for (name, database) in t.databases.iter().filter(|_| before) {
        let endpoint = database.rpc_client_access_server.iter();
        for (host, why) in
            endpoint.flat_map(|host| ambiguous(t, host).into_iter().map(move |why| (host, why)))
        {
            let says = format!("Outlook inside connects to its RpcClientAccessServer {host}, which {why}");
            found.push(Finding::error("PRE-RPC-3", name.as_str(), says));
        }
    }
    found
}

/// Why a name that Outlook connects to by RPC is an ambiguous URL.
fn ambiguous(t: &Topology, endpoint: &HostName) -> Vec<String> {
    let outside = resolves(t, endpoint, View::External).then(|| {
        "resolves outside: there Outlook tries RPC first, and waits until it gives up. Take it out of the external DNS"
            .to_owned()
    });
    // A server's own name is no namespace, also where its InternalUrls have it, as they do from the start.
    let own = t.server_with_fqdn(endpoint).is_some();
    let user = used(t).into_iter().find(|used| used.host == endpoint && !own);
    let http = user.map(|user| {
        format!(
            "is the {} of {} too: give the array a name of its own, known inside only",
            user.what, user.at
        )
    });
    outside.into_iter().chain(http).collect()
}

/// A name that HTTP clients are given.
struct Used<'t> {
    host: &'t HostName,
    /// By which server or virtual directory.
    at: String,
    /// As what.
    what: &'static str,
    /// Where it must resolve.
    view: View,
}

/// Every name that HTTP clients are given.
fn used(t: &Topology) -> Vec<Used<'_>> {
    let mut all = vec![];
    for (name, server) in client_access(t) {
        for (protocol, directory) in &server.directories {
            let at = format!("{name}/{protocol}");
            let inside =
                directory.internal_url.iter().map(|url| (&url.0.host, "InternalUrl", View::Internal));
            let outside =
                directory.external_url.iter().map(|url| (&url.0.host, "ExternalUrl", View::External));
            all.extend(inside.chain(outside).map(|(host, what, view)| Used {
                host,
                at: at.clone(),
                what,
                view,
            }));
        }
        if let Some(own) = &server.outlook_anywhere {
            let at = format!("{name}/outlook-anywhere");
            let inside = own.internal_host.iter().map(|host| (host, "InternalHostname", View::Internal));
            let outside = own.external_host.iter().map(|host| (host, "ExternalHostname", View::External));
            all.extend(inside.chain(outside).map(|(host, what, view)| Used {
                host,
                at: at.clone(),
                what,
                view,
            }));
        }
        if let Some(scp) = &server.scp {
            let (at, what) = (name.to_string(), "service connection point");
            all.push(Used { host: &scp.host, at, what, view: View::Internal });
        }
    }
    all
}

/// A name that is handed out must resolve where it is handed out (TOP-4).
fn names_lead_somewhere(t: &Topology) -> Vec<Finding> {
    used(t)
        .into_iter()
        .filter(|used| !resolves(t, used.host, used.view))
        .map(|used| {
            let view = match used.view {
                View::Internal => "inside",
                View::External => "outside",
            };
            let says = format!("the {} names {}, which does not resolve {view}", used.what, used.host);
            Finding::warning("TOP-4", used.at, says)
        })
        .collect()
}

/// A namespace leads to Client Access servers of one site and one version, or the same request ends differently.
fn namespaces_lead_to_one_place(t: &Topology) -> Vec<Finding> {
    let mut found = vec![];
    let names = used(t);
    for host in t.namespaces.keys() {
        let mut says = BTreeSet::new();
        // Where somebody is given it, that says so already.
        if View::ALL.iter().all(|view| !resolves(t, host, *view))
            && names.iter().all(|used| used.host != host)
        {
            says.insert("nobody answers it: it leads to no server in either view".to_owned());
        }
        for view in View::ALL {
            let servers: Vec<&Server> =
                leads(t, host, *view).iter().filter_map(|name| t.server(name)).collect();
            let sites: BTreeSet<&str> = servers.iter().map(|server| server.site.as_str()).collect();
            let versions: BTreeSet<Version> = servers.iter().map(|server| server.version).collect();
            if sites.len() > 1 {
                let sites: Vec<&str> = sites.into_iter().collect();
                says.insert(format!("it leads to servers of several sites: {}", sites.join(", ")));
            }
            if versions.len() > 1 {
                let versions: Vec<String> = versions.iter().map(Version::to_string).collect();
                says.insert(format!("it leads to servers of several versions: {}", versions.join(", ")));
            }
            if servers.iter().any(|server| !server.is(ServerRole::ClientAccess)) {
                says.insert("it leads to a server without the Client Access role".to_owned());
            }
        }
        found.extend(says.into_iter().map(|says| Finding::warning("TOP-4", host.as_str(), says)));
    }
    found
}

/// A name that leads elsewhere outside than inside, where no name is said to do so.
fn views_are_alike_without_split_brain(t: &Topology) -> Vec<Finding> {
    let called = |names: &[ServerName]| names.iter().map(ServerName::as_str).collect::<Vec<_>>().join(", ");
    let differs = |(host, leads): (&HostName, &Namespace)| {
        let (inside, outside) = (&leads.internal, &leads.external);
        let both = !inside.is_empty() && !outside.is_empty();
        let all = |names: &[ServerName]| names.iter().cloned().collect::<BTreeSet<_>>();
        (both && all(inside) != all(outside)).then(|| {
            let says = format!(
                "it leads to {} inside and to {} outside, which is split-brain DNS: say split-brain = true",
                called(inside),
                called(outside)
            );
            Finding::error("-", host.as_str(), says)
        })
    };
    let names = t.namespaces.iter().filter(|_| !t.split_brain);
    names.filter_map(differs).collect()
}

/// DNS-3 with split-brain, DNS-2 without: what the service connection points name.
fn connection_points_name_autodiscover(t: &Topology) -> Vec<Finding> {
    let own = format!("autodiscover.{}", t.domain);
    let newest = if t.role == Role::FrontEnd2010 { Version::Exchange2010 } else { Version::Exchange2013 };
    let leads_to_newest = |host: &HostName| {
        let servers = leads(t, host, View::Internal);
        !servers.is_empty() && servers.iter().all(|name| t.server(name).is_some_and(|s| s.version == newest))
    };
    client_access(t)
        .filter_map(|(name, server)| {
            let named = server.scp.as_ref().map(|url| &url.host);
            let is = named.map_or("nothing".to_owned(), HostName::to_string);
            match t.split_brain {
                true if named.is_none_or(|host| host.as_str() != own) => {
                    let says = format!(
                        "AutoDiscoverServiceInternalUri, its service connection point, names {is}, not {own}: Outlook inside \
                         asks there"
                    );
                    Some(Finding::warning("DNS-3", name.as_str(), says))
                }
                false if !named.is_some_and(leads_to_newest) => {
                    let says = format!(
                        "AutoDiscoverServiceInternalUri, its service connection point, names {is}, which does not lead to the \
                         servers of Exchange {newest}: without split-brain it names their load-balanced address"
                    );
                    Some(Finding::warning("DNS-2", name.as_str(), says))
                }
                _ => None,
            }
        })
        .collect()
}

/// An Offline Address Book that no server hands out (CX-OAB-1; CX-OAB-7 for 2013).
fn address_books_are_distributed(t: &Topology) -> Vec<Finding> {
    let mut found = vec![];
    for (name, database) in &t.databases {
        let Some(oab) = database.oab.as_ref().and_then(|oab| Some((oab, t.oabs.get(oab)?))) else { continue };
        let by_2013 = t.server(&database.active).is_some_and(|s| s.version == Version::Exchange2013);
        let at = name.as_str();
        if by_2013 && oab.1.organization_mailbox.is_none() {
            let says = format!("its Offline Address Book {} has no organization mailbox", oab.0);
            found.push(Finding::warning("CX-OAB-7", at, says));
        } else if !by_2013 && oab.1.distribution_points.is_empty() {
            let says = format!("its Offline Address Book {} has no web distribution point", oab.0);
            found.push(Finding::warning("CX-OAB-1", at, says));
        }
    }
    found
}

/// CERT-1: a certificate that clients ask their users about.
fn certificates_are_valid(t: &Topology) -> Vec<Finding> {
    t.servers
        .iter()
        .filter(|(_, server)| server.certificate != Certificate::Valid)
        .map(|(name, server)| {
            let says = format!("its certificate is {}: users are asked about it", server.certificate);
            Finding::warning("CERT-1", name.as_str(), says)
        })
        .collect()
}

fn external(server: &Server, protocol: Protocol) -> Option<&WebUrl> {
    server.directory(protocol)?.external_url.as_ref().map(|url| &url.0)
}

#[cfg(test)]
mod tests {
    //! coexistence, and each time one setting away from it.

    use model::topology::Setting;

    use std::path::Path;
    use std::sync::LazyLock;

    use super::*;
    use crate::suite::Suite;

    /// The suite of this tree, read once for all tests.
    fn suite() -> &'static Suite {
        static SUITE: LazyLock<Suite> = LazyLock::new(|| {
            Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).expect("it is right")
        });
        &SUITE
    }

    /// Rule and place of every finding of a topology under settings.
    fn found(name: &str, settings: &str) -> Vec<String> {
        let settings: Setting = toml::from_str(settings).unwrap();
        let topology = suite().topology(name, &settings).unwrap();
        findings(&topology).iter().map(|finding| format!("{} {}", finding.rule, finding.at)).collect()
    }

    #[test]
    fn the_articles_topologies_have_no_findings() {
        for name in
            ["coexistence", "pre-e15", "coexistence+site3-2007+pairs", "pre-e15+site2-2007+site3-2007"]
        {
            assert_eq!(found(name, ""), [] as [&str; 0], "{name}");
        }
    }

    #[test]
    fn exchange_2007_needs_a_way_in() {
        let without = "\"cas2007-s1/ews\" = { external-url = \"absent\" }";
        assert_eq!(found("coexistence", without), ["TOP-2 cas2007-s1"]);
        assert_eq!(found("coexistence+site3-2007", without), ["TOP-2 cas2007-s1", "TOP-2 cas2007-s3"]);
        let with = "\"cas2007-s1/eas\" = { external-url = \"absent\" }";
        assert_eq!(found("coexistence+site3-2007", with), [] as [&str; 0]);
    }

    #[test]
    fn outlook_anywhere_is_on_and_takes_ntlm_beside_2013() {
        let basic_only = "\"cas2010-s2/outlook-anywhere\" = { iis-authentication = [\"basic\"] }";
        assert_eq!(found("coexistence", basic_only), ["TOP-3 cas2010-s2/outlook-anywhere"]);
        assert_eq!(found("pre-e15", basic_only), [] as [&str; 0]);
        let off = "\"cas2010-s2\" = { outlook-anywhere = \"absent\" }";
        assert_eq!(found("coexistence", off), ["TOP-3 cas2010-s2/outlook-anywhere"]);
        let both = "\"cas2010-s3/outlook-anywhere\" = { iis-authentication = [\"basic\", \"windows\"] }";
        assert_eq!(found("coexistence", both), [] as [&str; 0]);
    }

    #[test]
    fn one_outlook_anywhere_name_has_one_authentication() {
        let seat = |host: &str, inside: &str| {
            let fields =
                format!("internal-host = \"{host}.contoso.com\", internal-authentication = \"{inside}\"");
            found("coexistence", &format!("\"cas2013-s1/outlook-anywhere\" = {{ {fields} }}"))
        };
        assert_eq!(seat("mail", "basic"), ["CX-EXHTTP-2 cas2013-s1/outlook-anywhere"]);
        assert_eq!(seat("mail", "ntlm"), [] as [&str; 0]);
        assert_eq!(seat("outlook", "basic"), [] as [&str; 0]);
    }

    #[test]
    fn an_array_is_known_inside_only_and_is_no_http_namespace() {
        let outside = "\"namespace/outlook-s2.contoso.com\" = { external = [\"cas2010-s2\"] }";
        assert_eq!(found("coexistence", outside), ["AMB-1 Site2"]);
        assert_eq!(found("pre-e15", outside), ["AMB-1 Site2", "PRE-RPC-3 db2010-s2"]);
        let http = "\"site/Site3\" = { array = \"internal2010-s3.contoso.com\" }";
        assert_eq!(found("coexistence", http), ["AMB-1 Site3"]);
        let own = "\"site/Site3\" = { array = \"outlook-s1.contoso.com\" }";
        assert_eq!(found("coexistence", own), [] as [&str; 0]);
    }

    #[test]
    fn a_name_that_is_handed_out_leads_to_one_place() {
        let nowhere = "\"namespace/mail-region.contoso.com\" = { external = [] }";
        let places = ["ecp", "owa", "eas", "ews", "oab", "outlook-anywhere"];
        let mut expected: Vec<String> =
            places.iter().map(|place| format!("TOP-4 cas2010-s2/{place}")).collect();
        let mut names = found("coexistence", nowhere);
        expected.sort();
        names.sort();
        assert_eq!(names, expected);
        let two_sites =
            "\"namespace/mail-region.contoso.com\" = { internal = [\"cas2010-s2\", \"cas2010-s3\"] }";
        assert_eq!(found("coexistence", two_sites), ["TOP-4 mail-region.contoso.com"]);
    }

    #[test]
    fn connection_points_name_autodiscover_or_without_split_brain_whatever_leads_to_the_newest() {
        let points = "\"cas2007-s1\" = { scp = \"https://mail.contoso.com/Autodiscover/Autodiscover.xml\" }";
        assert_eq!(found("coexistence", points), ["DNS-3 cas2007-s1"]);
        let without = format!("topology = {{ split-brain = false }}\n{points}");
        assert_eq!(found("coexistence", &without), [] as [&str; 0]);
        let old = without.replace("https://mail.", "https://legacy.");
        assert_eq!(found("coexistence", &old), ["DNS-2 cas2007-s1"]);
    }

    #[test]
    fn without_split_brain_no_name_leads_elsewhere_outside() {
        let elsewhere = "\"namespace/mail-region.contoso.com\" = { internal = [\"cas2010-s3\"] }";
        assert_eq!(found("coexistence", elsewhere), [] as [&str; 0]);
        let without = format!("topology = {{ split-brain = false }}\n{elsewhere}");
        assert_eq!(found("coexistence", &without), ["- mail-region.contoso.com"]);
        let in_another_order = "topology = { split-brain = false }\n\"namespace/mail-region.contoso.com\" = \
                                { internal = [\"cas2010-s2\", \"cas2010-s3\"], external = [\"cas2010-s3\", \"cas2010-s2\"] }";
        assert_eq!(found("coexistence", in_another_order), ["TOP-4 mail-region.contoso.com"]);
        let inside_only = without.replace("internal = [\"cas2010-s3\"]", "external = []");
        let named: Vec<String> = found("coexistence", &inside_only);
        assert!(!named.contains(&"- mail-region.contoso.com".to_owned()), "{named:?}");
    }

    #[test]
    fn an_address_book_is_handed_out_by_somebody() {
        assert_eq!(
            found("coexistence", "\"oab/oab-2007\" = { distribution-points = [] }"),
            ["CX-OAB-1 db2007-s1"]
        );
        assert_eq!(
            found("coexistence", "\"oab/oab-2013\" = { organization-mailbox = \"absent\" }"),
            ["CX-OAB-7 db2013-s1"]
        );
        assert_eq!(
            found("coexistence", "\"oab/oab-2010\" = { distribution-points = [\"cas2010-s1\"] }"),
            [] as [&str; 0]
        );
    }

    #[test]
    fn a_mailbox_needs_client_access_of_its_version_in_its_site() {
        let without = "\"cas2010-s3\" = { roles = [\"mailbox\"] }";
        assert!(found("coexistence", without).contains(&"GEN-2 blue".to_owned()));
        let site = "topology = { sites = { Site1 = {}, Site2 = {}, Site3 = {}, Site4 = {} } }";
        assert_eq!(found("coexistence", site), ["- Site4"]);
    }

    #[test]
    fn whoever_is_passed_requests_takes_windows_authentication() {
        let basic = |at: &str| format!("\"{at}\" = {{ authentication = [\"basic\"] }}");
        assert_eq!(found("coexistence", &basic("cas2010-s3/owa")), ["- cas2010-s3/owa"]);
        assert_eq!(found("coexistence", &basic("cas2007-s1/eas")), ["- cas2007-s1/eas"]);
        // Its users are redirected to it, and to the front end nobody passes anything.
        assert_eq!(found("coexistence", &basic("cas2007-s1/owa")), [] as [&str; 0]);
        assert_eq!(found("pre-e15", &basic("cas2010-s1/owa")), [] as [&str; 0]);
    }

    #[test]
    fn a_name_that_nobody_answers_is_doubtful() {
        let name = "\"namespace/webmail.contoso.com\" = { internal = [], external = [] }";
        assert_eq!(found("coexistence", name), ["TOP-4 webmail.contoso.com"]);
        assert_eq!(
            found("coexistence", &name.replace("external = []", "external = [\"cas2013-s1\"]")),
            [] as [&str; 0]
        );
    }

    #[test]
    fn a_certificate_that_is_not_valid_is_doubtful() {
        assert_eq!(found("coexistence", "cas2007-s1 = { certificate = \"expired\" }"), ["CERT-1 cas2007-s1"]);
        assert_eq!(found("coexistence", "cas2007-s1 = { certificate = \"valid\" }"), [] as [&str; 0]);
    }
}

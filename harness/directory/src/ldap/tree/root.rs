//! The rootDSE, and the parts of the configuration that are Active Directory's own: partitions and sites.

use model::{HostName, Topology};

use super::{Grow, NETBIOS, Places};
use crate::ldap::dn::Dn;
use crate::ldap::entry::Entry;
use crate::ldap::oid;

/// The site that the domain controller is in: the subject's.
fn controller(topology: &Topology, places: &Places, host: &HostName) -> Option<Dn> {
    let site = topology.site_of(&topology.seat)?;
    Some(places.site(site).child("CN", "Servers").child("CN", &short(host)))
}

fn short(host: &HostName) -> String {
    host.as_str().split('.').next().unwrap_or_default().to_ascii_uppercase()
}

/// What anyone may read (MS-ADTS, section 3.1.1.3.2).
pub(super) fn dse(topology: &Topology, places: &Places, host: &HostName, changes: u64) -> Entry {
    let root = Entry::bare(Dn::of_root())
        .text("rootDomainNamingContext", &places.domain)
        .text("defaultNamingContext", &places.domain)
        .text("configurationNamingContext", &places.configuration)
        .text("schemaNamingContext", &places.schema)
        .texts("namingContexts", [&places.domain, &places.configuration, &places.schema])
        .texts("supportedLDAPVersion", ["3"])
        .texts("supportedControl", [oid::PAGED_RESULTS, oid::DOMAIN_SCOPE])
        .texts("supportedExtension", [oid::START_TLS, oid::WHO_AM_I])
        // Active Directory, and its LDAP version 3 done right.
        .texts("supportedCapabilities", ["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670"])
        .text("dnsHostName", host)
        .text(
            "ldapServiceName",
            format!("{}:{}$@{}", topology.domain, short(host), topology.domain.as_str().to_uppercase()),
        )
        .text("highestCommittedUSN", 12_000 + changes)
        .text("isSynchronized", "TRUE")
        .text("isGlobalCatalogReady", "TRUE")
        .texts("domainFunctionality", ["4"])
        .texts("forestFunctionality", ["4"])
        .texts("domainControllerFunctionality", ["4"]);
    match controller(topology, places, host) {
        Some(server) => {
            root.text("dsServiceName", server.child("CN", "NTDS Settings")).text("serverName", server)
        }
        None => root,
    }
}

pub(super) fn grow(grow: &mut Grow<'_>, host: &HostName) {
    let (places, topology) = (grow.places, grow.topology);
    grow.put(places.configuration.clone(), "Configuration", "configuration", |c| c.text("instanceType", 13));
    let partitions = grow.add(&places.configuration, "Partitions", "crossRefContainer", |entry| entry);
    grow.add(&partitions, NETBIOS, "crossRef", |entry| {
        entry
            .text("nCName", &places.domain)
            .text("nETBIOSName", NETBIOS)
            .text("dnsRoot", &topology.domain)
            .text("systemFlags", 3)
    });
    grow.put(places.sites.clone(), "Sites", "sitesContainer", |entry| entry);
    for name in topology.sites.keys() {
        let site = grow.add(&places.sites, name.as_str(), "site", |entry| entry);
        grow.add(&site, "Servers", "serversContainer", |entry| entry);
    }
    if let Some(server) = controller(topology, places, host) {
        grow.put(server.clone(), &short(host), "server", |entry| entry.text("dNSHostName", host));
        grow.add(&server, "NTDS Settings", "nTDSDSA", |entry| entry);
    }
}

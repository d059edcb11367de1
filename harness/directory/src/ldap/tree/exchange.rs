//! The organization: Offline Address Books, arrays and databases.

use std::collections::HashMap;
use std::sync::Arc;

use model::{DatabaseName, Protocol, Version};

use super::{ADMINISTRATIVE_GROUP, Grow, ORGANIZATION, legacy, servers};
use crate::Account;
use crate::ldap::dn::Dn;
use crate::ldap::entry::{Entry, guid_octets};

pub(super) fn grow(grow: &mut Grow<'_>, accounts: &[Arc<Account>]) {
    let places = grow.places;
    let services = grow.add(&places.configuration, "Services", "container", |entry| entry);
    let exchange = grow.add(&services, "Microsoft Exchange", "msExchConfigurationContainer", |entry| entry);
    let organization = grow.add(&exchange, ORGANIZATION, "msExchOrganizationContainer", |entry| {
        entry.text("legacyExchangeDN", format!("/o={ORGANIZATION}"))
    });
    let lists = grow.add(&organization, "Address Lists Container", "container", |entry| entry);
    let lists = grow.add(&lists, "Offline Address Lists", "container", |entry| entry);
    address_books(grow, &lists);
    let groups = grow.add(&organization, "Administrative Groups", "msExchAdminGroupContainer", |entry| entry);
    let group = grow.add(&groups, ADMINISTRATIVE_GROUP, "msExchAdminGroup", |entry| {
        entry.text("legacyExchangeDN", legacy(""))
    });
    arrays(grow, &group);
    grow.add(&group, "Databases", "msExchMDBContainer", |entry| entry);
    grow.add(&group, "Servers", "msExchServersContainer", |entry| entry);
    servers::grow(grow);
    databases(grow, accounts);
}

fn address_books(grow: &mut Grow<'_>, lists: &Dn) {
    let topology = grow.topology;
    for (name, oab) in &topology.oabs {
        let points: Vec<Dn> = oab
            .distribution_points
            .iter()
            .filter(|server| {
                topology.servers.get(*server).is_some_and(|s| s.directory(Protocol::Oab).is_some())
            })
            .map(|server| servers::directory(&grow.places.server(server), Protocol::Oab))
            .collect();
        let organization = oab.organization_mailbox.as_ref().and_then(|name| database(grow, name));
        grow.add(lists, name.as_str(), "msExchOAB", |entry| {
            // The download's path names the object's own GUID.
            let entry = match guid_octets(&oab.guid) {
                Some(guid) => entry.without("objectGUID").octets("objectGUID", guid),
                None => entry,
            };
            entry
                .texts("msExchOABVirtualDirectoriesLink", points)
                .texts("coexistOrganizationMailboxDatabase", organization)
        });
    }
}

fn arrays(grow: &mut Grow<'_>, group: &Dn) {
    let topology = grow.topology;
    let arrays = grow.add(group, "Arrays", "container", |entry| entry);
    for (site, facts) in &topology.sites {
        let Some(array) = &facts.array else { continue };
        let site = grow.places.site(site);
        grow.add(&arrays, array.as_str(), "msExchClientAccessArray", |entry| {
            entry.text("networkAddress", format!("ncacn_ip_tcp:{array}")).text("msExchServerSite", site)
        });
    }
}

/// Where a database is: that of 2007 below its server, later ones beside each other.
pub(super) fn database(grow: &Grow<'_>, name: &DatabaseName) -> Option<Dn> {
    let database = grow.topology.databases.get(name)?;
    let below = match grow.topology.servers.get(&database.active)?.version {
        Version::Exchange2007 => {
            let store = grow.places.server(&database.active).child("CN", "InformationStore");
            store.child("CN", "First Storage Group")
        }
        _ => grow.places.group.child("CN", "Databases"),
    };
    Some(below.child("CN", name.as_str()))
}

fn databases(grow: &mut Grow<'_>, accounts: &[Arc<Account>]) {
    let (topology, places) = (grow.topology, grow.places);
    let mut homes: HashMap<&DatabaseName, Vec<Dn>> = HashMap::new();
    for account in accounts {
        homes.entry(&account.database).or_default().push(places.users.child("CN", account.name.as_str()));
    }
    for (name, facts) in &topology.databases {
        let Some(dn) = database(grow, name) else { continue };
        let users = homes.remove(name).unwrap_or_default();
        // Published descriptions agree that RpcClientAccessServer is the server in the database's legacyExchangeDN.
        let server =
            facts.rpc_client_access_server.as_ref().map_or(facts.active.as_str(), |host| host.as_str());
        let legacy_dn = legacy(&format!("/cn=Configuration/cn=Servers/cn={server}/cn=Microsoft Private MDB"));
        grow.put(dn.clone(), name.as_str(), "msExchPrivateMDB", |entry: Entry| {
            // In Active Directory this is where the database was made; whose copy is active is known to Active Manager
            // alone. No subject could ask that here, so it is the server whose copy is active now.
            entry
                .text("msExchOwningServer", places.server(&facts.active))
                .text("legacyExchangeDN", legacy_dn)
                .texts("msExchUseOAB", facts.oab.as_ref().map(|oab| places.oab(oab)))
                .texts("homeMDBBL", users)
        });
        for copy in &facts.copies {
            grow.add(&dn, copy.as_str(), "msExchMDBCopy", |entry| {
                entry.text("msExchHostServerLink", places.server(copy))
            });
        }
    }
}

//! The domain: its users, and the service account.

use std::sync::Arc;

use super::{Grow, legacy};
use crate::ldap::dn::Dn;
use crate::ldap::entry::{Entry, guid_octets, sid_octets};
use crate::{Account, ServiceAccount};

/// The domain's SID, as accounts have it before their last number.
const DOMAIN_SID: &str = "S-1-5-21-2127521184-1604012920-1887927527";
/// msExchVersion of a mailbox by the version of the server that it is on (wire facts 12.3 for 2010; the others follow its
/// form: the object's version above, the first build of the version's schema below).
const VERSION_2007: &str = "4535486012416";
const VERSION_2010: &str = "44220983382016";
const VERSION_2013: &str = "88218628259840";

pub(super) fn grow(grow: &mut Grow<'_>, accounts: &[Arc<Account>], service: &ServiceAccount) {
    let places = grow.places;
    let first = grow.topology.domain.as_str().split('.').next().unwrap_or_default().to_owned();
    grow.put(places.domain.clone(), &first, "domainDNS", |domain| {
        let domain = domain.text("dc", &first).text("instanceType", 5);
        sid_octets(DOMAIN_SID).into_iter().fold(domain, |domain, sid| domain.octets("objectSid", sid))
    });
    grow.put(places.users.clone(), "Users", "container", |users| users);
    for account in accounts {
        let home = home(grow, account);
        grow.add(&places.users, account.name.as_str(), "user", |user| mailbox(user, account, home));
    }
    let user = service.user.rsplit('\\').next().unwrap_or_default().to_owned();
    let upn = format!("{user}@{}", grow.topology.domain);
    grow.add(&places.users, &user, "user", |entry| {
        account_of(entry, &user, &upn, &format!("{DOMAIN_SID}-1106"))
            .text("displayName", "Proxy service account")
    });
}

fn account_of(user: Entry, name: &str, upn: &str, sid: &str) -> Entry {
    // A normal account whose password does not expire.
    let user = user
        .text("instanceType", 4)
        .text("sAMAccountName", name)
        .text("sAMAccountType", 805_306_368)
        .text("userPrincipalName", upn)
        .text("userAccountControl", 0x200 + 0x10000)
        .text("primaryGroupID", 513);
    sid_octets(sid).into_iter().fold(user, |user, sid| user.octets("objectSid", sid))
}

/// Where a mailbox is.
struct Home {
    database: Dn,
    server: String,
    version: &'static str,
}

fn home(grow: &Grow<'_>, account: &Account) -> Option<Home> {
    let database = grow.topology.databases.get(&account.database)?;
    let version = match grow.topology.servers.get(&database.active)?.version {
        model::Version::Exchange2007 => VERSION_2007,
        model::Version::Exchange2010 => VERSION_2010,
        model::Version::Exchange2013 => VERSION_2013,
    };
    Some(Home {
        database: super::exchange::database(grow, &account.database)?,
        server: legacy(&format!("/cn=Configuration/cn=Servers/cn={}", database.active)),
        version,
    })
}

fn mailbox(user: Entry, account: &Account, home: Option<Home>) -> Entry {
    let name = account.account.rsplit('\\').next().unwrap_or_default();
    let user = account_of(user, name, &account.upn, &account.sid)
        .text("displayName", &account.display_name)
        .text("mail", &account.address)
        .text("mailNickname", &account.name)
        .text("proxyAddresses", format!("SMTP:{}", account.address))
        .text("legacyExchangeDN", &account.legacy_dn)
        .text("msExchRecipientTypeDetails", 1)
        .text("msExchRecipientDisplayType", 1_073_741_824);
    let user = guid_octets(&account.guid)
        .into_iter()
        .fold(user, |user, guid| user.octets("msExchMailboxGuid", guid));
    match home {
        Some(home) => user
            .text("homeMDB", home.database)
            .text("msExchHomeServerName", home.server)
            .text("msExchVersion", home.version),
        None => user,
    }
}

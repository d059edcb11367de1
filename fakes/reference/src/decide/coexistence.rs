//! What an Exchange 2013 front end decides (rules CX-…): proxy 2010 and 2013, redirect browsers of 2007 and of other
//! internet-facing sites, never 451, never unwrap RPC.

use model::{Protocol, Version};

use super::{Account, Decision, Question, proxy};

pub(super) fn decide(question: &Question, account: &Account) -> Decision {
    match question.protocol {
        Protocol::Owa | Protocol::Ecp => web(question, account),
        Protocol::Autodiscover | Protocol::Eas => newest(question, account),
        // CX-OA-1 to 8: by the mailbox of who signed in, never by the server that the query names (X-SEC-2).
        Protocol::Ews | Protocol::OutlookAnywhere => own_version(question, account),
        Protocol::Oab => oab(question, account),
        Protocol::Mapi => mapi(question, account),
        _ => Decision::Refuse(501),
    }
}

/// CX-OWA-1 to 6, X-ECP-1.
fn web(question: &Question, account: &Account) -> Decision {
    let Some(own_site) = question.own_site() else { return Decision::Refuse(503) };
    match account.version {
        Version::Exchange2013 => active_copy(question, account),
        Version::Exchange2010 => {
            let elsewhere = account.site != *own_site;
            match question.web_page(account.version, &account.site).filter(|_| elsewhere) {
                Some(published) => question.redirect(published), // CX-OWA-4B: always silent where it can be
                None => proxy(question.client_access(account.version, &account.site)),
            }
        }
        Version::Exchange2007 => {
            let home = question.web_page(account.version, &account.site);
            match home.or_else(|| question.web_page(account.version, own_site)) {
                Some(published) => question.redirect(published), // CX-OWA-2, CX-OWA-5: never proxied
                None => Decision::Refuse(503),
            }
        }
    }
}

/// CX-AD-1 to 3; CX-EAS-1 to 7: what CAS2007 cannot do for a 2013 front end, an MBX2013 of the own site does.
fn newest(question: &Question, account: &Account) -> Decision {
    match (account.version, question.own_site()) {
        (Version::Exchange2007, Some(own_site)) => proxy(question.back_ends(own_site)),
        _ => own_version(question, account),
    }
}

/// CX-EWS-1, 3, 6. A 2007 mailbox is not expected here (Autodiscover hands out legacy); its own site's CAS2007 serves it.
fn own_version(question: &Question, account: &Account) -> Decision {
    match account.version {
        Version::Exchange2013 => active_copy(question, account),
        legacy => proxy(question.client_access(legacy, &account.site)),
    }
}

/// CX-OAB-1, 3, 7. "Local" is the site of this front end.
fn oab(question: &Question, account: &Account) -> Decision {
    let Some(own_site) = question.own_site() else { return Decision::Refuse(503) };
    let Some(oab) = question.oab(account) else { return Decision::Refuse(404) };
    let generated_at = oab.organization_mailbox.as_ref().and_then(|db| question.topology.databases.get(db));
    match (generated_at, account.version) {
        (Some(database), _) => Decision::Proxy(vec![question.at(&database.active, 444)]),
        (None, Version::Exchange2013) => active_copy(question, account),
        (None, Version::Exchange2010) => proxy(question.distributors(oab, own_site)),
        (None, Version::Exchange2007) => {
            let own = question.distributors(oab, &account.site);
            let any = question.distributors(oab, own_site);
            proxy(if own.is_empty() { any } else { own })
        }
    }
}

/// X-MAPI-1. Older mailboxes have no MAPI over HTTP: no older Client Access server has the virtual directory (wire facts 3.1
/// and 5), so it is refused here.
fn mapi(question: &Question, account: &Account) -> Decision {
    match account.version {
        Version::Exchange2013 => active_copy(question, account),
        Version::Exchange2010 | Version::Exchange2007 => Decision::Refuse(403),
    }
}

fn active_copy(question: &Question, account: &Account) -> Decision {
    Decision::Proxy(vec![question.at(&account.server, 444)])
}

//! What an Exchange 2010 front end decides (rules PRE-…): serve its own site, redirect or proxy to others, write every
//! Autodiscover answer itself.

use model::topology::{Devices451, RedirectType};
use model::{Protocol, Version};

use super::{Account, Decision, MS_RPC, Question, Target, proxy};

pub(super) fn decide(question: &Question, account: &Account) -> Decision {
    if account.version == Version::Exchange2013 {
        return Decision::Refuse(503); // a 2010 server cannot serve a newer mailbox, and nothing names who could
    }
    let at_home = question.own_site() == Some(&account.site);
    match question.protocol {
        Protocol::Autodiscover => Decision::WriteAutodiscover, // PRE-AD-1
        Protocol::Owa | Protocol::Ecp => web(question, account, at_home),
        Protocol::Eas => eas(question, account, at_home),
        Protocol::Ews => served_or_proxied(question, account, at_home),
        Protocol::Oab => oab(question, account),
        Protocol::OutlookAnywhere => unwrapped(question, account, at_home),
        _ => Decision::Refuse(501),
    }
}

/// PRE-OWA-1 to 4C, X-OWA-2, X-ECP-1.
fn web(question: &Question, account: &Account, at_home: bool) -> Decision {
    let published = question.web_page(account.version, &account.site);
    match (account.version, published) {
        (Version::Exchange2010, Some(published)) if !at_home => match cross_site(question) {
            RedirectType::Silent => question.redirect(published),
            RedirectType::Manual => Decision::Manual(published.url.clone()),
        },
        (Version::Exchange2007, Some(published)) => match at_home {
            true => question.redirect(published),
            false => Decision::Manual(published.url.clone()),
        },
        _ => served_or_proxied(question, account, at_home),
    }
}

/// CrossSiteRedirectType is a setting of OWA, manual unless set [1.3].
fn cross_site(question: &Question) -> RedirectType {
    question
        .own_directory(Protocol::Owa)
        .and_then(|owa| owa.cross_site_redirect)
        .unwrap_or(RedirectType::Manual)
}

/// PRE-EAS-1 to 4C.
fn eas(question: &Question, account: &Account, at_home: bool) -> Decision {
    let published = question.published(account.version, &account.site, Protocol::Eas);
    match published {
        Some(published) if !at_home && account.version == Version::Exchange2010 && follows_451(question) => {
            Decision::Http451(Some(published.url.clone()))
        }
        _ => served_or_proxied(question, account, at_home),
    }
}

/// X-EAS-1: three presets. A request without a protocol version (OPTIONS, X-EAS-4) counts as of the latest.
fn follows_451(question: &Question) -> bool {
    let preset = question.own_directory(Protocol::Eas).and_then(|eas| eas.devices_451);
    let version = question.device.protocol_version.unwrap_or((14, 1));
    match preset.unwrap_or(Devices451::ArticleList) {
        Devices451::ArticleList => question.device.on_list && question.device.autodiscover,
        Devices451::From121 => version >= (12, 1),
        Devices451::After121 => version > (12, 1),
    }
}

/// PRE-EWS-1 and 2, and what the other protocols share: 2010 at home is served, all else proxied to its own site.
fn served_or_proxied(question: &Question, account: &Account, at_home: bool) -> Decision {
    match account.version == Version::Exchange2010 && at_home {
        true => Decision::Serve(question.topology.fqdn(&account.server)),
        false => proxy(question.client_access(account.version, &account.site)),
    }
}

/// PRE-OA-1 to 3: Mailbox servers of the own site and of 2007 are read from here, others by a Client Access server there.
fn unwrapped(question: &Question, account: &Account, at_home: bool) -> Decision {
    if account.version == Version::Exchange2007 || at_home {
        return Decision::Unwrap(vec![question.at(&account.server, MS_RPC)]);
    }
    let there = question.client_access(account.version, &account.site).into_iter();
    match there.map(|target| Target { port: MS_RPC, ..target }).collect::<Vec<_>>() {
        nobody if nobody.is_empty() => Decision::Refuse(503),
        any => Decision::Unwrap(any),
    }
}

/// Open before 2013: what this server distributes it serves, for the rest it asks whoever does, nearest to the mailbox.
fn oab(question: &Question, account: &Account) -> Decision {
    let Some(oab) = question.oab(account) else { return Decision::Refuse(404) };
    if oab.distribution_points.contains(&question.seat) {
        return Decision::Serve(question.topology.fqdn(&account.server));
    }
    proxy(question.distributors(oab, &account.site))
}

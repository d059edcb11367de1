//! Lies about where a request is carried, and about who answers.

use model::{Protocol, Role, Version};
use reference::decide::{Decision, MS_RPC, Question, Target};

use super::Lie;
use super::names::{elsewhere, everywhere, external, home, internal, is_web, of, server_of, to};

pub(super) const LIES: &[(&str, Lie)] = &[
    ("minds-the-device", |question, truth| {
        match (elsewhere(question, Version::Exchange2010), question.own_site()) {
            (Some(_), Some(own)) if question.protocol == Protocol::Eas && question.device.on_list => {
                to(question.client_access(Version::Exchange2010, own), truth)
            }
            _ => truth,
        }
    }),
    ("stays-in-own-site", |question, truth| match (&truth, question.own_site()) {
        (Decision::Proxy(_), Some(own)) if elsewhere(question, Version::Exchange2010).is_some() => {
            to(question.client_access(Version::Exchange2010, own), truth)
        }
        _ => truth,
    }),
    ("mbx2013-of-any-site", |question, truth| match (&truth, of(question, Version::Exchange2007)) {
        (Decision::Proxy(targets), Some(_)) if targets.iter().all(|target| target.port == 444) => {
            let sites = question.topology.sites.keys().filter(|site| question.own_site() != Some(*site));
            to(sites.flat_map(|site| question.back_ends(site)).collect(), truth)
        }
        _ => truth,
    }),
    ("targets-internal-url", |question, truth| {
        renamed(question, truth, |question, server| internal(question, server, question.protocol))
    }),
    ("targets-namespace", |question, truth| {
        renamed(question, truth, |question, server| external(question, server, question.protocol))
    }),
    ("reads-across-sites", |question, truth| match (&truth, elsewhere(question, Version::Exchange2010)) {
        (Decision::Proxy(_), Some(account)) if question.role == Role::FrontEnd2010 => {
            Decision::Serve(question.topology.fqdn(&account.server))
        }
        _ => truth,
    }),
    ("sends-own-away", |question, truth| match (&truth, question.own_site()) {
        (Decision::Serve(_), Some(own)) => {
            let neighbours = question.client_access(Version::Exchange2010, own);
            to(neighbours, to(everywhere(question, Version::Exchange2010), truth))
        }
        _ => truth,
    }),
    ("writes-the-answer", |question, truth| match question.protocol {
        Protocol::Autodiscover if question.account.is_some() => Decision::WriteAutodiscover,
        _ => truth,
    }),
    ("asks-cas2007", |question, truth| match of(question, Version::Exchange2007) {
        Some(account) if question.protocol == Protocol::Autodiscover => {
            to(question.client_access(Version::Exchange2007, &account.site), truth)
        }
        _ => truth,
    }),
    ("asks-another-first", |question, truth| match (&truth, elsewhere(question, Version::Exchange2010)) {
        (Decision::WriteAutodiscover, Some(account)) => {
            to(question.client_access(Version::Exchange2010, &account.site), truth)
        }
        _ => truth,
    }),
    ("proxies-2007", |question, truth| match (&truth, of(question, Version::Exchange2007)) {
        (Decision::SilentRedirect(..) | Decision::Found(_), Some(account)) => {
            to(question.client_access(Version::Exchange2007, &account.site), truth)
        }
        _ => truth,
    }),
    ("proxies-past-external-url", |question, truth| {
        match (&truth, elsewhere(question, Version::Exchange2010)) {
            (Decision::SilentRedirect(..) | Decision::Found(_), Some(account)) => {
                to(question.client_access(Version::Exchange2010, &account.site), truth)
            }
            _ => truth,
        }
    }),
    ("violet-straight-home", |question, truth| match elsewhere(question, Version::Exchange2007) {
        Some(account) if is_web(question) => {
            to(question.client_access(Version::Exchange2007, &account.site), truth)
        }
        _ => truth,
    }),
    ("proxies-2007-facing", |question, truth| match (&truth, elsewhere(question, Version::Exchange2007)) {
        (Decision::Manual(_), Some(account)) => {
            to(question.client_access(Version::Exchange2007, &account.site), truth)
        }
        _ => truth,
    }),
    ("forgets-ecp", |question, truth| match (question.protocol, &question.account, question.own_site()) {
        (Protocol::Ecp, Some(account), Some(own)) => match question.role {
            Role::FrontEnd2010 => Decision::Serve(question.topology.fqdn(&account.server)),
            _ => to(question.client_access(Version::Exchange2010, own), truth),
        },
        _ => truth,
    }),
    ("skips-mbx2013", |question, truth| match of(question, Version::Exchange2007) {
        Some(account) if question.protocol == Protocol::Eas => {
            to(question.client_access(Version::Exchange2007, &account.site), truth)
        }
        _ => truth,
    }),
    ("451-to-none", |question, truth| match &truth {
        Decision::Http451(_) => home(question, truth),
        _ => truth,
    }),
    ("451-on-post-only", |question, truth| match &truth {
        Decision::Http451(_) if question.verb == "OPTIONS" => home(question, truth),
        _ => truth,
    }),
    ("oab-from-any", |question, truth| match (question.protocol, &truth, question.own_site()) {
        (Protocol::Oab, Decision::Proxy(_), Some(own)) if of(question, Version::Exchange2013).is_none() => {
            let every = [Version::Exchange2010, Version::Exchange2007]
                .map(|version| question.client_access(version, own));
            to(every.concat(), truth)
        }
        _ => truth,
    }),
    ("oab-from-mailbox-site", |question, truth| match elsewhere(question, Version::Exchange2010) {
        Some(account) if question.protocol == Protocol::Oab => {
            to(question.client_access(Version::Exchange2010, &account.site), truth)
        }
        _ => truth,
    }),
    ("unwraps-rpc", |question, truth| match (question.protocol, &truth, &question.account) {
        (Protocol::OutlookAnywhere, Decision::Proxy(_), Some(account))
            if account.version != Version::Exchange2013 =>
        {
            Decision::Unwrap(vec![question.at(&account.server, MS_RPC)])
        }
        _ => truth,
    }),
    ("keeps-rpc-wrapped", |question, truth| match (&truth, &question.account) {
        (Decision::Unwrap(_), Some(account)) => {
            let at_home = question.client_access(account.version, &account.site);
            to(at_home, to(everywhere(question, account.version), truth))
        }
        _ => truth,
    }),
    ("dials-the-query", |question, truth| {
        let named =
            question.target.split_once('?').and_then(|(_, query)| query.split(':').next()?.parse().ok());
        match (question.protocol, &truth, named) {
            (Protocol::OutlookAnywhere, Decision::Proxy(_), Some(host)) => {
                Decision::Proxy(vec![Target { host, port: 443 }])
            }
            _ => truth,
        }
    }),
    ("spills-to-other-site", |question, truth| match (&truth, &question.account) {
        (Decision::Refuse(503), Some(account)) => {
            let other = |site: &&model::SiteName| **site != account.site;
            let sites = question.topology.sites.keys().filter(other);
            to(sites.flat_map(|site| question.client_access(account.version, site)).collect(), truth)
        }
        _ => truth,
    }),
    ("spills-to-other-version", |question, truth| match (&truth, &question.account) {
        (Decision::Refuse(503), Some(account)) => {
            let older = question.client_access(Version::Exchange2007, &account.site);
            let newer = question.back_ends(&account.site);
            let own = question.own_site().map(|own| question.back_ends(own)).unwrap_or_default();
            to(older, to(newer, to(own, truth)))
        }
        _ => truth,
    }),
    ("oab-green-anywhere", |question, truth| match (&truth, question.own_site()) {
        (Decision::Proxy(right), Some(own))
            if question.protocol == Protocol::Oab && right.iter().all(|t| t.port == 444) =>
        {
            // Any but the right one: half of blind choices would be right.
            let wrong = question.back_ends(own).into_iter().filter(|target| !right.contains(target));
            to(wrong.collect(), truth)
        }
        _ => truth,
    }),
];

/// Legacy targets under another of their names.
fn renamed(
    question: &Question,
    truth: Decision,
    other: impl Fn(&Question, &model::ServerName) -> Option<model::WebUrl>,
) -> Decision {
    let Decision::Proxy(targets) = &truth else { return truth };
    let rename = |target: &Target| {
        let name = server_of(question, target).filter(|_| target.port == 443)?;
        let url = other(question, name)?;
        Some(Target { port: url.port(), host: url.host })
    };
    Decision::Proxy(targets.iter().map(|target| rename(target).unwrap_or_else(|| target.clone())).collect())
}

//! Lies about who is told to go elsewhere, how, and where to.

use model::topology::ServerRole;
use model::{Protocol, Role, Version, WebUrl};
use reference::decide::{Decision, Question};

use super::Lie;
use super::names::{client_access, elsewhere, external, internal, is_web, of, published};

pub(super) const LIES: &[(&str, Lie)] = &[
    ("discovers-before-sign-in", |question, truth| match truth {
        Decision::Challenge => as_if_signed_in(question),
        _ => truth,
    }),
    ("redirects-bare", |_, truth| match truth {
        Decision::SilentRedirect(url, _) => Decision::Found(url),
        _ => truth,
    }),
    ("redirects-own-site", |question, truth| match (&truth, of(question, Version::Exchange2010)) {
        (Decision::Proxy(_), Some(account))
            if is_web(question) && question.own_site() == Some(&account.site) =>
        {
            match published(question, account.version, &account.site, question.protocol) {
                Some(url) => Decision::SilentRedirect(url, account.version),
                None => truth,
            }
        }
        _ => truth,
    }),
    ("redirects-without-url", |question, truth| match (&truth, elsewhere(question, Version::Exchange2010)) {
        (Decision::Proxy(targets), Some(account)) if is_web(question) => match targets.first() {
            Some(target) => {
                let path = if question.protocol == Protocol::Ecp { "/ecp/" } else { "/owa/" };
                let url = WebUrl { tls: true, host: target.host.clone(), path: path.to_owned() };
                Decision::SilentRedirect(url, account.version)
            }
            None => truth,
        },
        _ => truth,
    }),
    ("redirects-inside", |question, truth| match &truth {
        Decision::SilentRedirect(url, version) => match inside(question, url) {
            Some(url) => Decision::SilentRedirect(url, *version),
            None => truth,
        },
        _ => truth,
    }),
    ("manual-though-silent", |_, truth| match truth {
        Decision::SilentRedirect(url, Version::Exchange2010) => Decision::Manual(url),
        _ => truth,
    }),
    ("silent-though-manual", |question, truth| match (truth, &question.account) {
        (Decision::Manual(url), Some(account)) if account.version == Version::Exchange2010 => {
            Decision::SilentRedirect(url, account.version)
        }
        (truth, _) => truth,
    }),
    ("answers-451", told_to_move),
    ("451-to-all", |question, truth| match question.role {
        Role::FrontEnd2010 => told_to_move(question, truth),
        _ => truth,
    }),
];

/// A mailbox elsewhere whose site publishes ActiveSync.
fn told_to_move(question: &Question, truth: Decision) -> Decision {
    let Some(account) = elsewhere(question, Version::Exchange2010) else { return truth };
    match (question.protocol, published(question, account.version, &account.site, Protocol::Eas)) {
        (Protocol::Eas, Some(url)) => Decision::Http451(Some(url)),
        _ => truth,
    }
}

/// The InternalURL of the server that carries this ExternalURL.
fn inside(question: &Question, url: &WebUrl) -> Option<WebUrl> {
    let servers = question.topology.servers.iter().filter(|(_, server)| server.is(ServerRole::ClientAccess));
    let carries = |name: &&model::ServerName| external(question, name, Protocol::Owa).as_ref() == Some(url);
    let name = servers.map(|(name, _)| name).filter(|name| **name != question.seat).find(carries)?;
    internal(question, name, Protocol::Owa)
}

/// What would be done for the owner of the name that was given, although the password is wrong. Nothing was looked up, so
/// the mailbox's place is guessed from its colour, by which leased mailboxes begin.
fn as_if_signed_in(question: &Question) -> Decision {
    let place = || {
        let claimed = question.claimed.as_deref()?.to_lowercase();
        let name = claimed.rsplit('\\').next()?.split('@').next()?.split('-').next()?.to_owned();
        let mailbox = question.topology.mailboxes.get(&name.parse().ok()?)?;
        let home = question.topology.databases.get(&mailbox.database)?.active.clone();
        let server = question.topology.server(&home)?;
        Some((server.version, server.site.clone()))
    };
    let Some((version, site)) = place() else { return Decision::Challenge };
    let own = question.own_site() == Some(&site);
    let to_url = published(question, version, &site, question.protocol)
        .filter(|_| !own || version == Version::Exchange2007);
    match to_url.filter(|_| is_web(question)) {
        Some(url) => Decision::Found(url),
        None if is_web(question) => Decision::Challenge,
        None => {
            let targets: Vec<_> = match version {
                Version::Exchange2013 => question.back_ends(&site),
                _ => client_access(question, version, &site).map(|name| question.at(name, 443)).collect(),
            };
            if targets.is_empty() { Decision::Challenge } else { Decision::Proxy(targets) }
        }
    }
}

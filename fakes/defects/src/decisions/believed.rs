//! Lies that believe what a client wrote: a server's name in a cookie, a path that is not what it looks like.

use model::topology::ServerRole;
use model::{HostName, Version};
use reference::decide::{Decision, Question, Target};

use super::Lie;
use super::names::{home, server_of};

pub(super) const LIES: &[(&str, Lie)] = &[
    ("believes-cookies", |question, truth| match (&truth, chosen(question)) {
        (Decision::Proxy(_), Some(host)) => Decision::Proxy(vec![at(question, host)]),
        _ => truth,
    }),
    // What such a path decodes to is another's affair: by its first word it was let in.
    ("routes-undecoded", |question, truth| match truth {
        Decision::Refuse(400) => home(question, truth),
        _ => truth,
    }),
];

/// The server that a cookie names, with `Server~` before it or a path behind it (wire facts 8).
fn chosen(question: &Question) -> Option<HostName> {
    let cookies = question.cookies.as_deref()?.split(';').filter_map(|pair| pair.trim().split_once('='));
    let chooses = |name: &str| {
        ["X-BEResource", "X-BackEndOverrideCookie"].iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    cookies.filter(|(name, _)| chooses(name)).find_map(|(_, value)| {
        let value = value.strip_prefix("Server~").unwrap_or(value);
        HostName::folded(value.split(['/', '~']).next()?).ok()
    })
}

/// A host by the port of what it is, as far as that is known.
fn at(question: &Question, host: HostName) -> Target {
    let target = Target { host, port: 443 };
    let server = server_of(question, &target).and_then(|name| question.topology.server(name));
    let back_end = server
        .is_some_and(|server| server.version == Version::Exchange2013 && server.is(ServerRole::Mailbox));
    Target { port: if back_end { 444 } else { 443 }, ..target }
}

//! Requests that are misread: by letter case, by host, by verb, by length.

use http::header::{ALLOW, CONTENT_LENGTH, HeaderValue};
use http::{Method, Response, request};
use model::Protocol;
use reference::ports::{Asked, Flow};

use super::{Lie, whole};

pub(super) const LIES: &[(&str, Lie)] = &[
    ("minds-letter-case", Lie::Request(minds_letter_case)),
    ("knows-only-mail", Lie::Request(knows_only_mail)),
    ("answers-options", Lie::Instead(is_options, no_versions)),
    ("caps-body", Lie::Instead(is_long, too_large)),
    ("refuses-rpc-verbs", Lie::Instead(is_rpc_verb, not_implemented)),
    ("refuses-one-gib", Lie::Instead(is_endless, too_large)),
];

/// Virtual directories as they are usually written; `/Autodiscover` and `/autodiscover` both are.
const USUAL: &[&str] =
    &["owa", "ecp", "EWS", "OAB", "Autodiscover", "autodiscover", "Microsoft-Server-ActiveSync"];
/// What the broken proxy takes for the largest body.
const MOST_BODY_BYTES: u64 = 32 * 1024;
/// The largest length that a proxy lets be declared which minds no body that is really sent.
const MOST_DECLARED_BYTES: u64 = 64 * 1024 * 1024;

fn minds_letter_case(asked: &mut Asked, _: &mut request::Parts) -> bool {
    let first = asked.target.split(['/', '?']).nth(1).unwrap_or_default();
    asked.protocol.is_some() && !USUAL.contains(&first) && asked.protocol.take().is_some()
}

fn knows_only_mail(asked: &mut Asked, _: &mut request::Parts) -> bool {
    let autodiscover = asked.host.as_ref().is_some_and(|host| host.as_str().starts_with("autodiscover."));
    autodiscover && asked.protocol.take().is_some()
}

fn is_options(asked: &mut Asked, _: &mut request::Parts) -> bool {
    asked.verb == Method::OPTIONS && asked.protocol == Some(Protocol::Eas) && asked.protocol.take().is_some()
}

/// What a proxy says that answers OPTIONS for whatever stands behind: verbs, and no protocol versions.
fn no_versions() -> Response<Flow> {
    let mut answer = Response::new(whole(Default::default()));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("OPTIONS, GET, HEAD, POST"));
    answer
}

fn is_long(asked: &mut Asked, head: &mut request::Parts) -> bool {
    declares_more(head, MOST_BODY_BYTES) && asked.protocol.take().is_some()
}

fn is_endless(asked: &mut Asked, head: &mut request::Parts) -> bool {
    declares_more(head, MOST_DECLARED_BYTES) && asked.protocol.take().is_some()
}

fn declares_more(head: &request::Parts, than: u64) -> bool {
    let length =
        head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length > than)
}

fn is_rpc_verb(asked: &mut Asked, _: &mut request::Parts) -> bool {
    asked.verb.as_str().starts_with("RPC_") && asked.protocol.take().is_some()
}

fn not_implemented() -> Response<Flow> {
    let mut answer = Response::new(whole("no such method".into()));
    *answer.status_mut() = http::StatusCode::NOT_IMPLEMENTED;
    answer
}

fn too_large() -> Response<Flow> {
    let mut answer = Response::new(whole("too large".into()));
    *answer.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
    answer
}

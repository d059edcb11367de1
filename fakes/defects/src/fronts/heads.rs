//! Heads of answers that are changed on their way to the client: statuses, places, cookies.

use http::header::{CONNECTION, LOCATION, SERVER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, response};
use hyper::ext::ReasonPhrase;
use model::Protocol;
use reference::ports::Asked;

use super::Lie;

pub(super) const LIES: &[(&str, Lie)] = &[
    ("challenges-plain-http", Lie::Head(challenges_plain_http)),
    ("turns-302-into-301", Lie::Head(turns_302_into_301)),
    ("narrows-cookie-path", Lie::Head(narrows_cookie_path)),
    ("widens-cookie-domain", Lie::Head(widens_cookie_domain)),
    ("451-when-down", Lie::Head(http451_when_down)),
    ("hangs-when-all-down", Lie::Hangs(is_own_503)),
    ("451-without-location", Lie::Head(http451_without_location)),
    ("451-names-itself", Lie::Head(http451_names_itself)),
    ("invents-basic", Lie::Head(invents_basic)),
    ("closes-on-401", Lie::Head(closes_on_401)),
    ("loses-rpc-reason", Lie::Head(loses_rpc_reason)),
    ("hides-missing-ntlm", Lie::Head(hides_missing_ntlm)),
];

const X_MS_LOCATION: &str = "x-ms-location";

/// What this front end says by itself: a server of Exchange 2010 behind it names an older IIS.
fn is_own_503(_: &Asked, head: &response::Parts) -> bool {
    let own = head.headers.get(SERVER).is_some_and(|server| server == "Microsoft-IIS/8.5");
    own && head.status == StatusCode::SERVICE_UNAVAILABLE
}

/// Another status, and no phrase of the old one beside it.
fn becomes(head: &mut response::Parts, status: u16) {
    head.extensions.remove::<ReasonPhrase>();
    head.status = StatusCode::from_u16(status).unwrap_or(head.status);
}

fn challenges_plain_http(asked: &Asked, head: &mut response::Parts) -> bool {
    let looks_up = !asked.tls && asked.protocol == Some(Protocol::Autodiscover);
    if !looks_up || head.status != StatusCode::FOUND {
        return false;
    }
    becomes(head, 401);
    head.headers.remove(LOCATION);
    head.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"autodiscover\""));
    true
}

/// Not beside a challenge: there the client has chosen.
fn invents_basic(_: &Asked, head: &mut response::Parts) -> bool {
    let offers = head.headers.get_all(WWW_AUTHENTICATE);
    let invents = head.status == StatusCode::UNAUTHORIZED
        && !offers.iter().any(|offer| offer.as_bytes().starts_with(b"Basic") || has_token(offer));
    if invents {
        head.headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"\""));
    }
    invents
}

/// After each challenge, so that the response comes on another connection.
fn closes_on_401(_: &Asked, head: &mut response::Parts) -> bool {
    let challenges = head.headers.get_all(WWW_AUTHENTICATE).iter().any(has_token);
    if challenges {
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    challenges
}

/// Whether an offer is a challenge: a scheme and a token of base64.
fn has_token(offer: &HeaderValue) -> bool {
    let token = offer.to_str().ok().and_then(|offer| offer.split_once(' '));
    token.is_some_and(|(_, token)| !token.contains('"'))
}

fn turns_302_into_301(_: &Asked, head: &mut response::Parts) -> bool {
    let found = head.status == StatusCode::FOUND;
    if found {
        becomes(head, 301);
    }
    found
}

fn loses_rpc_reason(_: &Asked, head: &mut response::Parts) -> bool {
    let phrase = head.extensions.get::<ReasonPhrase>();
    let loses = phrase.is_some_and(|phrase| phrase.as_bytes().starts_with(b"RPC Error"));
    if loses {
        head.extensions.remove::<ReasonPhrase>();
    }
    loses
}

/// A channel that a server behind refuses, which names another IIS than this front end's own challenge does.
fn hides_missing_ntlm(asked: &Asked, head: &mut response::Parts) -> bool {
    let own = head.headers.get(SERVER).is_some_and(|server| server == "Microsoft-IIS/8.5");
    let refused =
        asked.protocol == Some(Protocol::OutlookAnywhere) && head.status == StatusCode::UNAUTHORIZED;
    if refused && !own {
        becomes(head, 500);
        head.headers.remove(WWW_AUTHENTICATE);
    }
    refused && !own
}

fn narrows_cookie_path(_: &Asked, head: &mut response::Parts) -> bool {
    edits_cookies(&mut head.headers, |line| {
        line.contains("; path=/;").then(|| line.replace("; path=/;", "; path=/owa/auth;"))
    })
}

/// To every name beside the one that was called.
fn widens_cookie_domain(asked: &Asked, head: &mut response::Parts) -> bool {
    let host = asked.host.as_ref().and_then(|host| host.as_str().split_once('.'));
    let Some((_, domain)) = host else { return false };
    edits_cookies(&mut head.headers, |line| {
        line.starts_with("cadata").then(|| format!("{line}; domain={domain}"))
    })
}

fn edits_cookies(headers: &mut HeaderMap, edit: impl Fn(&str) -> Option<String>) -> bool {
    let mut edited = false;
    for line in headers.get_all(SET_COOKIE).iter().cloned().collect::<Vec<_>>() {
        let new = line.to_str().ok().and_then(&edit).and_then(|line| HeaderValue::from_str(&line).ok());
        if !edited {
            headers.remove(SET_COOKIE);
        }
        edited = true;
        headers.append(SET_COOKIE, new.unwrap_or(line));
    }
    edited
}

fn http451_when_down(asked: &Asked, head: &mut response::Parts) -> bool {
    let down = asked.protocol == Some(Protocol::Eas) && head.status == StatusCode::SERVICE_UNAVAILABLE;
    if down {
        becomes(head, 451);
    }
    down
}

fn http451_without_location(_: &Asked, head: &mut response::Parts) -> bool {
    head.status.as_u16() == 451 && head.headers.remove(X_MS_LOCATION).is_some()
}

fn http451_names_itself(asked: &Asked, head: &mut response::Parts) -> bool {
    let Some(host) = asked.host.as_ref().filter(|_| head.status.as_u16() == 451) else { return false };
    let itself = format!("https://{host}/Microsoft-Server-ActiveSync");
    let Ok(itself) = HeaderValue::from_str(&itself) else { return false };
    head.headers.insert(X_MS_LOCATION, itself).is_some()
}

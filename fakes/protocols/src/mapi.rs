//! MAPI over HTTP ([MS-OXCMAPIHTTP]; wire facts 5): a mailbox and the address book at a Mailbox server of Exchange 2013 SP1.
//!
//! What a mailbox session is, and the ROPs that work in it, RPC shares with it (`msrpc`). Absent: auxiliary buffers, which are
//! read over and never written; ROP buffers in several parts; of the address book what goes beyond one's own name; session
//! sessions that expire by time (the oldest goes when there are too many).

mod endpoint;
mod nspi;
mod sessions;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{COOKIE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use model::version::Build;
use tokio::sync::mpsc;

use crate::answer::{Answer, Body, Request};
use crate::iis::{self, clock, set_cookie, typed};
use crate::msrpc::{Inbox, RpcError};

pub use sessions::Sessions;
use sessions::{Kind, Rops, Session};

/// Where a request is served, and for whom.
pub struct Place<'p> {
    /// The server's build.
    pub build: Build,
    /// Whose mailbox it is: who signed in.
    pub owner: Entry,
    /// The mailbox.
    pub inbox: Arc<Inbox>,
    /// The domain in a `MailboxId`.
    pub domain: &'p str,
    /// What the server remembers between two requests.
    pub sessions: &'p Sessions,
    /// How long a request is quiet before a line says that it is still at work.
    pub pending_period: Duration,
}

/// An entry of the address book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its primary address.
    pub address: String,
    /// Its name as people read it.
    pub display_name: String,
    /// Its legacyExchangeDN.
    pub legacy_dn: String,
}

/// Whom names stand for.
pub trait AddressBook {
    /// The entry of an address, account or legacyExchangeDN; `None` for nobody's.
    fn find(&self, name: &str) -> Option<Entry>;
}

/// Answers one request, signed in and whole. It fails inside HTTP's 200 ([MS-OXCMAPIHTTP] 2.2.2.2), but for paths that are
/// none of its endpoints.
pub fn serve(place: &Place<'_>, people: &dyn AddressBook, request: &Request) -> Answer {
    let path = request.uri().path().to_ascii_lowercase();
    let kind = match path.trim_end_matches('/') {
        "/mapi/emsmdb" => Kind::Mailbox,
        "/mapi/nspi" => Kind::AddressBook,
        _ => return iis::not_found(),
    };
    let head = Head::of(request.headers());
    let served = read(place, request, &head).and_then(|ask| match kind {
        Kind::Mailbox => endpoint::serve(place, people, &ask),
        Kind::AddressBook => nspi::serve(place, people, &ask),
    });
    match served {
        Ok(served) => answered(place, &head, served),
        Err(code) => failed(place, &head, code),
    }
}

/// Why a request is not carried out: X-ResponseCode, [MS-OXCMAPIHTTP] 2.2.3.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    InvalidVerb = 2,
    InvalidHeader = 4,
    InvalidRequestType = 5,
    MissingHeader = 7,
    ContextNotFound = 10,
    NoPrivilege = 11,
    InvalidRequestBody = 12,
    MissingCookie = 13,
    InvalidSequence = 15,
}

impl From<RpcError> for Code {
    /// Of a body that is read, every error is one of its form.
    fn from(_: RpcError) -> Code {
        Code::InvalidRequestBody
    }
}

/// What a request says of itself, and its answer repeats.
struct Head {
    kind: Option<String>,
    id: Option<String>,
    client_info: Option<String>,
}

impl Head {
    fn of(headers: &HeaderMap) -> Head {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let owned = |name| text(name).filter(|value| !value.is_empty()).map(str::to_owned);
        Head { kind: owned("x-requesttype"), id: owned("x-requestid"), client_info: owned("x-clientinfo") }
    }
}

/// A request as an endpoint looks at it.
struct Ask<'r> {
    kind: &'r str,
    cookies: Vec<(String, String)>,
    body: &'r [u8],
}

impl Ask<'_> {
    /// The session that the request's cookies name, in step where it must be.
    fn session(&self, place: &Place<'_>, kind: Kind, in_step: bool) -> Result<Arc<Session>, Code> {
        let cookie =
            |name: &str| self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let named = cookie(sessions::CONTEXT).ok_or(Code::MissingCookie)?;
        let session = place.sessions.find(named, kind).ok_or(Code::ContextNotFound)?;
        if session.owner != place.inbox.owner().guid {
            return Err(Code::NoPrivilege);
        }
        if in_step {
            let sequence = cookie(sessions::SEQUENCE).ok_or(Code::MissingCookie)?;
            session.step(sequence).then_some(()).ok_or(Code::InvalidSequence)?;
        }
        Ok(session)
    }
}

fn read<'r>(place: &Place<'_>, request: &'r Request, head: &'r Head) -> Result<Ask<'r>, Code> {
    if request.method() != Method::POST {
        return Err(Code::InvalidVerb);
    }
    let (Some(kind), Some(_)) = (&head.kind, &head.id) else { return Err(Code::MissingHeader) };
    let content = request.headers().get(http::header::CONTENT_TYPE);
    if content.is_none_or(|content| !content.as_bytes().eq_ignore_ascii_case(b"application/mapi-http")) {
        return Err(Code::InvalidHeader);
    }
    let own = format!("{}@{}", place.inbox.owner().guid, place.domain);
    let query = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let mut named = query.filter(|(name, _)| name.eq_ignore_ascii_case("mailboxid"));
    if named.any(|(_, mailbox)| !mailbox.eq_ignore_ascii_case(&own)) {
        return Err(Code::NoPrivilege);
    }
    Ok(Ask { kind, cookies: cookies(request.headers()), body: request.body() })
}

/// Cookies as they stand, on one line or on several: a value is everything behind the first `=`.
fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What carrying out a request gave.
struct Served {
    /// Cookies that the client is to keep from now on.
    cookies: Vec<String>,
    body: Ready,
}

enum Ready {
    Now(Vec<u8>),
    /// Once something happens to the session.
    WhenChanged(Arc<Session>, Rops),
}

/// The longest wait for a notification.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

const PROCESSING: &[u8] = b"PROCESSING\r\n";
const PENDING: &[u8] = b"PENDING\r\n";

fn answered(place: &Place<'_>, head: &Head, served: Served) -> Answer {
    let began = clock::now();
    let (send, pieces) = mpsc::channel(4);
    let period = place.pending_period.max(Duration::from_millis(1));
    let work = async move {
        if send.send(Bytes::from_static(PROCESSING)).await.is_err() {
            return;
        }
        let body = match served.body {
            Ready::Now(body) => body,
            Ready::WhenChanged(session, rops) => {
                let mut change = std::pin::pin!(sessions::change(session, rops));
                let ends = clock::after(LONGEST_WAIT);
                let changed = loop {
                    match clock::until(clock::after(period).min(ends), change.as_mut()).await {
                        Some(changed) => break changed,
                        None if clock::now() >= ends => break false,
                        None if send.send(Bytes::from_static(PENDING)).await.is_err() => return,
                        None => {}
                    }
                };
                endpoint::waited(changed)
            }
        };
        let elapsed = clock::now().duration_since(began).as_millis();
        let done = format!(
            "DONE\r\nX-ResponseCode: 0\r\nX-ElapsedTime: {elapsed}\r\nX-StartTime: {}\r\n\r\n",
            clock::http_date()
        );
        // A client that has gone needs no answer.
        let _ = send.send(Bytes::from([done.as_bytes(), &body].concat())).await;
    };
    let body = Body::Pieces { pieces, work: Box::pin(work) };
    let mut answer = typed(StatusCode::OK, "application/mapi-http", body);
    mark(place, head, &mut answer, 0);
    iis::add(&mut answer, HeaderName::from_static("x-pendingperiod"), &period.as_millis().to_string());
    // Fifteen minutes.
    iis::add(&mut answer, HeaderName::from_static("x-expirationinfo"), "900000");
    for cookie in served.cookies {
        set_cookie(&mut answer, &cookie);
    }
    answer
}

/// A failure: 200, its number, and a page for people (wire facts 5).
fn failed(place: &Place<'_>, head: &Head, code: Code) -> Answer {
    let page = format!(
        "<html><head><title>MAPI over HTTP</title></head><body><h1>Diagnostic Information</h1><p>{code:?}</p></body></html>"
    );
    let mut answer = typed(StatusCode::OK, "text/html", page);
    mark(place, head, &mut answer, code as u8);
    answer
}

/// What every answer says.
fn mark(place: &Place<'_>, head: &Head, answer: &mut Answer, code: u8) {
    let Build { major, minor, build, revision } = place.build;
    let application = format!("Exchange/{major}.{minor:02}.{build:04}.{revision:03}");
    let lines = [
        ("cache-control", Some("private")),
        ("x-requesttype", head.kind.as_deref()),
        ("x-requestid", head.id.as_deref()),
        ("x-clientinfo", head.client_info.as_deref()),
        ("x-responsecode", Some(&*code.to_string())),
        ("x-serverapplication", Some(&application)),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            iis::add(answer, HeaderName::from_static(name), value);
        }
    }
}

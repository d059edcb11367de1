//! Lies of `back`: a request's head spoiled on its way to a server behind, an address that is no longer, a repeat.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, LOCATION, RANGE, TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use http_body_util::BodyExt;
use model::{HostName, WebUrl};
use reference::lane::LaneId;
use reference::ports::{Back, BackError, Client, Flow, Passage, Waiting};

use crate::Fired;
use crate::fronts::whole;

/// How a request behind is bent.
#[derive(Clone, Copy)]
pub(crate) enum Lie {
    /// Its head, given the one that the client sent; says whether it lied.
    Head(fn(&Passage, &HeaderMap, &mut request::Parts) -> bool),
    /// It is sent again when the first sending brought no answer.
    Again,
    /// It goes where the answer would have sent the client.
    Follows,
    /// It goes where the server was when it was looked for the first time.
    FirstAddress,
}

const LIES: &[(&str, Lie)] = &[
    ("keeps-client-host", Lie::Head(keeps_client_host)),
    ("swallows-capability", Lie::Head(swallows_capability)),
    ("ignores-range", Lie::Head(ignores_range)),
    ("turns-head-into-get", Lie::Head(turns_head_into_get)),
    ("passes-front-end-headers", Lie::Head(passes_front_end_headers)),
    ("hands-its-session-on", Lie::Head(hands_its_session_on)),
    ("rechunks-in-channel", Lie::Head(rechunks_in_channel)),
    ("sends-twice", Lie::Again),
    ("follows-redirects", Lie::Follows),
    ("resolves-once", Lie::FirstAddress),
];

/// Headers that only a front end may set (X-SEC-1), as far as a stranger would try them first.
const FRONT_END_ONLY: &[&str] = &[
    "x-commonaccesstoken",
    "x-isfromcafe",
    "x-sourcecafeserver",
    "msexchproxyuri",
    "x-fe-clientip",
    "x-forwarded-for",
];

/// The lie of this id.
pub(crate) fn lie(id: &str) -> Option<(&'static str, Lie)> {
    LIES.iter().find(|(known, _)| *known == id).copied()
}

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    LIES.iter().map(|(id, _)| *id)
}

fn keeps_client_host(passage: &Passage, _: &HeaderMap, head: &mut request::Parts) -> bool {
    let Some(host) = passage.asked.host.as_ref().filter(|host| **host != passage.host) else { return false };
    let Ok(host) = HeaderValue::from_str(host.as_str()) else { return false };
    head.headers.insert(HOST, host).is_some()
}

fn swallows_capability(_: &Passage, _: &HeaderMap, head: &mut request::Parts) -> bool {
    let can_handle = head.headers.remove("x-clientcanhandle").is_some();
    head.headers.remove("x-mapihttpcapability").is_some() || can_handle
}

fn ignores_range(_: &Passage, _: &HeaderMap, head: &mut request::Parts) -> bool {
    head.headers.remove(RANGE).is_some()
}

fn turns_head_into_get(_: &Passage, _: &HeaderMap, head: &mut request::Parts) -> bool {
    let asks_head = head.method == Method::HEAD;
    if asks_head {
        head.method = Method::GET;
    }
    asks_head
}

fn passes_front_end_headers(_: &Passage, sent: &HeaderMap, head: &mut request::Parts) -> bool {
    FRONT_END_ONLY.iter().fold(false, |lied, name| {
        let name = HeaderName::from_static(name);
        let lines: Vec<_> = sent.get_all(&name).iter().cloned().collect();
        if lines.is_empty() {
            return lied;
        }
        head.headers.remove(&name);
        for line in lines {
            head.headers.append(&name, line);
        }
        true
    })
}

fn hands_its_session_on(_: &Passage, sent: &HeaderMap, head: &mut request::Parts) -> bool {
    let own = |line: &&HeaderValue| line.as_bytes().windows(6).any(|word| word == b"cadata");
    let Some(line) = sent.get_all(COOKIE).iter().find(own).cloned() else { return false };
    head.headers.insert(COOKIE, line);
    true
}

fn rechunks_in_channel(_: &Passage, _: &HeaderMap, head: &mut request::Parts) -> bool {
    let rechunks = head.method == "RPC_IN_DATA" && head.headers.remove(CONTENT_LENGTH).is_some();
    if rechunks {
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    rechunks
}

pub(crate) struct Spoiled {
    pub(crate) id: &'static str,
    pub(crate) lie: Lie,
    pub(crate) truth: Arc<dyn Back>,
    pub(crate) fired: Fired,
    /// Where servers were when they were looked for the first time.
    first: Mutex<HashMap<(HostName, u16), SocketAddr>>,
}

impl Back for Spoiled {
    fn head<'a>(
        &'a self,
        passage: &'a Passage,
        head: &'a mut request::Parts,
    ) -> Waiting<'a, Result<(), BackError>> {
        Box::pin(async move {
            let sent = head.headers.clone();
            self.truth.head(passage, head).await?;
            if let Lie::Head(lie) = self.lie
                && lie(passage, &sent, head)
            {
                self.fired.lied(self.id, passage.asked.client.socket);
            }
            Ok(())
        })
    }

    fn address<'a>(
        &'a self,
        client: Client,
        host: &'a HostName,
        port: u16,
    ) -> Waiting<'a, Result<SocketAddr, BackError>> {
        Box::pin(async move {
            let is = self.truth.address(client, host, port).await?;
            match self.lie {
                Lie::FirstAddress => Ok(self.where_it_was(client, (host.clone(), port), is)),
                Lie::Head(_) | Lie::Again | Lie::Follows => Ok(is),
            }
        })
    }

    fn send<'a>(
        &'a self,
        passage: &'a Passage,
        lane: LaneId,
        to: SocketAddr,
        request: Request<Flow>,
    ) -> Waiting<'a, Result<Response<Flow>, BackError>> {
        match self.lie {
            Lie::Head(_) | Lie::FirstAddress => self.truth.send(passage, lane, to, request),
            Lie::Again => Box::pin(self.again(passage, lane, to, request)),
            Lie::Follows => Box::pin(self.follow(passage, lane, to, request)),
        }
    }
}

impl Spoiled {
    pub(crate) fn new(id: &'static str, lie: Lie, truth: Arc<dyn Back>, fired: Fired) -> Spoiled {
        Spoiled { id, lie, truth, fired, first: Mutex::default() }
    }

    fn where_it_was(&self, client: Client, server: (HostName, u16), is: SocketAddr) -> SocketAddr {
        let was = *self.first.lock().unwrap_or_else(PoisonError::into_inner).entry(server).or_insert(is);
        if was != is {
            self.fired.lied(self.id, client.socket);
        }
        was
    }

    /// Keeps the body of a POST, so that it can be sent once more where the connection broke. What need not end before its
    /// answer, an IN channel, is no POST and is passed on as it comes.
    async fn again(
        &self,
        passage: &Passage,
        lane: LaneId,
        to: SocketAddr,
        request: Request<Flow>,
    ) -> Result<Response<Flow>, BackError> {
        if request.method() != Method::POST {
            return self.truth.send(passage, lane, to, request).await;
        }
        let (head, body) = request.into_parts();
        let body: Bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let once = || {
            let mut request = Request::new(whole(body.clone()));
            *request.method_mut() = head.method.clone();
            *request.uri_mut() = head.uri.clone();
            *request.headers_mut() = head.headers.clone();
            request
        };
        match self.truth.send(passage, lane.clone(), to, once()).await {
            Err(BackError::Broken(..)) => {
                self.fired.lied(self.id, passage.asked.client.socket);
                self.truth.send(passage, lane, to, once()).await
            }
            first => first,
        }
    }

    /// Remembers the body as it passes, so that the request can go where its answer leads.
    async fn follow(
        &self,
        passage: &Passage,
        lane: LaneId,
        to: SocketAddr,
        request: Request<Flow>,
    ) -> Result<Response<Flow>, BackError> {
        let (head, body) = request.into_parts();
        let sent: Arc<Mutex<Vec<u8>>> = Arc::default();
        let passing = sent.clone();
        let body = body.map_frame(move |frame| {
            let data = frame.data_ref().map_or(&[][..], |data| data);
            passing.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(data);
            frame
        });
        let first = Request::from_parts(head.clone(), body.boxed_unsync());
        let answer = self.truth.send(passage, lane.clone(), to, first).await?;
        let Some(url) = leads_to(answer.status(), answer.headers()) else { return Ok(answer) };
        let client = passage.asked.client;
        let Ok(there) = self.truth.address(client, &url.host, passage.port).await else { return Ok(answer) };
        let mut onward = Passage { host: url.host.clone(), ..passage.clone() };
        onward.asked.target.clone_from(&url.path);
        let body = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
        let mut again = Request::new(whole(body.into()));
        *again.method_mut() = head.method;
        *again.uri_mut() = url.path.parse().unwrap_or(head.uri);
        *again.headers_mut() = head.headers;
        if let Ok(host) = HeaderValue::from_str(url.host.as_str()) {
            again.headers_mut().insert(HOST, host);
        }
        match self.truth.send(&onward, LaneId { host: url.host, ..lane }, there, again).await {
            Ok(other) => {
                self.fired.lied(self.id, client.socket);
                Ok(other)
            }
            Err(_) => Ok(answer),
        }
    }
}

/// Where an answer would send its client: a redirect, or ActiveSync's 451.
fn leads_to(status: StatusCode, headers: &HeaderMap) -> Option<WebUrl> {
    let name = match status.as_u16() {
        301 | 302 | 307 | 308 => LOCATION,
        451 => HeaderName::from_static("x-ms-location"),
        _ => return None,
    };
    WebUrl::folded(headers.get(name)?.to_str().ok()?).ok()
}

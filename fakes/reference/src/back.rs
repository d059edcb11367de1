//! The servers' side: a request's head as a server behind may see it, the ticket that speaks for the user, the dial.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, Uri, Version, request};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use model::{HostName, Role};
use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::clock;
use crate::discover::Directory;
use crate::hears_out::HearsOut;
use crate::lane::{Kept, LaneId, Open, Tied};
use crate::names::Names;
use crate::ports::{Back, BackError, Client, Flow, Octets, Passage, Ports, Stream, Waiting};
use crate::request_log::RequestLog;

/// Headers that only a front end may set (wire facts 8, X-SEC-1). Names compare without letter case, and every line of
/// a name goes.
const FRONT_END_ONLY: &[&str] = &[
    "x-commonaccesstoken",
    "x-isfromcafe",
    "x-sourcecafeserver",
    "msexchproxyuri",
    "x-msexchangeactivityctx",
    "x-fe-clientip",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-ms-edgeip",
    "return-client-request-id",
    "forwarded",
];
/// Beginnings of further such names.
const FRONT_END_ONLY_BEGINS: &[&str] = &["x-backend-diag-"];

/// What concerns one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A front end's own session, by its version (wire facts 1.1).
const COOKIES_OF_2013: &[&str] = &["cadata", "cadataTTL", "cadataKey", "cadataIV", "cadataSig"];
const COOKIES_OF_2010: &[&str] = &["sessionid", "cadata"];
/// Cookies that would choose a back end (X-SEC-2).
const CHOOSING_COOKIES: &[&str] =
    &["X-BackEndCookie", "X-BEResource", "X-AnonResource-Backend", "X-BackEndOverrideCookie"];

/// How to get to a server.
pub struct Dial {
    /// The address to dial from.
    pub source: IpAddr,
    pub(crate) log: Arc<RequestLog>,
}

impl Dial {
    /// Connects for a client, from the source address.
    ///
    /// # Errors
    /// What takes no connection in time.
    pub async fn connect(
        &self,
        client: Client,
        host: &HostName,
        to: SocketAddr,
    ) -> Result<TcpStream, BackError> {
        let unreachable = |why: String| BackError::Unreachable(host.clone(), why);
        let connected = clock::within(clock::CONNECT, self.open(client, to)).await;
        connected
            .map_err(|late| unreachable(late.to_string()))?
            .map_err(|error| unreachable(error.to_string()))
    }

    async fn open(&self, client: Client, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(self.source, 0))?;
        self.log.carries(client, socket.local_addr()?).await;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// The production implementation.
pub struct Behind {
    /// Who speaks for users; nobody at an edge, where heads go on as they came, sign-in too. The `Host` stays there what the
    /// client wrote: the front end knows itself by its namespaces, and builds the logon page, its form and every address of
    /// its own from the one it was called by. CX-TGT-1 binds the front end towards older servers, not what stands before it.
    pub speaker: Option<Speaker>,
    /// How requests get there.
    pub way: Arc<Way>,
}

/// A front end towards servers behind: it signs in for the user.
pub struct Speaker {
    /// What this front end is: towards 2013 and from it, more headers go along.
    pub role: Role,
    /// Its own FQDN.
    pub own: HostName,
    /// Who gives tickets.
    pub directory: Arc<Directory>,
}

/// Connections to servers behind, and requests on them.
pub struct Way {
    /// Where servers are.
    pub names: Names,
    /// How to reach them.
    pub dial: Arc<Dial>,
    /// TLS towards them, verified against the lab's root.
    pub tls: TlsConnector,
    pub(crate) kept: Arc<Kept>,
    /// What stands between a connection and its octets; known once all ports are.
    pub(crate) octets: OnceLock<Arc<dyn Octets>>,
}

/// Carries a request on by the ports of the servers' side, and brings its answer.
pub(crate) async fn carry(
    ports: &Ports,
    passage: &Passage,
    request: Request<Flow>,
) -> Result<Response<Flow>, BackError> {
    let (mut head, body) = request.into_parts();
    head.uri = passage.asked.target.parse::<Uri>().unwrap_or(head.uri);
    ports.back.head(passage, &mut head).await?;
    let lane = ports.lane.lane(passage);
    let to = ports.back.address(passage.asked.client, &passage.host, passage.port).await?;
    let body = Tied::new(body, ports.lane.clone(), passage.clone()).boxed_unsync();
    ports.back.send(passage, lane, to, Request::from_parts(head, body)).await
}

impl Back for Behind {
    fn head<'a>(
        &'a self,
        passage: &'a Passage,
        head: &'a mut request::Parts,
    ) -> Waiting<'a, Result<(), BackError>> {
        Box::pin(async move {
            strip(head);
            match &self.speaker {
                Some(speaker) => speaker.speak(passage, &mut head.headers).await,
                None => Ok(()),
            }
        })
    }

    fn address<'a>(
        &'a self,
        _: Client,
        host: &'a HostName,
        port: u16,
    ) -> Waiting<'a, Result<SocketAddr, BackError>> {
        Box::pin(self.way.names.find(host, port))
    }

    fn send<'a>(
        &'a self,
        passage: &'a Passage,
        lane: LaneId,
        to: SocketAddr,
        request: Request<Flow>,
    ) -> Waiting<'a, Result<Response<Flow>, BackError>> {
        Box::pin(self.way.send(passage, lane, to, request))
    }
}

impl Speaker {
    async fn speak(&self, passage: &Passage, headers: &mut HeaderMap) -> Result<(), BackError> {
        strip_cookies(self.role, headers);
        self.introduce(passage, headers);
        headers.remove(header::AUTHORIZATION);
        if let Some(account) = &passage.account {
            let ticket = self.directory.ticket(&account.address, &passage.host).await?;
            set(headers, header::AUTHORIZATION, &format!("Negotiate {ticket}"));
        }
        // CX-TGT-1: the name that is dialled, and no port with it.
        set(headers, header::HOST, passage.host.as_str());
        Ok(())
    }

    /// Says who passes the request on, for whom, and what was asked (wire facts 8).
    fn introduce(&self, passage: &Passage, headers: &mut HeaderMap) {
        let asked = &passage.asked;
        let client = asked.client.socket.ip().to_string();
        set(headers, HeaderName::from_static("x-forwarded-for"), &client);
        let host = asked.host.as_ref().unwrap_or(&self.own);
        let scheme = if asked.tls { "https" } else { "http" };
        let uri = format!("{scheme}://{host}{}", asked.target);
        set(headers, HeaderName::from_static("msexchproxyuri"), &uri);
        if self.role == Role::FrontEnd2013 {
            set(headers, HeaderName::from_static("x-isfromcafe"), "1");
            set(headers, HeaderName::from_static("x-sourcecafeserver"), self.own.as_str());
            set(headers, HeaderName::from_static("x-fe-clientip"), &client);
        }
    }
}

impl Way {
    async fn send(
        &self,
        passage: &Passage,
        lane: LaneId,
        to: SocketAddr,
        mut request: Request<Flow>,
    ) -> Result<Response<Flow>, BackError> {
        if let Some(open) = self.kept.take(&lane) {
            self.dial.log.carries(passage.asked.client, open.local).await;
            // This connection knows already for whom we speak there.
            let speaks = passage.account.is_some();
            let ticket = speaks.then(|| request.headers_mut().remove(header::AUTHORIZATION)).flatten();
            let mut unsent = Some(request);
            if let Some(answer) = self.attempt(passage, &lane, open, &mut unsent).await? {
                return Ok(answer);
            }
            let gone = || BackError::Broken(passage.host.clone(), "it closed the connection".into());
            request = unsent.ok_or_else(gone)?;
            if let Some(ticket) = ticket {
                request.headers_mut().insert(header::AUTHORIZATION, ticket);
            }
        }
        let mut request = Some(request);
        let open = self.open(passage, to).await?;
        let answer = self.attempt(passage, &lane, open, &mut request).await?;
        answer.ok_or_else(|| BackError::Broken(passage.host.clone(), "it closed the connection".into()))
    }

    /// Sends what is still unsent; `None` where the connection turned out to be closed before a byte was written, so
    /// that nothing is ever sent twice (X-WIRE-7).
    async fn attempt(
        &self,
        passage: &Passage,
        lane: &LaneId,
        mut open: Open,
        unsent: &mut Option<Request<Flow>>,
    ) -> Result<Option<Response<Flow>>, BackError> {
        if open.sender.ready().await.is_err() {
            return Ok(None);
        }
        let Some(request) = unsent.take() else { return Ok(None) };
        match open.sender.try_send_request(request).await {
            Ok(answer) => {
                self.kept.keep(lane.clone(), open);
                Ok(Some(answer.map(crate::answers::flow)))
            }
            Err(mut refused) => match refused.take_message() {
                Some(request) => {
                    *unsent = Some(request);
                    Ok(None)
                }
                None => Err(BackError::Broken(passage.host.clone(), refused.error().to_string())),
            },
        }
    }

    async fn open(&self, passage: &Passage, to: SocketAddr) -> Result<Open, BackError> {
        let unreachable = |why: String| BackError::Unreachable(passage.host.clone(), why);
        let stream = self.dial.connect(passage.asked.client, &passage.host, to).await?;
        let local = stream.local_addr().map_err(|error| unreachable(error.to_string()))?;
        let name = ServerName::try_from(passage.host.as_str().to_owned())
            .map_err(|error| unreachable(error.to_string()))?;
        let secured = clock::within(clock::HANDSHAKE, self.tls.connect(name, stream)).await;
        let stream = secured
            .map_err(|late| unreachable(late.to_string()))?
            .map_err(|error| unreachable(error.to_string()))?;
        let mut stream: Box<dyn Stream> = Box::new(stream);
        if let Some(octets) = self.octets.get() {
            stream = octets.behind(passage.asked.client, stream);
        }
        let cut = Arc::new(AtomicBool::new(false));
        let stream = HearsOut::new(stream, cut.clone());
        let mut builder = http1::Builder::new();
        builder.preserve_header_case(true);
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.to_string()))?;
        // What ends it early is told to whoever waits for its answer.
        let driver = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
        Ok(Open { sender, driver, local, cut })
    }
}

/// Takes out of a head what does not go on: what concerns one connection, and what only a front end may say (X-SEC-1).
fn strip(head: &mut request::Parts) {
    let headers = &mut head.headers;
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    strip_hop_by_hop(headers);
    if chunked {
        // Said outright, or a body that GET or HEAD brings would be left behind; and never beside a length that
        // the body need not have (X-SEC-6).
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let stripped: Vec<HeaderName> =
        headers.keys().filter(|name| is_front_end_only(name.as_str())).cloned().collect();
    stripped.iter().for_each(|name| drop(headers.remove(name)));
    head.version = Version::HTTP_11;
}

/// Removes what concerns one connection only, and what `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    named.iter().for_each(|name| drop(headers.remove(name)));
    HOP_BY_HOP.iter().for_each(|name| drop(headers.remove(*name)));
}

/// Whether only a front end may set the header of this name, in small letters.
fn is_front_end_only(name: &str) -> bool {
    FRONT_END_ONLY.contains(&name) || FRONT_END_ONLY_BEGINS.iter().any(|begin| name.starts_with(begin))
}

/// The front end's own session and whatever would choose a server stay here; all else goes on untouched.
fn strip_cookies(role: Role, headers: &mut HeaderMap) {
    let own = if role == Role::FrontEnd2010 { COOKIES_OF_2010 } else { COOKIES_OF_2013 };
    let stays = |pair: &str| {
        let name = pair.trim().split('=').next().unwrap_or_default();
        !own.contains(&name) && !CHOOSING_COOKIES.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    let lines: Vec<HeaderValue> = headers.get_all(header::COOKIE).iter().cloned().collect();
    headers.remove(header::COOKIE);
    for line in lines {
        let Ok(text) = line.to_str() else { continue };
        let left: Vec<&str> = text.split(';').filter(|pair| stays(pair)).map(str::trim).collect();
        let left = left.join("; ");
        if let (false, Ok(value)) = (left.is_empty(), HeaderValue::from_str(&left)) {
            headers.append(header::COOKIE, value);
        }
    }
}

/// Sets a header; a value that no header may hold leaves it out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(_) => drop(headers.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_session_of_the_front_end_nor_a_cookie_that_chooses_a_server_goes_behind() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", "cadata=x; UserContext=u==; X-BEResource=mbx/owa~1".parse().unwrap());
        headers.append("cookie", "cadataTTL=y".parse().unwrap());
        strip_cookies(Role::FrontEnd2013, &mut headers);
        let left: Vec<_> = headers.get_all("cookie").iter().collect();
        assert_eq!(left, ["UserContext=u=="]);
    }

    #[test]
    fn what_connection_names_goes_with_it_but_for_what_frames_the_request() {
        let mut headers = HeaderMap::new();
        headers.append("connection", "close, X-Private, Content-Length".parse().unwrap());
        headers.append("x-private", "1".parse().unwrap());
        headers.append("content-length", "5".parse().unwrap());
        headers.append("te", "trailers".parse().unwrap());
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-length"]);
    }
}

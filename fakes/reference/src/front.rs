//! The clients' side: listeners, connections, and what is read from a request's head and added to an answer's.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use model::{HostName, Protocol, Role};
use protocols::iis::patience::{CONNECTION_TIMEOUT, Patient, Turn};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::CancellationToken;

use crate::answers;
use crate::back;
use crate::clock;
use crate::order::{MailQuestion, Onward};
use crate::ports::{Asked, Client, Flow, Front, Ports, Stream, Waiting};

/// The longest head that is read, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// How many connections may wait to be taken.
const BACKLOG: u32 = 1024;

/// The production implementation.
#[derive(Debug, Clone)]
pub struct Doorway {
    /// What this is.
    pub role: Role,
    /// Its own FQDN.
    pub own: HostName,
}

impl Front for Doorway {
    /// Whatever name is asked for, or none: it has one certificate (X-TLS-1).
    fn greet(&self, _: Client, _: Option<&str>, own: &Arc<ServerConfig>) -> Option<Arc<ServerConfig>> {
        Some(own.clone())
    }

    /// An absolute target (RFC 9112, 3.2.2) is read as the path and host in it.
    fn request(&self, client: Client, tls: bool, head: &mut http::request::Parts) -> Asked {
        let written = head.uri.authority().map(|authority| authority.host().to_owned());
        let named = head.headers.get(header::HOST).and_then(|value| value.to_str().ok());
        let host = written.or_else(|| named.map(|host| without_port(host).to_owned()));
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Asked {
            client,
            tls,
            host: host.and_then(|host| HostName::folded(&host).ok()),
            verb: head.method.clone(),
            protocol: Protocol::of_path(&target),
            target,
        }
    }

    fn answer<'a>(&'a self, _asked: &'a Asked, mut answer: Response<Flow>) -> Waiting<'a, Response<Flow>> {
        back::strip_hop_by_hop(answer.headers_mut());
        if self.role == Role::FrontEnd2013 {
            // Wire facts 8: a static header of every virtual directory, on passed on answers too.
            let name = self.own.as_str().split('.').next().unwrap_or_default().to_ascii_uppercase();
            if let Ok(value) = HeaderValue::from_str(&name) {
                answer.headers_mut().insert(HeaderName::from_static("x-feserver"), value);
            }
        }
        *answer.version_mut() = Version::HTTP_11;
        Box::pin(std::future::ready(answer))
    }

    fn session_life(&self, _: Client, told: Duration) -> Duration {
        told
    }

    /// A mail program is never sent elsewhere (CX-IMAP-1).
    fn onward(&self, _: &MailQuestion, onward: Onward) -> Onward {
        onward
    }
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(host, _)| host)
}

/// Who answers what comes to the seat's listeners.
pub(crate) trait Serves: Send + Sync + 'static {
    /// Its ports.
    fn ports(&self) -> &Ports;
    /// A client's greeting has come, for this name.
    fn greeted(&self, _client: Client, _sni: Option<&str>) {}
    /// Answers a request.
    fn handle(
        &self,
        client: Client,
        tls: bool,
        request: Request<Flow>,
    ) -> impl Future<Output = Response<Flow>> + Send;
    /// A client's connection has ended.
    fn gone(&self, client: Client);
}

/// Binds a listener of the seat; a subject owns the ports that it was told of.
pub(crate) fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

/// Takes connections until told to stop, then ends those that are open.
pub(crate) async fn take(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    server: Arc<impl Serves>,
    stop: CancellationToken,
) {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = open.join_next(), if !open.is_empty() => {
                if let Err(error) = ended && error.is_panic() {
                    eprintln!("a connection ended in a panic: {error}");
                }
            }
            taken = listener.accept() => {
                let Ok((stream, socket)) = taken else { continue };
                let client = Client { connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed), socket };
                open.spawn(converse(stream, client, tls.clone(), server.clone()));
            }
        }
    }
    open.shutdown().await;
}

async fn converse(
    stream: TcpStream,
    client: Client,
    tls: Option<Arc<ServerConfig>>,
    server: Arc<impl Serves>,
) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(Box::new(stream), client, false, &*server).await,
        Some(tls) => {
            let greeted = clock::within(clock::HANDSHAKE, greet(stream, client, &tls, &*server)).await;
            if let Ok(Some(stream)) = greeted {
                serve(stream, client, true, &*server).await;
            }
        }
    }
    server.gone(client);
}

/// Reads a client's greeting, and answers it with the certificate that the port gives for it.
async fn greet(
    stream: TcpStream,
    client: Client,
    tls: &Arc<ServerConfig>,
    server: &impl Serves,
) -> Option<Box<dyn Stream>> {
    let greeting = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await.ok()?;
    server.greeted(client, greeting.client_hello().server_name());
    let config = server.ports().front.greet(client, greeting.client_hello().server_name(), tls)?;
    Some(Box::new(greeting.into_stream(config).await.ok()?))
}

async fn serve(stream: Box<dyn Stream>, client: Client, tls: bool, server: &impl Serves) {
    let turn = Turn::default();
    let stream = Patient::new(server.ports().bytes.front(client, stream), turn.clone());
    let service = service_fn(|request: Request<Incoming>| {
        turn.begins();
        let (request, turn) = (request.map(answers::flow), turn.clone());
        async move {
            let answer = server.handle(client, tls, request).await;
            Ok::<_, Infallible>(answer.map(|body| turn.during(body)))
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(CONNECTION_TIMEOUT);
    builder.max_buf_size(LONGEST_HEAD).preserve_header_case(true);
    // A client that breaks off is nothing to report: the lab sees what it was told.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

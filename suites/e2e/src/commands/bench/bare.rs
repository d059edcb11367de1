//! Bare peers: the same libraries (tokio, rustls, hyper) and nothing of ours between them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lab::ground::{Block, Ground};
use lab::pki::Authority;
use model::HostName;
use model::topology::Certificate;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::Unmeasured;
use crate::clock::{DEATH, within};
use crate::run::Beside;

/// One connection and how many requests are made on it, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conversation {
    pub(super) tls: bool,
    pub(super) requests: u32,
}

/// What is replayed: the connections of each case, one after another; cases side by side.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    pub(super) cases: Vec<Vec<Conversation>>,
    /// What is asked meanwhile, each case its share.
    pub(super) beside: Beside,
}

impl Load {
    /// The share of the n-th case.
    fn share(&self, n: usize) -> Beside {
        let of = |all: u64| {
            let (n, cases) = (n as u64, self.cases.len().max(1) as u64);
            all * (n + 1) / cases - all * n / cases
        };
        Beside { queries: of(self.beside.queries), directory: of(self.beside.directory) }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || self.cases.iter().flatten();
        let (tls, requests) = (all().filter(|c| c.tls).count(), all().map(|c| c.requests).sum::<u32>());
        write!(f, "{} connections, {tls} handshakes, {requests} requests", all().count())
    }
}

/// The size of a bare answer's body, in bytes: a small page.
const BODY: usize = 1024;
/// The size of a query, in bytes.
const QUERY: usize = 48;
const NAME: &str = "bare.contoso.com";

/// A server that answers anything, and what a client needs to reach it.
pub(super) struct Peers {
    plain: SocketAddr,
    tls: SocketAddr,
    dns: SocketAddr,
    trust: Arc<rustls::RootCertStore>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// Held: the addresses are this bench's while it is.
    _block: Block,
}

impl Peers {
    pub(super) fn start(ground: &Ground) -> Result<Peers, Unmeasured> {
        let block = ground.claim(1)?;
        let authority = Authority::new()?;
        let name: HostName = NAME.parse().map_err(|error| Unmeasured::Wrong(format!("{error}")))?;
        let leaf = authority.leaf(&[name], Certificate::Valid)?;
        let listen =
            |port| block.listen(block.address(10), port).map_err(|e| Unmeasured::Io("a bare peer", e));
        let (plain, tls) = (listen(80)?, listen(443)?);
        let at = |listener: &TcpListener| listener.local_addr().map_err(|e| Unmeasured::Io("a bare peer", e));
        let (plain_at, tls_at) = (at(&plain)?, at(&tls)?);
        let udp = block.listen_dns(block.address(2), 53).map_err(|e| Unmeasured::Io("a bare peer", e))?.0;
        let dns = udp.local_addr().map_err(|e| Unmeasured::Io("a bare peer", e))?;
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(echo(udp, stop.clone()));
        tasks.spawn(accept(plain, None, stop.clone()));
        tasks.spawn(accept(tls, Some(leaf.server_config().into()), stop.clone()));
        let trust = authority.root_store();
        Ok(Peers { plain: plain_at, tls: tls_at, dns, trust, stop, tasks, _block: block })
    }

    /// Replays a load, so many cases at once, and says how long it took.
    pub(super) async fn replay(&self, load: &Load, jobs: usize) -> Result<Duration, Unmeasured> {
        let turns = Arc::new(Semaphore::new(jobs.max(1)));
        let connector = self.connector()?;
        let started = Instant::now();
        let mut running = JoinSet::new();
        for (number, case) in load.cases.clone().into_iter().enumerate() {
            let (turns, connector) = (turns.clone(), connector.clone());
            let (plain, tls, dns) = (self.plain, self.tls, self.dns);
            let beside = load.share(number);
            running.spawn(async move {
                let _turn = turns.acquire_owned().await;
                for conversation in case {
                    let at = if conversation.tls { tls } else { plain };
                    converse(at, conversation, &connector).await?;
                }
                for _ in 0..beside.queries {
                    query(dns).await?;
                }
                if let Ok(requests @ 1..) = u32::try_from(beside.directory) {
                    converse(plain, Conversation { tls: false, requests }, &connector).await?;
                }
                Ok::<_, Unmeasured>(())
            });
        }
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(ended) => ended?,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok(started.elapsed())
    }

    /// Every connection greets in full, as every one of our clients does.
    fn connector(&self) -> Result<TlsConnector, Unmeasured> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Unmeasured::Wrong(error.to_string()))?;
        let mut config = config.with_root_certificates(self.trust.clone()).with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config).into())
    }

    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let tls = tls.clone();
                connections.spawn(async move {
                    // A connection that breaks off is noticed by the peer that measures.
                    if stream.set_nodelay(true).is_err() {
                        return;
                    }
                    match tls {
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            serve(stream).await;
                        }
                        None => serve(stream).await,
                    }
                });
            }
        }
    }
    connections.shutdown().await;
}

async fn serve<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: IO) {
    let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
        request.into_body().collect().await?;
        Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from_static(&[b'.'; BODY]))))
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(io), service).await;
    drop(served);
}

/// Gives every datagram back.
async fn echo(udp: UdpSocket, stop: CancellationToken) {
    let mut datagram = [0; QUERY];
    loop {
        let came = tokio::select! {
            () = stop.cancelled() => return,
            came = udp.recv_from(&mut datagram) => came,
        };
        // A datagram that is lost is noticed by the peer that measures.
        if let Ok((length, from)) = came {
            drop(udp.send_to(&datagram[..length], from).await);
        }
    }
}

/// As much as a DNS query and its answer are: a socket of its own, a datagram there and one back.
async fn query(at: SocketAddr) -> Result<(), Unmeasured> {
    let wrong = |error| Unmeasured::Io("a bare query", error);
    let any = SocketAddr::new(at.ip(), 0);
    let socket = std::net::UdpSocket::bind(any).map_err(wrong)?;
    socket.set_nonblocking(true).map_err(wrong)?;
    let socket = UdpSocket::from_std(socket).map_err(wrong)?;
    let mut datagram = [0; QUERY];
    socket.send_to(&datagram, at).await.map_err(wrong)?;
    // A datagram that is lost is asked for again by a resolver; here the figure would be of no use.
    let came = within(DEATH, socket.recv_from(&mut datagram)).await;
    came.ok_or_else(|| Unmeasured::Wrong("a bare query was lost; measure again".to_owned()))?
        .map_err(wrong)?;
    Ok(())
}

async fn converse(at: SocketAddr, what: Conversation, tls: &TlsConnector) -> Result<(), Unmeasured> {
    let stream = dial(at).await?;
    match what.tls {
        true => {
            let name = ServerName::try_from(NAME).map_err(|error| Unmeasured::Wrong(error.to_string()))?;
            let stream = tls.connect(name, stream).await.map_err(|e| Unmeasured::Io("a bare greeting", e))?;
            ask(stream, what.requests).await
        }
        false => ask(stream, what.requests).await,
    }
}

/// Connects to a peer on loopback.
pub(super) async fn dial(at: SocketAddr) -> Result<TcpStream, Unmeasured> {
    let wrong = |error| Unmeasured::Io("a bare connection", error);
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(wrong)?;
    let stream = socket.connect(at).await.map_err(wrong)?;
    stream.set_nodelay(true).map_err(wrong)?;
    Ok(stream)
}

async fn ask<IO>(io: IO, requests: u32) -> Result<(), Unmeasured>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    for _ in 0..requests {
        sender.ready().await?;
        let request = Request::get("/owa/").header("host", NAME).body(Full::<Bytes>::default());
        let request = request.map_err(|error| Unmeasured::Wrong(error.to_string()))?;
        sender.send_request(request).await?.into_body().collect().await?;
    }
    drop(sender);
    tasks.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    //! client -> bare server, on mapped ground

    use super::*;

    #[tokio::test]
    async fn a_load_is_replayed_whole() {
        let peers = Peers::start(&Ground::mapped()).unwrap();
        let over = |tls| Conversation { tls, requests: 3 };
        let beside = Beside { queries: 3, directory: 5 };
        let load = Load { cases: vec![vec![over(true), over(false)], vec![over(true)]], beside };
        let shares = [load.share(0), load.share(1)];
        assert_eq!(shares.map(|share| share.queries), [1, 2]);
        assert_eq!(shares.map(|share| share.directory), [2, 3]);
        assert_eq!(load.to_string(), "3 connections, 2 handshakes, 9 requests");
        let took = peers.replay(&load, 2).await.unwrap();
        assert!(took > Duration::ZERO);
        peers.stop().await;
    }
}

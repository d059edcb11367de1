//! Health rounds: each endpoint is asked by a task of its own, so that one that is silent holds up no other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use model::{Protocol, ServerName, Topology};
use rustls::pki_types::ServerName as TlsName;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::{Again, Down, Health, Heard, Ping, SoFar};
use crate::back::Way;
use crate::clock;
use crate::ports::Pulse;

/// The most that is read of an answer's body, in bytes; it says nothing.
const LONGEST: usize = 64 * 1024;

/// What is known of every server's health, and how it is come by.
pub(crate) struct Watch {
    pulse: Arc<dyn Pulse>,
    health: Mutex<Health>,
    clients: AtomicU64,
}

impl Watch {
    pub(crate) fn new(pulse: Arc<dyn Pulse>) -> Watch {
        Watch { pulse, health: Mutex::default(), clients: AtomicU64::new(0) }
    }

    /// A client has asked something.
    pub(crate) fn used(&self) {
        self.clients.fetch_add(1, Ordering::Relaxed);
    }

    /// What takes no requests now.
    pub(crate) fn down(&self) -> Down {
        self.pulse.down(&self.health())
    }

    /// A client's request was answered by this server, after so long.
    pub(crate) fn carried(&self, server: &ServerName, protocol: Protocol, took: Duration) {
        let mut health = self.health();
        let at = (server.clone(), protocol);
        let before = health.get(&at).copied().unwrap_or_default();
        let after = self.pulse.carried(before, protocol, took);
        if after != before {
            health.insert(at, after);
        }
    }

    /// Asks whom the topology names, round after round, until it is dropped.
    pub(crate) async fn keep(
        self: Arc<Self>,
        topology: &Topology,
        seat: &ServerName,
        interval: Duration,
        way: Arc<Way>,
    ) {
        let mut asking = JoinSet::new();
        for ping in self.pulse.asks(topology, seat) {
            asking.spawn(self.clone().ask_on_and_on(ping, interval, way.clone()));
        }
        while asking.join_next().await.is_some() {}
        // Nobody to ask is no reason to end.
        std::future::pending().await
    }

    async fn ask_on_and_on(self: Arc<Self>, ping: Ping, interval: Duration, way: Arc<Way>) {
        let mut ticks = clock::ticks(interval);
        let (mut rounds, mut line) = (0, None);
        loop {
            ticks.tick().await;
            if self.pulse.due(SoFar { rounds, clients: self.clients.load(Ordering::Relaxed) }) {
                self.round(&ping, &way, &mut line).await;
                rounds += 1;
                // From the end of this one: what took long must not bring the next one near.
                ticks.reset();
            }
        }
    }

    async fn round(&self, ping: &Ping, way: &Way, line: &mut Option<Line>) {
        loop {
            let heard = match clock::within(clock::PING, ask(ping, way, line)).await {
                Ok(Ok(status)) => Heard::Status(status),
                Ok(Err(_)) | Err(_) => Heard::Nothing,
            };
            if self.hears(ping, heard) == Again::NextRound {
                return;
            }
        }
    }

    fn hears(&self, ping: &Ping, heard: Heard) -> Again {
        let mut health = self.health();
        let standing = health.entry((ping.server.clone(), ping.protocol)).or_default();
        let (after, again) = self.pulse.heard(*standing, heard);
        if after.up != standing.up {
            let now = if after.up { "up again" } else { "down" };
            eprintln!("{} is {now} for {}", ping.server, ping.protocol);
        }
        *standing = after;
        again
    }

    fn health(&self) -> MutexGuard<'_, BTreeMap<(ServerName, Protocol), super::Standing>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to a server, for the questions about one protocol.
struct Line {
    sender: SendRequest<Empty<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

/// Asks once, on the line that is open or on a new one, and gives the status of the answer. A line that the server has ended
/// since the last round says nothing of it.
async fn ask(ping: &Ping, way: &Way, line: &mut Option<Line>) -> anyhow::Result<u16> {
    if let Some(open) = line.take()
        && let Ok(status) = ask_on(open, ping, line).await
    {
        return Ok(status);
    }
    ask_on(dial(ping, way).await?, ping, line).await
}

async fn ask_on(mut open: Line, ping: &Ping, line: &mut Option<Line>) -> anyhow::Result<u16> {
    open.sender.ready().await?;
    let request = Request::builder()
        .method(ping.verb.clone())
        .uri(&ping.target)
        .header(header::USER_AGENT, &ping.user_agent)
        .header(header::HOST, ping.host.as_str())
        .header(header::CONNECTION, "Keep-Alive")
        .body(Empty::new())?;
    let answer = open.sender.send_request(request).await?;
    let status = answer.status().as_u16();
    // Where its body cannot be read to its end, the line is of no more use.
    if Limited::new(answer.into_body(), LONGEST).collect().await.is_ok() {
        *line = Some(open);
    }
    Ok(status)
}

async fn dial(ping: &Ping, way: &Way) -> anyhow::Result<Line> {
    let to = way.names.find(&ping.dials, 443).await?;
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind((way.dial.source, 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    let name = TlsName::try_from(ping.dials.as_str().to_owned()).context("a server's own name")?;
    let stream = way.tls.connect(name, stream).await?;
    let (sender, connection) =
        http1::Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await?;
    let driver = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
    Ok(Line { sender, _driver: driver })
}

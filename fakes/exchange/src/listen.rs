//! Accepting: one task a listener, one a connection; each connection is known by who opened it before it speaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use directory::Account;
use directory::ntlm::Challenge;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ledger::{Conveyed, Ledger, Opener};
use protocols::iis::patience::{CONNECTION_TIMEOUT, Patient, Turn};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::answered::Answers;
use crate::clock::{LIMIT, relief, within};
use crate::dictated::Cut;
use crate::rpc;
use crate::server::Server;
use crate::spoken::{Speaking, Spoken};
use crate::tap::{Heard, Tap};
use crate::{Listener, Mail, mail};

/// The most that a request's head may hold.
const MOST_HEAD_BYTES: usize = 64 * 1024;

/// A connection that a server accepted.
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) opener: Option<Opener>,
    pub(crate) tls: bool,
    pub(crate) sni: Option<String>,
    /// Whether it came to the 2013 back end's port.
    pub(crate) back_end: bool,
    pub(crate) heard: Heard,
    pub(crate) spoken: Spoken,
    pub(crate) answers: Answers,
    requests: AtomicU32,
    bound: Mutex<Bound>,
}

/// How far a connection-bound sign-in has come, as IIS keeps it for the connection's life.
#[derive(Debug, Clone, Default)]
enum Bound {
    #[default]
    Nobody,
    /// A challenge was given, and is good for one response.
    Challenged(Challenge),
    SignedIn(Arc<Account>, Conveyed),
}

impl Connection {
    /// One without TLS, on which nobody has signed in.
    pub(crate) fn new(id: u64, peer: SocketAddr, opener: Option<Opener>, ledger: &Ledger) -> Connection {
        Connection {
            id,
            peer,
            opener,
            tls: false,
            sni: None,
            back_end: false,
            heard: Heard::default(),
            spoken: Spoken::default(),
            answers: Answers::new(ledger.clone()),
            requests: AtomicU32::new(0),
            bound: Mutex::default(),
        }
    }

    /// The number of the request that begins now, from 1.
    pub(crate) fn next_request(&self) -> u32 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Who signed in on it, and how.
    pub(crate) fn signed_in(&self) -> Option<(Arc<Account>, Conveyed)> {
        match self.bound(|bound| bound.clone()) {
            Bound::SignedIn(account, how) => Some((account, how)),
            Bound::Nobody | Bound::Challenged(_) => None,
        }
    }

    pub(crate) fn sign_in(&self, account: Arc<Account>, how: Conveyed) {
        self.bound(|bound| *bound = Bound::SignedIn(account, how));
    }

    /// A new sign-in begins: whoever signed in before is nobody here any more.
    pub(crate) fn start_over(&self, challenge: Option<Challenge>) {
        self.bound(|bound| *bound = challenge.map_or(Bound::Nobody, Bound::Challenged));
    }

    /// The challenge that is still unanswered; it is good for one response.
    pub(crate) fn take_challenge(&self) -> Option<Challenge> {
        match self.bound(std::mem::take) {
            Bound::Challenged(challenge) => Some(challenge),
            Bound::Nobody | Bound::SignedIn(..) => None,
        }
    }

    fn bound<T>(&self, change: impl FnOnce(&mut Bound) -> T) -> T {
        change(&mut self.bound.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

enum Speaks {
    Https(TlsAcceptor, bool),
    Http,
    Rpc,
    Endpoints,
    Mail(mail::Port),
}

/// Accepts until told to stop; then its connections end, and are joined.
pub(crate) async fn accept(server: Arc<Server>, listener: Listener, stop: CancellationToken) {
    let (listener, speaks) = match listener {
        Listener::Https(listener, tls) => (listener, Speaks::Https(tls.into(), false)),
        Listener::BackEnd(listener, tls) => (listener, Speaks::Https(tls.into(), true)),
        Listener::Http(listener) => (listener, Speaks::Http),
        Listener::Rpc(listener) => (listener, Speaks::Rpc),
        Listener::EndpointMapper(listener) => (listener, Speaks::Endpoints),
        Listener::Mail(listener, Mail { protocol, tls_at_once: at_once, back_end, tls }) => {
            let tls = tls.into();
            (listener, Speaks::Mail(mail::Port { protocol, at_once, back_end, tls }))
        }
    };
    let speaks = Arc::new(speaks);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => raise(ended),
            accepted = next(&listener) => {
                let Some((stream, peer)) = accepted else {
                    // Out of descriptors, mostly: others must close some first.
                    relief().await;
                    continue;
                };
                let opener = server.world.ledger.opener(peer);
                let (server, speaks, stop) = (server.clone(), speaks.clone(), stop.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = converse(server, &speaks, stream, peer, opener) => {}
                    }
                });
            }
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        raise(ended);
    }
}

fn raise(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// A connection that failed before it was accepted concerns nobody but its opener.
async fn next(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some((stream, peer))
}

async fn converse(
    server: Arc<Server>,
    speaks: &Speaks,
    stream: TcpStream,
    peer: SocketAddr,
    opener: Option<Opener>,
) {
    let id = server.world.ledger.connection();
    let ledger = server.world.ledger.clone();
    let connection = |tls, sni, back_end| {
        let plain = Connection::new(id, peer, opener.clone(), &ledger);
        Connection { tls, sni, back_end, ..plain }
    };
    match speaks {
        Speaks::Http => http(server, stream, connection(false, None, false)).await,
        Speaks::Https(acceptor, back_end) => {
            // A greeting that fails or never ends is the far end's affair.
            let Some(Ok(stream)) = within(LIMIT, acceptor.accept(stream)).await else { return };
            let sni = stream.get_ref().1.server_name().map(str::to_owned);
            http(server, stream, connection(true, sni, *back_end)).await;
        }
        Speaks::Rpc => rpc::serve(server, stream, connection(false, None, false)).await,
        Speaks::Endpoints => rpc::serve_endpoints(&server, stream, &connection(false, None, false)).await,
        Speaks::Mail(port) => {
            mail::serve(server, stream, port, connection(false, None, port.back_end)).await;
        }
    }
}

async fn http<IO>(server: Arc<Server>, io: IO, connection: Connection)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = Tap::new(io, connection.heard.clone(), connection.answers.clone());
    let turn = Turn::default();
    let io = Patient::new(Speaking::new(io, connection.spoken.clone()), turn.clone());
    let connection = Arc::new(connection);
    let service = service_fn(move |request| {
        let (server, connection, turn) = (server.clone(), connection.clone(), turn.clone());
        turn.begins();
        async move {
            let answer = server.answer(&connection, request).await?;
            Ok::<_, Cut>(connection.answers.follow(answer).map(|body| turn.during(body)))
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_TIMEOUT)
        .max_buf_size(MOST_HEAD_BYTES)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(io), service)
        .await;
    // A connection that broke off, or spoke no HTTP, has been recorded as far as it was understood.
    drop(served);
}

#[cfg(test)]
mod tests;

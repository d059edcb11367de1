//! The edge: a reverse proxy before the front end. It routes by the host that the client names, and by nothing else.
//!
//! What it carries it carries whole (X-WIRE-1 to 14): heads keep their lines as they were written, bodies their bytes as
//! they come, in both directions at once. A client's connection has at most one connection behind it, which nobody else
//! ever uses (X-SEC-4) and which ends when the client's does (X-WIRE-11). Nothing is retried (X-WIRE-7), no redirect is
//! followed, nothing is kept between two connections.
//!
//! Absent: HTTP/2 at the front, IMAP and POP, TLS passed on unopened, health checks.

mod converse;
mod head;
mod pass;
mod published;

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::lab::Lab;
use crate::ports::Waiting;

use converse::Edge;
use published::Published;

/// Takes the seat, and serves until told to stop.
///
/// # Errors
/// A `lab.json` that names nothing to publish, a certificate that cannot be read, a listener that is taken.
pub(crate) async fn run(lab: Lab, stop: Waiting<'static, ()>) -> anyhow::Result<()> {
    let https = crate::bind(lab.seat.listen.https)?;
    let http = crate::bind(lab.seat.listen.http)?;
    let tls = Arc::new(crate::server_config(&lab)?);
    let edge = Arc::new(Edge {
        published: Published::of(&lab)?,
        source: lab.source,
        tls: TlsConnector::from(Arc::new(crate::client_config(&lab)?)),
    });
    let ending = CancellationToken::new();
    let taking = async {
        tokio::join!(
            take(https, Some(tls), edge.clone(), ending.clone()),
            take(http, None, edge.clone(), ending.clone()),
        )
    };
    let stopping = async {
        stop.await;
        ending.cancel();
    };
    tokio::join!(taking, stopping);
    Ok(())
}

/// Takes connections until told to stop, then ends those that are open.
async fn take(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    edge: Arc<Edge>,
    stop: CancellationToken,
) {
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
                let Ok((stream, _)) = taken else { continue };
                let (edge, tls) = (edge.clone(), tls.clone());
                open.spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let Some(tls) = tls else { return edge.to_tls(stream).await };
                    // Whatever name is asked for, or none: it has one certificate (X-TLS-1).
                    let greeting = TlsAcceptor::from(tls).accept(stream);
                    if let Ok(Ok(stream)) = clock::within(clock::HANDSHAKE, greeting).await {
                        edge.converse(stream).await;
                    }
                });
            }
        }
    }
    open.shutdown().await;
}

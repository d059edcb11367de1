//! Passing a request on to another server of the lab: one connection a request, announced before it connects.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use directory::Account;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ledger::Opener;
use model::journal::Order;
use model::{HostName, ServerName};
use rustls::pki_types::ServerName as TlsName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::clock::{LIMIT, LONG_LIMIT, within};
use crate::server::Server;

/// Why a request could not be passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPassedOn {
    #[error("no server answers for {0}")]
    NoAddress(HostName),
    #[error("{0} did not answer in time")]
    TooLate(HostName),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] http::Error),
    #[error("no ticket: {0}")]
    Ticket(#[from] directory::TicketRefused),
}

/// Headers of one connection, which a proxy does not carry on (RFC 9110, 7.6.1), and what it writes anew.
const OWN: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "authorization",
    "content-length",
    "cookie",
];

/// Dials a server of the lab because of an arrival.
pub(crate) async fn dial(
    server: &Server,
    host: &HostName,
    port: u16,
    because: Order,
) -> Result<TcpStream, NotPassedOn> {
    let to = (server.world.dials)(host, port).ok_or_else(|| NotPassedOn::NoAddress(host.clone()))?;
    let dialled = server.world.ledger.dial(server.source, to, Opener::Arrival(because));
    Ok(within(LIMIT, dialled).await.ok_or_else(|| NotPassedOn::TooLate(host.clone()))??)
}

/// Sends the request on, signed in as its user by a ticket for the server behind.
pub(crate) async fn pass_on(
    server: &Server,
    request: &Request<Bytes>,
    account: &Arc<Account>,
    to: &ServerName,
    host: &HostName,
    because: Order,
) -> Result<Response<Incoming>, NotPassedOn> {
    let directory = &server.world.directory;
    let service = directory.service();
    let fqdn = directory.topology().fqdn(to);
    let ticket = directory.issue(
        Some((&service.user, &service.password)),
        &account.address,
        &format!("HTTP/{fqdn}"),
    )?;
    let stream = dial(server, host, 443, because).await?;
    let name = TlsName::try_from(host.to_string()).map_err(|_| NotPassedOn::NoAddress(host.clone()))?;
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(server.world.trust.clone())
        .with_no_client_auth();
    let greeting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = within(LIMIT, greeting).await.ok_or_else(|| NotPassedOn::TooLate(host.clone()))??;
    let (mut sender, connection) =
        hyper::client::conn::http1::Builder::new().handshake(TokioIo::new(stream)).await?;
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let mut onward = Request::builder().method(request.method()).uri(path);
    if let Some(headers) = onward.headers_mut() {
        headers.insert(header::HOST, HeaderValue::from_str(host.as_str()).map_err(http::Error::from)?);
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_str(&format!("Negotiate {ticket}")).map_err(http::Error::from)?,
        );
        carry(request.headers(), headers);
    }
    let onward = onward.body(Full::new(request.body().clone()))?;
    // It ends by itself once nobody waits for its answer.
    server.drive(connection);
    let answer = within(LONG_LIMIT, sender.send_request(onward)).await;
    Ok(answer.ok_or_else(|| NotPassedOn::TooLate(host.clone()))??)
}

fn carry(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        if !OWN.contains(&name.as_str()) {
            to.append(name, value.clone());
        }
    }
}

/// Takes from a passed-on answer what belongs to that connection alone.
pub(crate) fn strip(headers: &mut HeaderMap) {
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"] {
        headers.remove(name);
    }
}

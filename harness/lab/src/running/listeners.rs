//! What a server listens on, by its version, roles and services.

use std::sync::Arc;

use exchange::{BACK_END_PORT, ENDPOINT_MAPPER_PORT, Listener, Mail, RPC_PORT};
use model::case::Over;
use model::mail::{back_end_port, client_port};
use model::topology::{Server, ServerRole};
use model::{Protocol, Version};
use rustls::ServerConfig;
use tokio::net::TcpListener;

use super::LabError;

/// Everything that a server listens on; `listen` binds a port.
pub(crate) fn listeners(
    server: &Server,
    tls: &Arc<ServerConfig>,
    listen: impl Fn(u16) -> Result<TcpListener, LabError>,
) -> Result<Vec<Listener>, LabError> {
    let mut listeners = vec![];
    if server.is(ServerRole::ClientAccess) {
        listeners.push(Listener::Https(listen(443)?, tls.clone()));
        listeners.push(Listener::Http(listen(80)?));
    }
    if server.is(ServerRole::Mailbox) && server.version == Version::Exchange2013 {
        listeners.push(Listener::BackEnd(listen(BACK_END_PORT)?, tls.clone()));
    }
    for (port, protocol, tls_at_once) in mail_ports(server) {
        let back_end = port == back_end_port(protocol);
        let mail = Mail { protocol, tls_at_once, back_end, tls: tls.clone() };
        listeners.push(Listener::Mail(listen(port)?, mail));
    }
    listeners.extend(rpc_listeners(server, listen)?);
    Ok(listeners)
}

/// What of a server speaks RPC over TCP. The lab runs it in the seat too: a subject fronts HTTP, IMAP and POP.
pub(crate) fn rpc_listeners(
    server: &Server,
    listen: impl Fn(u16) -> Result<TcpListener, LabError>,
) -> Result<Vec<Listener>, LabError> {
    Ok(match speaks_rpc(server) {
        true => {
            vec![Listener::Rpc(listen(RPC_PORT)?), Listener::EndpointMapper(listen(ENDPOINT_MAPPER_PORT)?)]
        }
        false => vec![],
    })
}

/// The canonical ports on which a server listens.
pub(super) fn ports(server: &Server) -> Vec<u16> {
    let mut ports = vec![];
    if server.is(ServerRole::ClientAccess) {
        ports.extend([443, 80]);
    }
    if server.is(ServerRole::Mailbox) && server.version == Version::Exchange2013 {
        ports.push(BACK_END_PORT);
    }
    if speaks_rpc(server) {
        ports.extend([RPC_PORT, ENDPOINT_MAPPER_PORT]);
    }
    ports.extend(mail_ports(server).into_iter().map(|(port, ..)| port));
    ports
}

/// The ports of the mail services that run, whose each is, and whether TLS begins there at once.
fn mail_ports(server: &Server) -> Vec<(u16, Protocol, bool)> {
    let mut ports = vec![];
    for protocol in [Protocol::Imap, Protocol::Pop] {
        if !server.mail(protocol).is_some_and(|service| service.runs) {
            continue;
        }
        if server.is(ServerRole::ClientAccess) {
            ports.push((client_port(protocol, Over::Plain), protocol, false));
            ports.push((client_port(protocol, Over::Tls), protocol, true));
        }
        if server.is(ServerRole::Mailbox) && server.version == Version::Exchange2013 {
            ports.push((back_end_port(protocol), protocol, true));
        }
    }
    ports
}

/// Mailbox servers of 2007 and 2010 do, and the RPC Client Access service of 2010; no 2013 server does (CX-RPC-3).
fn speaks_rpc(server: &Server) -> bool {
    match server.version {
        Version::Exchange2007 => server.is(ServerRole::Mailbox),
        Version::Exchange2010 => true,
        Version::Exchange2013 => false,
    }
}

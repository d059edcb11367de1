//! The RPC proxy of a Client Access server: Outlook Anywhere's channels, and whither the RPC within them goes.
//!
//! A 2007 or 2010 server unwraps it and passes it on over TCP; a 2013 Mailbox server answers it itself.

use std::sync::Arc;

use bytes::Bytes;
use directory::Account;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use model::case::Askers;
use model::journal::Order;
use model::{Build, HostName, Protocol};
use protocols::answer::Body;
use protocols::msrpc::{Inbox, Store};
use protocols::{iis, rpch};
use tokio::io::DuplexStream;
use tokio::net::TcpStream;

use crate::body::Out;
use crate::dictated::Cut;
use crate::listen::Connection;
use crate::route::{self, Route};
use crate::server::Server;
use crate::{RPC_PORT, pass_on, sign_in};

/// Octets between the proxy and the server that answers, where both are one.
const BETWEEN: usize = 64 * 1024;

/// Whether a request opens a channel.
pub(crate) fn opens(parts: &Parts) -> bool {
    matches!(parts.method.as_str(), "RPC_IN_DATA" | "RPC_OUT_DATA")
        && Protocol::of_path(parts.uri.path()) == Some(Protocol::OutlookAnywhere)
}

/// Where the RPC of a virtual connection goes.
enum Behind {
    /// To the server of this name.
    At(HostName),
    /// To this server itself, for this mailbox.
    Here(Arc<Account>),
}

/// Answers the opening of a channel; an IN channel is answered where it fails, and else ends when it ends.
pub(crate) async fn answer(
    server: &Arc<Server>,
    connection: &Connection,
    parts: Parts,
    body: Incoming,
    head: &[u8],
) -> Result<Response<Out>, Cut> {
    let host = sign_in::host(&parts);
    let inward = parts.method == "RPC_IN_DATA";
    let length = parts.headers.get(http::header::CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let request = Request::from_parts(parts, Bytes::new());
    let protocol = Some(Protocol::OutlookAnywhere);
    let methods = server.methods(connection, protocol);
    let asker = sign_in::read(server, connection, &request, protocol, &methods);
    let order = server.record(connection, &request, head, host.clone(), protocol, &asker);
    let dressed = |answer| Ok(server.dressed(connection, answer));
    if let Some(challenge) = asker.challenge {
        return dressed(challenge);
    }
    let Some(account) = asker.account else {
        return dressed(iis::challenge(&methods, host.as_deref().unwrap_or(server.fqdn.as_str())));
    };
    if let Some(fault) = server.world.faults.next(Askers::Clients, &server.name, Protocol::OutlookAnywhere) {
        return dressed(fault.answer());
    }
    match length {
        Some(length) if length <= rpch::LONGEST_ECHO => return dressed(rpch::echo()),
        Some(_) => {}
        // A channel has a length; one that is chunked on the way is none (wire facts 4.1).
        None => return dressed(iis::status(StatusCode::LENGTH_REQUIRED)),
    }
    let Some(behind) = behind(server, &account) else {
        return dressed(rpch::error(rpch::SERVER_UNAVAILABLE));
    };
    if !inward {
        return match server.channels.serve_out(body).await {
            Ok(body) => {
                let head = server.dressed(connection, rpch::success().map(|()| Body::empty()));
                Ok(head.map(|_| Out::Channel(body)))
            }
            Err(code) => dressed(rpch::error(code)),
        };
    }
    let served = match behind {
        Behind::At(host) => server.channels.serve_in(body, dial(server, &host, order)).await,
        Behind::Here(account) => serve_here(server, account, body).await,
    };
    match served {
        Ok(()) => Err(Cut),
        Err(code) => dressed(rpch::error(code)),
    }
}

fn behind(server: &Server, account: &Arc<Account>) -> Option<Behind> {
    let world = &server.world;
    let (facts, topology) = (world.directory.facts(account.name.as_str())?, world.directory.topology());
    let routes = &world.routes;
    match route::route(routes, &topology, &server.name, Protocol::OutlookAnywhere, &facts, None) {
        Route::Unwrap(to) => Some(Behind::At(topology.fqdn(&to))),
        Route::Serve => Some(Behind::Here(account.clone())),
        _ => None,
    }
}

async fn dial(server: &Server, host: &HostName, because: Order) -> Option<TcpStream> {
    pass_on::dial(server, host, RPC_PORT, because).await.ok()
}

/// A 2013 Mailbox server answers MS-RPC that came by HTTP, and none that comes by TCP (CX-RPC-3).
async fn serve_here(server: &Server, account: Arc<Account>, body: Incoming) -> Result<(), u32> {
    let (near, far) = tokio::io::duplex(BETWEEN);
    let own = Own { inbox: server.world.stores.inbox(&account), account, build: server.build };
    let both = async { Some::<DuplexStream>(near) };
    let serving = async {
        // A client that breaks the protocol off ends its virtual connection.
        let _ended = protocols::msrpc::serve(far, &own).await;
    };
    let (served, ()) = tokio::join!(server.channels.serve_in(body, both), serving);
    served
}

/// The mailbox of whoever signed in, and no other.
struct Own {
    account: Arc<Account>,
    inbox: Arc<Inbox>,
    build: Build,
}

impl Store for Own {
    async fn open(&self, user_dn: &str) -> Option<Arc<Inbox>> {
        user_dn.eq_ignore_ascii_case(&self.account.legacy_dn).then(|| self.inbox.clone())
    }

    fn build(&self) -> Build {
        self.build
    }
}

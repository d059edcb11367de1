//! MS-RPC over TCP: a Mailbox server opens mailboxes, a Client Access server's RPC Client Access service passes on to it,
//! and either says by its endpoint mapper where. A connect is recorded before it is answered or passed on.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use directory::Account;
use ledger::{Conveyed, Draft};
use model::journal::Order;
use model::topology::ServerRole;
use model::{Build, Protocol, Version};
use protocols::msrpc::{self, Endpoint, Inbox, Store};
use tokio::net::TcpStream;

use crate::listen::Connection;
use crate::server::Server;
use crate::{RPC_PORT, pass_on};

/// The most that is recorded of a DN.
const MOST_DN: usize = 256;

/// Serves one connection to its end. A client that breaks the protocol off, or its connection, has been recorded when it
/// connected.
pub(crate) async fn serve(server: Arc<Server>, stream: TcpStream, connection: Connection) {
    let topology = server.world.directory.topology();
    let here = topology.server(&server.name);
    let _ended = match here.is_some_and(|server| server.is(ServerRole::Mailbox)) {
        true => msrpc::serve(stream, &Reached { server, connection }).await,
        false => {
            let (server, connection) = (&server, &connection);
            msrpc::pass_on(stream, |dn| reach(server, connection, dn)).await
        }
    };
}

/// Serves one connection to the endpoint mapper to its end.
pub(crate) async fn serve_endpoints(server: &Server, stream: TcpStream, connection: &Connection) {
    let address = match server.source {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
    };
    let endpoint = Endpoint { address, port: RPC_PORT };
    let asked = |interface: &str| {
        record(server, connection, ("ept_map", interface), vec![], None);
    };
    let _ended = msrpc::serve_endpoints(stream, endpoint, asked).await;
}

/// The Mailbox server behind an RPC Client Access service, for mailboxes of its version and site.
async fn reach(server: &Server, connection: &Connection, user_dn: String) -> Option<TcpStream> {
    let world = &server.world;
    let (order, account) = connects(server, connection, &user_dn);
    let facts = world.directory.facts(account?.name.as_str())?;
    let topology = world.directory.topology();
    let own = topology.server(&server.name)?;
    let reads = facts.version == Version::Exchange2010 && facts.site == own.site;
    let behind = reads.then(|| topology.fqdn(&facts.server))?;
    pass_on::dial(server, &behind, RPC_PORT, order).await.ok()
}

/// The mailboxes of one server, as one connection reaches them.
struct Reached {
    server: Arc<Server>,
    connection: Connection,
}

impl Store for Reached {
    async fn open(&self, user_dn: &str) -> Option<Arc<Inbox>> {
        let world = &self.server.world;
        let account = connects(&self.server, &self.connection, user_dn).1?;
        let topology = world.directory.topology();
        let here = topology.databases.get(&account.database)?.active == self.server.name;
        here.then(|| world.stores.inbox(&account))
    }

    fn build(&self) -> Build {
        self.server.build
    }
}

fn connects(server: &Server, connection: &Connection, user_dn: &str) -> (Order, Option<Arc<Account>>) {
    let account = server.world.directory.find(user_dn);
    let asked = vec![user_dn.to_owned()];
    (record(server, connection, ("connect", user_dn), asked, account.as_deref()), account)
}

fn record(
    server: &Server,
    connection: &Connection,
    (verb, target): (&str, &str),
    asked: Vec<String>,
    account: Option<&Account>,
) -> Order {
    server.world.ledger.record(Draft {
        server: server.name.clone(),
        protocol: Protocol::Rpc,
        verb: verb.to_owned(),
        target: target.chars().take(MOST_DN).collect(),
        host: None,
        sni: None,
        tls: false,
        starttls: false,
        peer: connection.peer,
        conveyed: if asked.is_empty() { Conveyed::Nothing } else { Conveyed::Rpc },
        asked,
        believed_to_be: account.map(|account| account.name.clone()),
        head: vec![],
        body: None,
        connection: connection.id,
        request: connection.next_request(),
        opener: connection.opener.clone(),
    })
}

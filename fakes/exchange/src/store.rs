//! What Mailbox servers hold: one inbox a mailbox, made when it is first opened, with a little content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use directory::Account;
use ledger::{Conveyed, Draft};
use model::{Build, MailboxName, Protocol};
use protocols::mailbox::{Message, Owner};
use protocols::msrpc::{Inbox, Store};
use tokio::net::TcpStream;

use crate::listen::Connection;
use crate::server::Server;

/// The inboxes of a lab, by mailbox: none belongs to a server, since an active copy moves, and a mailbox too.
#[derive(Default)]
pub struct Stores(Mutex<HashMap<MailboxName, Arc<Inbox>>>);

impl Stores {
    /// A mailbox's inbox.
    pub fn inbox(&self, account: &Account) -> Arc<Inbox> {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores
            .entry(account.name.clone())
            .or_insert_with(|| {
                let owner = Owner { address: account.address.clone(), guid: account.guid.clone() };
                Arc::new(Inbox::new(owner, vec![welcome(account)]))
            })
            .clone()
    }
}

fn welcome(account: &Account) -> Message {
    Message {
        subject: format!("Welcome, {}", account.address),
        from: "postmaster@contoso.com".to_owned(),
        text: format!("This is the mailbox of {}.", account.display_name),
    }
}

/// The mailboxes of one server, as one connection reaches them.
struct Reached {
    server: Arc<Server>,
    connection: Connection,
}

impl Store for Reached {
    async fn open(&self, user_dn: &str) -> Option<Arc<Inbox>> {
        let world = &self.server.world;
        let account = world.directory.find(user_dn);
        world.ledger.record(Draft {
            server: self.server.name.clone(),
            protocol: Protocol::Rpc,
            verb: "connect".to_owned(),
            target: user_dn.chars().take(256).collect(),
            host: None,
            sni: None,
            tls: false,
            peer: self.connection.peer,
            asked: vec![user_dn.to_owned()],
            believed_to_be: account.as_ref().map(|account| account.name.clone()),
            conveyed: Conveyed::Rpc,
            head: vec![],
            body: None,
            connection: self.connection.id,
            request: self.connection.next_request(),
            opener: self.connection.opener.clone(),
        });
        let account = account?;
        let topology = world.directory.topology();
        let here = topology.databases.get(&account.database)?.active == self.server.name;
        here.then(|| world.stores.inbox(&account))
    }

    fn build(&self) -> Build {
        self.server.build
    }
}

/// Serves one MS-RPC connection to its end.
pub(crate) async fn serve(server: Arc<Server>, stream: TcpStream, connection: Connection) {
    // A client that breaks the protocol off, or its connection, has been recorded when it connected.
    let ended = protocols::msrpc::serve(stream, &Reached { server, connection }).await;
    drop(ended);
}

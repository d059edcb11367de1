//! The LDAP door, shaped like Active Directory: rootDSE, simple bind, searches with pages, TLS, the global catalog.
//!
//! It states the same facts as the other doors, under the names that Active Directory and Exchange give them; README lists
//! every attribute. Names that begin with `coexist` are this lab's own, for facts whose attribute is not published.

mod answer;
mod ber;
mod connection;
mod dn;
mod entry;
mod filter;
mod message;
mod oid;
mod schema;
mod search;
mod sign_in;
mod tree;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use model::HostName;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::Directory;
use crate::clock::{LIMIT, relief, within};
use connection::{End, Line, Shared, converse};
use tree::Tree;

/// Connections that a port holds at a time.
const MOST_CONNECTIONS: usize = 256;

/// What stands behind the ports: a domain controller.
pub struct Door {
    directory: Directory,
    host: HostName,
    tls: TlsAcceptor,
    /// The tree as it was last asked for: what it was made of, and itself.
    tree: Mutex<Option<(Moment, Arc<Tree>)>>,
}

/// What a tree is made of: how often a fact was changed, and how many accounts there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    changes: u64,
    accounts: usize,
}

/// What one of the door's ports is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// 389: StartTLS is offered.
    Ldap,
    /// 636: over TLS.
    Ldaps,
    /// 3268: the global catalog.
    Catalog,
    /// 3269: the global catalog over TLS.
    CatalogTls,
}

impl Port {
    /// Every one of them.
    pub const ALL: [Port; 4] = [Port::Ldap, Port::Ldaps, Port::Catalog, Port::CatalogTls];

    /// Its canonical number.
    pub fn number(self) -> u16 {
        match self {
            Port::Ldap => 389,
            Port::Ldaps => 636,
            Port::Catalog => 3268,
            Port::CatalogTls => 3269,
        }
    }
}

impl Door {
    /// A door to a directory; `host` is what the domain controller is called, and what its certificate names.
    pub fn new(directory: Directory, host: HostName, tls: Arc<ServerConfig>) -> Door {
        Door { directory, host, tls: tls.into(), tree: Mutex::new(None) }
    }

    fn tree(&self) -> Arc<Tree> {
        let moment = Moment { changes: self.directory.changes(), accounts: self.directory.accounts().len() };
        let mut kept = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, tree)) if *of == moment => tree.clone(),
            _ => {
                let tree = Arc::new(Tree::of(&self.directory, &self.host));
                *kept = Some((moment, tree.clone()));
                tree
            }
        }
    }
}

/// Serves one of the door's ports until `stop` is over; then its connections end, and are joined.
pub async fn serve(door: Arc<Door>, listener: TcpListener, port: Port, stop: impl Future<Output = ()>) {
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(ended) = connections.join_next() => raise(ended),
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of descriptors, mostly: others must close some first.
                    relief().await;
                    continue;
                };
                let full = connections.len() >= MOST_CONNECTIONS;
                connections.spawn(one(door.clone(), stream, port, full));
            }
        }
    }
    connections.abort_all();
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

async fn one(door: Shared, mut stream: TcpStream, port: Port, full: bool) {
    if full {
        connection::turn_away(&mut stream).await;
        return;
    }
    // A socket that fails is a peer that left: nothing is to be told to anyone.
    let _ = talk(&door, stream, port).await;
}

async fn talk(door: &Door, mut stream: TcpStream, port: Port) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let catalog = matches!(port, Port::Catalog | Port::CatalogTls);
    if matches!(port, Port::Ldap | Port::Catalog)
        && converse(door, Line { catalog, tls: false }, &mut stream).await? == End::Closed
    {
        return Ok(());
    }
    let greeted = within(LIMIT, door.tls.accept(stream)).await;
    let mut stream = greeted.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
    converse(door, Line { catalog, tls: true }, &mut stream).await?;
    Ok(())
}

#[cfg(test)]
mod tests;

//! Which mail targets, in which order: rules CX-IMAP-1 to 5, and CX-POP-1 to 5, which are the same. Pure: nobody is asked
//! whether a service runs (CX-IMAP-6).

use std::sync::Arc;

use model::case::Over;
use model::mail::{back_end_port, client_port};
use model::topology::{Server, ServerRole};
use model::{HostName, Protocol, ServerName, Topology, Version};

use crate::decide::Account;
use crate::ports::{Client, Order};

/// Everything that the order follows from.
#[derive(Debug, Clone)]
pub struct MailQuestion {
    /// Who asks.
    pub client: Client,
    /// IMAP or POP.
    pub protocol: Protocol,
    /// Whether the client's side is encrypted, from the start or by a command.
    pub encrypted: bool,
    /// Servers, sites, settings.
    pub topology: Arc<Topology>,
    /// Who signed in, and where the mailbox is.
    pub account: Account,
    /// How many sessions came before: of several that are equally good, the next one's turn.
    pub turn: usize,
}

/// Where a session may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailTarget {
    /// Whose service it is.
    pub server: ServerName,
    /// The name that is dialled, and put into SNI.
    pub host: HostName,
    /// The port.
    pub port: u16,
    /// TLS from the start, by a command, or none.
    pub over: Over,
}

/// What becomes of a client that has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onward {
    /// Its session goes on at the first of these; where that one cannot be had, it is told so (CX-IMAP-6).
    Carry(Vec<MailTarget>),
    /// It is told this, and that is the end.
    Told(String),
}

/// The production implementation.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByPreference;

impl Order for ByPreference {
    fn order(&self, question: &MailQuestion) -> Vec<MailTarget> {
        let mut targets = candidates(question);
        targets.sort_by_key(|target| rank(question.encrypted, target.over));
        let best = targets.first().map(|target| target.over);
        let alike = targets.iter().take_while(|target| Some(target.over) == best).count();
        if alike > 0 {
            targets[..alike].rotate_left(question.turn % alike);
        }
        targets
    }
}

/// How late a kind of target comes: TLS of some kind first for whoever came by TLS (CX-IMAP-4), else clear text first
/// (CX-IMAP-5).
pub fn rank(encrypted: bool, over: Over) -> u8 {
    match (encrypted, over) {
        (true, Over::Tls) | (false, Over::Plain) => 0,
        (true, Over::Starttls) | (false, Over::Tls) => 1,
        (true, Over::Plain) | (false, Over::Starttls) => 2,
    }
}

fn candidates(question: &MailQuestion) -> Vec<MailTarget> {
    let MailQuestion { protocol, topology, account, .. } = question;
    let at = |server: &ServerName, host: HostName, port, over| MailTarget {
        server: server.clone(),
        host,
        port,
        over,
    };
    let servers = topology.servers.iter().filter(|(_, server)| {
        server.version == account.version
            && server.site == account.site
            && server.is(ServerRole::ClientAccess)
    });
    match account.version {
        Version::Exchange2013 => {
            let own = topology.fqdn(&account.server);
            vec![at(&account.server, own, back_end_port(*protocol), Over::Tls)]
        }
        Version::Exchange2010 => {
            let settings = |(name, server): (&ServerName, &Server)| {
                let settings = server.mail(*protocol).map(|mail| mail.internal_connection_settings.clone());
                let targets = settings.unwrap_or_default().into_iter();
                targets.map(|set| at(name, set.host, set.port, set.over)).collect::<Vec<_>>()
            };
            servers.flat_map(settings).collect()
        }
        // Its settings are not read: its own name, and the usual ports (CX-IMAP-3).
        Version::Exchange2007 => {
            let usual = [Over::Tls, Over::Starttls, Over::Plain];
            let own = |(name, _): (&ServerName, &Server)| {
                let host = topology.fqdn(name);
                usual.map(|over| at(name, host.clone(), client_port(*protocol, over), over))
            };
            servers.flat_map(own).collect()
        }
    }
}

#[cfg(test)]
mod tests;

//! Which of several servers behind takes a request, where each of them would be right.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use model::Protocol;

use crate::decide::{Account, Target};
use crate::ports::{Asked, Choose};

/// A front end's way: in turn, or where it matters always the same one for the same user.
#[derive(Debug, Default)]
pub struct InTurn(AtomicUsize);

impl Choose for InTurn {
    fn choose(&self, asked: &Asked, account: Option<&Account>, of: &[Target]) -> Option<Target> {
        let turn = match (asked.protocol, account) {
            // A server keeps what it keeps of these for a user to itself: pages' state, subscriptions (wire facts 6), and
            // of Outlook Anywhere which two channels are one virtual connection.
            (
                Some(Protocol::Owa | Protocol::Ecp | Protocol::Ews | Protocol::OutlookAnywhere),
                Some(account),
            ) => {
                let mut hasher = DefaultHasher::new();
                account.sid.hash(&mut hasher);
                usize::try_from(hasher.finish() % (1 << 16)).unwrap_or_default()
            }
            _ => self.0.fetch_add(1, Ordering::Relaxed),
        };
        one(turn, of)
    }
}

/// An edge's way: a client's connection has one server behind for its life, since a sign-in that is bound to it has legs
/// that must meet (X-WIRE-1), and an edge that opens nothing knows no user to tell it by.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByConnection;

impl Choose for ByConnection {
    fn choose(&self, asked: &Asked, _: Option<&Account>, of: &[Target]) -> Option<Target> {
        one(usize::try_from(asked.client.connection % (1 << 16)).unwrap_or_default(), of)
    }
}

fn one(turn: usize, of: &[Target]) -> Option<Target> {
    of.get(turn.checked_rem(of.len())?).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Client;

    fn asked(connection: u64) -> Asked {
        Asked {
            client: Client { connection, socket: "127.0.0.1:1".parse().unwrap() },
            tls: true,
            host: None,
            verb: http::Method::POST,
            target: "/Microsoft-Server-ActiveSync".to_owned(),
            protocol: Some(Protocol::Eas),
        }
    }

    fn two() -> Vec<Target> {
        ["a.contoso.com", "b.contoso.com"]
            .map(|host| Target { host: host.parse().unwrap(), port: 443 })
            .to_vec()
    }

    #[test]
    fn an_edge_stays_with_a_connections_server_and_a_front_end_takes_turns() {
        let (edge, front_end) = (ByConnection, InTurn::default());
        let at_edge = |connection| edge.choose(&asked(connection), None, &two());
        assert_eq!(at_edge(3), at_edge(3));
        assert_ne!(at_edge(3), at_edge(4));
        let at_front_end = || front_end.choose(&asked(3), None, &two());
        assert_ne!(at_front_end(), at_front_end());
        assert_eq!(front_end.choose(&asked(3), None, &[]), None);
    }
}

//! The ledger over a line: what a server in a process of its own asks and tells, and who answers it.

use std::net::SocketAddr;

use model::digest::Digest;
use model::journal::Order;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Answered, Draft, Ledger, Opener};

/// What is asked of a ledger, or told it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Asked {
    /// A number for a connection.
    Connection,
    /// Whose a socket is.
    Announce(SocketAddr, Opener),
    /// Who opened a socket.
    Opener(SocketAddr),
    /// An arrival.
    Record(Box<Draft>),
    /// What was read of a body.
    Heard(Order, Digest),
    /// What was answered.
    Answered(Order, Answered),
    /// How far something has come.
    Step(String, u64),
    /// How far it has.
    Stepped(String),
    /// Whether it has come so far: answered once it has.
    Until(String, u64),
}

/// A question on the line that is for the ledger: others may be asked on the same one.
#[derive(Serialize)]
pub(crate) struct Question {
    ledger: Asked,
}

impl Question {
    pub(crate) fn of(ledger: Asked) -> Question {
        Question { ledger }
    }
}

impl Ledger {
    /// Answers what was asked over a line. What never comes to pass is never answered: whoever asks sets the limit.
    pub async fn answer(&self, asked: Asked) -> Value {
        match asked {
            Asked::Connection => self.connection().into(),
            Asked::Announce(local, opener) => {
                self.announce(local, opener);
                Value::Null
            }
            Asked::Opener(peer) => serde_json::to_value(self.opener(peer)).unwrap_or_default(),
            Asked::Record(draft) => self.record(*draft).0.into(),
            Asked::Heard(order, body) => {
                self.heard(order, body);
                Value::Null
            }
            Asked::Answered(order, answer) => {
                self.answered(order, answer);
                Value::Null
            }
            Asked::Step(what, to) => {
                self.step(&what, to);
                Value::Null
            }
            Asked::Stepped(what) => self.stepped(&what).into(),
            Asked::Until(what, to) => {
                self.until(&what, to).await;
                Value::Null
            }
        }
    }
}

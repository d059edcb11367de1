//! The directory in another process: a server that stands alone has the facts as a copy, renewed when one changes, and asks
//! for what changes with every request, the tickets.

use ledger::line::Line;
use model::{HostName, MailboxName, Topology};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Account, Directory, TicketRefused};

/// Every fact as it is at a moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    topology: Topology,
    accounts: Vec<Known>,
}

/// An account and the password that it never shows at a door.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    account: Account,
    password: String,
}

/// What is asked of a directory over a line.
#[derive(Debug, Serialize, Deserialize)]
pub enum Asked {
    /// A ticket for a user to a service.
    Issue {
        /// Who asks, with which password.
        asker: Option<(String, String)>,
        /// For whom.
        user: String,
        /// To what.
        service: String,
    },
    /// Whom a ticket speaks for at a server.
    Redeem {
        /// The ticket.
        ticket: String,
        /// The server's own name.
        own: HostName,
    },
    /// Whom a ticket names.
    NamedBy {
        /// The ticket.
        ticket: String,
    },
}

/// A question on the line that is for the directory: others may be asked on the same one.
#[derive(Serialize)]
pub(crate) struct Question {
    directory: Asked,
}

impl Question {
    pub(crate) fn of(directory: Asked) -> Question {
        Question { directory }
    }
}

impl Directory {
    /// The facts as they are now, for a server that stands alone.
    pub fn copy(&self) -> Facts {
        let known =
            |account: &Account| Known { password: account.password.clone(), account: account.clone() };
        self.read(|state| Facts {
            topology: (*state.topology).clone(),
            accounts: state.accounts.iter().map(|account| known(account)).collect(),
        })
    }

    /// A directory of these facts, whose tickets another one issues.
    pub fn over(facts: Facts, line: Line) -> Directory {
        let directory = Directory::new(Topology::clone(&facts.topology));
        directory.write(|state| state.far = Some(line));
        directory.renew(facts);
        directory
    }

    /// Takes the facts as they are now in place of those that it has.
    pub fn renew(&self, facts: Facts) {
        self.write(|state| {
            state.topology = facts.topology.into();
            state.accounts.clear();
            state.forms.clear();
            for Known { account, password } in facts.accounts {
                state.add(Account { password, ..account });
            }
            state.changes += 1;
        });
    }

    /// Answers what was asked over a line.
    pub fn answer(&self, asked: Asked) -> Value {
        let name = |account: std::sync::Arc<Account>| account.name.clone();
        let answer = match asked {
            Asked::Issue { asker, user, service } => {
                let asker = asker.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
                serde_json::to_value(self.issue(asker, &user, &service))
            }
            Asked::Redeem { ticket, own } => {
                let whose: Result<MailboxName, TicketRefused> = self.redeem(&ticket, &own).map(name);
                serde_json::to_value(whose)
            }
            Asked::NamedBy { ticket } => serde_json::to_value(self.named_by(&ticket).map(name)),
        };
        answer.unwrap_or_default()
    }
}

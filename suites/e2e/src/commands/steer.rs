//! `coexist steer`: changes a lab that `coexist up` left running, or says how it is now.

use clap::{Args, Subcommand};
use model::{DatabaseName, HostName, MailboxName, ServerName, View};

use super::say;
use crate::exit::Exit;
use crate::up::ask::ask;
use crate::up::change::Change;
use crate::up::{register, state};

/// What `steer` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Steer {
    /// The running lab, by its name, topology or process; the only one where it is not given.
    #[arg(long, value_name = "L", global = true)]
    lab: Option<String>,
    #[command(subcommand)]
    what: What,
}

const AFTER: &str = "Examples:\n  coexist steer state\n  coexist steer fault cas2010-s1/owa 503 ...       every answer from now on\n  \
coexist steer fault cas2010-s1/ews 503           one answer\n  coexist steer fault --pings cas2007-s1/eas 503 ...   \
(needs `up --pings`)\n  coexist steer mend cas2010-s1/owa\n  coexist steer failover db2013-s1\n  \
coexist steer move red db2013-s1\n  coexist steer out-of-service cas2010-s3\n  \
coexist steer dns mail.contoso.com cas2010-s1 --view external\n  coexist steer dns mail.contoso.com           \
(it does not resolve any more)\n\nThe same over HTTP, with what `up` prints behind # in the page's address as TOKEN:\n  \
curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' \\\n       \
-d '{\"mailbox\":\"red\",\"to\":\"db2013-s1\"}' http://127.0.0.1:PORT/v1/move\n  \
GET /v1/state; GET /v1/events (server-sent events); POST /v1/fault, mend, failover, move, out-of-service, in-service, dns";

#[derive(Debug, Subcommand)]
enum What {
    /// Prints where names lead and mailboxes are, and what is wrong now.
    State,
    /// Has a server answer wrongly to users who have signed in, one word an answer; `...` holds the last one from then on.
    Fault {
        /// In what asks for the server's health instead.
        #[arg(long)]
        pings: bool,
        /// The server and protocol: cas2010-s1/owa.
        at: String,
        /// A status, 503, or 451-without-location.
        #[arg(required = true, value_name = "ANSWER")]
        answers: Vec<String>,
    },
    /// Takes the fault of a place away.
    Mend {
        /// In what asks for the server's health instead.
        #[arg(long)]
        pings: bool,
        /// The server and protocol: cas2010-s1/owa.
        at: String,
    },
    /// Moves a database's active copy.
    Failover {
        /// The database: db2013-s1.
        database: DatabaseName,
        /// The server whose copy becomes active; the next one where it is not given.
        to: Option<ServerName>,
    },
    /// Moves a mailbox to another database.
    Move {
        /// The mailbox: red.
        mailbox: MailboxName,
        /// The database: db2013-s1.
        to: DatabaseName,
    },
    /// Takes a server of Exchange 2010 out of service (IsOutOfService).
    OutOfService {
        /// The server: cas2010-s3.
        server: ServerName,
    },
    /// Puts it back in service.
    InService {
        /// The server: cas2010-s3.
        server: ServerName,
    },
    /// Makes a name lead to other servers; to none where none is named.
    Dns {
        /// The name: mail.contoso.com.
        name: HostName,
        /// The servers: cas2010-s1.
        #[arg(value_name = "SERVER")]
        servers: Vec<ServerName>,
        /// In this view alone: internal or external.
        #[arg(long)]
        view: Option<View>,
    },
}

pub(super) fn steer(options: Steer) -> Exit {
    inner(options).unwrap_or_else(|exit| exit)
}

fn inner(options: Steer) -> Result<Exit, Exit> {
    let bad = |says: String| {
        say::error(says);
        Exit::BadInput
    };
    let lab = register::chosen(options.lab.as_deref()).map_err(bad)?;
    let lab = lab.ok_or_else(|| bad("no lab runs; `coexist up` leaves one running".to_owned()))?;
    let place = |pings: bool, at: String| if pings { format!("pings {at}") } else { at };
    let change = match options.what {
        What::State => None,
        What::Fault { pings, at, answers } => Some(Change::Fault { at: place(pings, at), answers }),
        What::Mend { pings, at } => Some(Change::Mend { at: place(pings, at) }),
        What::Failover { database, to } => Some(Change::Failover { database, to }),
        What::Move { mailbox, to } => Some(Change::Move { mailbox, to }),
        What::OutOfService { server } => Some(Change::OutOfService { server }),
        What::InService { server } => Some(Change::InService { server }),
        What::Dns { name, servers, view } => Some(Change::Dns { name, servers, view }),
    };
    let (verb, path, body) = match change.map(|change| change.written()) {
        None => ("GET", "/v1/state".to_owned(), vec![]),
        Some((word, rest)) => ("POST", format!("/v1/{word}"), rest),
    };
    let asked = say::runtime()?.block_on(ask(&lab, verb, &path, body));
    let (status, said) = asked.map_err(|says| {
        say::error(says);
        Exit::Broken
    })?;
    match (status.is_success(), said["says"].as_str(), said["error"].as_str()) {
        (true, Some(says), _) => println!("{says}"),
        (true, None, _) => print!("{}", state::text(&said)),
        (false, _, error) => {
            return Err(bad(error.unwrap_or("the lab refused, and said nothing").to_owned()));
        }
    }
    Ok(Exit::AsExpected)
}

//! The request log of a front end that stands behind the seat: our reference, a process like any subject, tells what came
//! to it before it passes it on or answers, and the ledger has it as if a server of the lab had recorded it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use directory::Directory;
use ledger::{Conveyed, Draft, Ledger, Opener};
use model::journal::Order;
use model::{Protocol, ServerName};
use serde::{Deserialize, Serialize};

/// The most that one line may hold.
const MOST_LINE_BYTES: usize = 64 * 1024;

/// Who reads one front end's log.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) server: ServerName,
    pub(crate) ledger: Ledger,
    pub(crate) directory: Directory,
    /// Its connections by the number that it gives them: the ledger's number, and requests so far.
    connections: Arc<Mutex<HashMap<u64, (u64, u32)>>>,
}

/// One request, as the front end tells it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Line {
    connection: u64,
    peer: SocketAddr,
    tls: bool,
    sni: Option<String>,
    protocol: Option<Protocol>,
    verb: String,
    target: String,
    host: Option<String>,
    head: String,
    named: Option<String>,
    signed_in: Option<String>,
    by: Option<By>,
}

/// How a client signed in at the front end.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Basic,
    Form,
    Cookie,
    /// Its connection was signed in, now or before.
    Bound,
}

/// A socket that is about to carry a request on.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Socket {
    local: SocketAddr,
    because_of: u64,
}

#[derive(Serialize)]
struct Read {
    number: u64,
}

impl Reader {
    pub(crate) fn new(server: ServerName, ledger: Ledger, directory: Directory) -> Reader {
        Reader { server, ledger, directory, connections: Arc::default() }
    }

    /// The door that the front end writes to.
    pub(crate) fn door(self) -> Router {
        Router::new()
            .route("/v1/requests", post(request))
            .route("/v1/sockets", post(socket))
            .layer(DefaultBodyLimit::max(MOST_LINE_BYTES))
            .with_state(self)
    }

    fn record(&self, line: Line) -> Order {
        let (connection, request) = {
            let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
            let known = connections.entry(line.connection).or_insert_with(|| (self.ledger.connection(), 0));
            known.1 += 1;
            *known
        };
        let signed_in = line.signed_in.as_deref().and_then(|user| self.directory.find(user));
        self.ledger.record(Draft {
            body: None,
            server: self.server.clone(),
            protocol: line.protocol.unwrap_or(Protocol::Owa),
            verb: line.verb,
            target: line.target,
            host: line.host,
            sni: line.sni,
            tls: line.tls,
            starttls: false,
            peer: line.peer,
            asked: line.named.into_iter().chain(mark(&line.head)).collect(),
            believed_to_be: signed_in.map(|account| account.name.clone()),
            conveyed: match line.by {
                None => Conveyed::Nothing,
                Some(By::Basic) => Conveyed::Basic,
                Some(By::Form) => Conveyed::Form,
                Some(By::Cookie) => Conveyed::Cookie,
                Some(By::Bound) => Conveyed::Ntlm,
            },
            head: line.head.into_bytes(),
            connection,
            request,
            opener: self.ledger.opener(line.peer),
        })
    }
}

/// The mark of whoever brings nothing else: Outlook numbers its requests (`client-request-id: {…}`).
fn mark(head: &str) -> Option<String> {
    let values = head.lines().filter_map(|line| line.split_once(':'));
    let mut marks = values.filter(|(name, _)| name.eq_ignore_ascii_case("client-request-id"));
    marks.next().map(|(_, mark)| mark.trim().trim_matches(['{', '}']).to_owned())
}

async fn request(State(reader): State<Reader>, Json(line): Json<Line>) -> Json<Read> {
    Json(Read { number: reader.record(line).0 })
}

async fn socket(State(reader): State<Reader>, Json(socket): Json<Socket>) -> StatusCode {
    reader.ledger.announce(socket.local, Opener::Arrival(Order(socket.because_of)));
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use ledger::{Claim, Lease};
    use model::topology::TopologyFiles;

    use super::*;

    const TOPOLOGY: &str = include_str!("../../../suites/topologies/coexistence.toml");

    #[test]
    fn a_line_is_an_arrival_of_the_case_whose_lease_it_names_and_what_it_led_to_is_its_child() {
        let source = model::problem::Source::new("coexistence.toml", TOPOLOGY);
        let directory = Directory::new(TopologyFiles::base(source).build(&Default::default()).unwrap());
        let case = "coexistence+edge/owa/red".parse().unwrap();
        let account = directory.lease(&case, &"red".parse().unwrap(), None).unwrap();
        let ledger = Ledger::default();
        ledger.lease(Lease { case: case.clone(), mailbox: account.name.clone(), forms: account.forms() });
        let reader = Reader::new("cas2013-s1".parse().unwrap(), ledger.clone(), directory);
        let line = |named: Option<&str>| Line {
            connection: 7,
            peer: "127.0.0.1:5000".parse().unwrap(),
            tls: true,
            sni: None,
            protocol: Some(Protocol::Owa),
            verb: "GET".to_owned(),
            target: "/owa/".to_owned(),
            host: Some("mail.contoso.com".to_owned()),
            head: String::new(),
            named: named.map(str::to_owned),
            signed_in: named.map(str::to_owned),
            by: named.map(|_| By::Cookie),
        };
        reader.record(line(None));
        let order = reader.record(line(Some(&account.upn)));
        ledger.announce("127.0.0.1:6000".parse().unwrap(), Opener::Arrival(order));
        let of_case = ledger.of_case(&case);
        let known: Vec<_> =
            of_case.iter().map(|a| (a.claimed_by, a.request, a.identity.believed_to_be.clone())).collect();
        let red = Some(account.name.clone());
        assert_eq!(known, [(Claim::Connection, 1, None), (Claim::AskedBy, 2, red)]);
        assert_eq!(ledger.opener("127.0.0.1:6000".parse().unwrap()), Some(Opener::Arrival(order)));
    }
}

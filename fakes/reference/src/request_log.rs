//! The request log: one line a request, before it is passed on or answered, and one for each connection behind that it
//! uses. Kept only where `lab.json` says who reads it; the reader says what number a line has.
//!
//! A reader knows from it what came here, whom this front end took for the asker, and what it did because of that, in an
//! order that can be believed: nothing goes on before its line is read.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, header};
use model::{HostName, Protocol};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::decide::SignIn;
use crate::lab::Lab;
use crate::ports::{Asked, Client};

/// The most that is told of a head.
const MOST_HEAD_BYTES: usize = 4 * 1024;

/// The log of one front end, or none.
pub(crate) struct RequestLog(Option<Reader>);

struct Reader {
    client: reqwest::Client,
    door: Url,
    connections: Mutex<HashMap<u64, Connection>>,
}

/// What is known of a client's connection, which has one request at a time.
#[derive(Default)]
struct Connection {
    sni: Option<String>,
    /// The request's line, as long as it has not been read.
    unread: Option<Line>,
    /// The number of the last line that was.
    number: Option<u64>,
}

/// One request.
#[derive(Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    connection: u64,
    peer: SocketAddr,
    tls: bool,
    sni: Option<String>,
    protocol: Option<Protocol>,
    verb: String,
    target: String,
    host: Option<HostName>,
    head: String,
    /// The name that the client gave.
    named: Option<String>,
    /// Whom it signed in as.
    signed_in: Option<String>,
    /// By what: `basic`, `form`, `cookie`, `bound` to its connection.
    by: Option<&'static str>,
}

/// A socket that is about to speak to a server behind because of a request.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Socket {
    local: SocketAddr,
    because_of: u64,
}

#[derive(Deserialize)]
struct Read {
    number: u64,
}

impl RequestLog {
    /// The log that a lab asks for.
    ///
    /// # Errors
    /// A reader that is no web address.
    pub(crate) fn of(lab: &Lab) -> anyhow::Result<RequestLog> {
        let Some(door) = &lab.request_log else { return Ok(RequestLog(None)) };
        let builder = reqwest::Client::builder().no_proxy().timeout(clock::DIRECTORY);
        Ok(RequestLog(Some(Reader {
            client: builder.local_address(lab.source).build()?,
            door: Url::parse(door)?,
            connections: Mutex::default(),
        })))
    }

    /// A client's greeting.
    pub(crate) fn greeted(&self, client: Client, sni: Option<&str>) {
        let Some(reader) = &self.0 else { return };
        reader.connections().entry(client.connection).or_default().sni = sni.map(str::to_owned);
    }

    /// A request's head has come: its line waits for who asks.
    pub(crate) fn begin(&self, asked: &Asked, headers: &HeaderMap) {
        let Some(reader) = &self.0 else { return };
        let mut connections = reader.connections();
        let connection = connections.entry(asked.client.connection).or_default();
        connection.number = None;
        connection.unread = Some(Line {
            connection: asked.client.connection,
            peer: asked.client.socket,
            tls: asked.tls,
            sni: connection.sni.clone(),
            protocol: asked.protocol,
            verb: asked.verb.to_string(),
            target: asked.target.clone(),
            host: asked.host.clone(),
            head: head(asked, headers),
            named: None,
            signed_in: None,
            by: None,
        });
    }

    /// Who asks is known, or that nobody does: the line is read before this returns. Of one request the first counts.
    pub(crate) async fn tell(&self, client: Client, named: Option<&str>, signed_in: Option<(&str, SignIn)>) {
        let Some(reader) = &self.0 else { return };
        let Some(mut line) = reader.connections().get_mut(&client.connection).and_then(|c| c.unread.take())
        else {
            return;
        };
        line.named = named.map(str::to_owned);
        line.signed_in = signed_in.map(|(user, _)| user.to_owned());
        line.by = match signed_in.map(|(_, how)| how) {
            Some(SignIn::Typed) => Some("form"),
            Some(SignIn::Session) => Some("cookie"),
            Some(SignIn::Basic) => Some("basic"),
            Some(SignIn::Bound) => Some("bound"),
            _ => None,
        };
        let read = match reader.post("requests", &line).await {
            Ok(answer) => answer.json::<Read>().await.map(|read| read.number),
            Err(error) => Err(error),
        };
        match read {
            Ok(number) => {
                reader.connections().entry(client.connection).or_default().number = Some(number);
            }
            // A reader that is gone sees nothing of this: it is for it to say so.
            Err(error) => eprintln!("the request log is not read: {error}"),
        }
    }

    /// A socket is about to carry this client's request on.
    pub(crate) async fn carries(&self, client: Client, local: SocketAddr) {
        let Some(reader) = &self.0 else { return };
        let number = reader.connections().get(&client.connection).and_then(|connection| connection.number);
        if let Some(because_of) = number
            && let Err(error) = reader.post("sockets", &Socket { local, because_of }).await
        {
            eprintln!("the request log is not read: {error}");
        }
    }

    /// A client's connection has ended.
    pub(crate) fn forget(&self, client: Client) {
        if let Some(reader) = &self.0 {
            reader.connections().remove(&client.connection);
        }
    }
}

impl Reader {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn post(&self, what: &str, line: &impl Serialize) -> reqwest::Result<reqwest::Response> {
        let mut url = self.door.clone();
        url.set_path(&format!("/v1/{what}"));
        self.client.post(url).json(line).send().await?.error_for_status()
    }
}

/// A head as a log has it: without what signs anybody in.
fn head(asked: &Asked, headers: &HeaderMap) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\n", asked.verb, asked.target);
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = match *name == header::AUTHORIZATION || *name == header::PROXY_AUTHORIZATION {
            true => format!("{} (redacted)", value.split(' ').next().unwrap_or_default()).into(),
            false => value,
        };
        head.push_str(&format!("{name}: {value}\r\n"));
        if head.len() > MOST_HEAD_BYTES {
            break;
        }
    }
    head
}

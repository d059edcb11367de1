//! One connection: requests in, answers out, one after the other.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::answer::{self, Code, Outcome};
use super::ber::message_length;
use super::message::{Message, Operation, Scope, Search};
use super::search::{self, At, Pages};
use super::sign_in::{self, Who};
use super::{Door, oid};
use crate::clock::{IDLE, LIMIT, within};

/// The most that a request may hold.
const MOST_REQUEST_BYTES: usize = 256 * 1024;
/// As much is written at a time; a peer that takes less within the limit is left.
const PIECE_BYTES: usize = 256 * 1024;

/// What kind of line a connection is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// The global catalog's port.
    pub(super) catalog: bool,
    /// Whether it is encrypted already.
    pub(super) tls: bool,
}

/// How a conversation ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    /// It is to go on over TLS, which was agreed to.
    StartTls,
}

/// Answers until the peer leaves, is silent for too long, or says what is no LDAP.
///
/// # Errors
/// A socket that fails.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    door: &Door,
    line: Line,
    stream: &mut S,
) -> io::Result<End> {
    let mut session = Session { door, line, who: Who::Nobody, pages: Pages::default() };
    let mut buffer = Vec::new();
    loop {
        let request = match next(stream, &mut buffer).await? {
            Next::Request(request) => request,
            Next::Over => return Ok(End::Closed),
            Next::Garbage(says) => {
                let outcome = Outcome::says(Code::ProtocolError, says);
                write(stream, &answer::disconnection(&outcome)).await?;
                return Ok(End::Closed);
            }
        };
        let message = match Message::read(&request) {
            Ok(message) => message,
            Err(bad) => {
                let outcome = Outcome::says(Code::ProtocolError, bad.to_string());
                write(stream, &answer::disconnection(&outcome)).await?;
                return Ok(End::Closed);
            }
        };
        match session.answer(message) {
            Reply::Nothing => {}
            Reply::Bytes(bytes) => write(stream, &bytes).await?,
            Reply::Close => return Ok(End::Closed),
            Reply::StartTls(agreed) => {
                write(stream, &agreed).await?;
                // What came in clear after the request would be taken for something that came over TLS.
                return Ok(if buffer.is_empty() { End::StartTls } else { End::Closed });
            }
        }
    }
}

enum Next {
    Request(Vec<u8>),
    Over,
    Garbage(String),
}

async fn next<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> io::Result<Next> {
    loop {
        match message_length(buffer, MOST_REQUEST_BYTES) {
            Err(bad) => return Ok(Next::Garbage(bad.to_string())),
            Ok(Some(length)) if buffer.len() >= length => {
                let rest = buffer.split_off(length);
                return Ok(Next::Request(std::mem::replace(buffer, rest)));
            }
            Ok(_) => {}
        }
        let limit = if buffer.is_empty() { IDLE } else { LIMIT };
        match within(limit, stream.read_buf(buffer)).await {
            None | Some(Ok(0)) => return Ok(Next::Over),
            Some(read) => read?,
        };
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(PIECE_BYTES) {
        let written = within(LIMIT, async {
            stream.write_all(piece).await?;
            stream.flush().await
        });
        written.await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
    }
    Ok(())
}

enum Reply {
    Nothing,
    Bytes(Vec<u8>),
    Close,
    StartTls(Vec<u8>),
}

/// What a connection remembers.
struct Session<'a> {
    door: &'a Door,
    line: Line,
    who: Who,
    pages: Pages,
}

impl Session<'_> {
    fn answer(&mut self, message: Message) -> Reply {
        self.door.directory.was_asked();
        let id = message.id;
        let unknown = message.controls.unknown.as_ref().map(|control| {
            let says = format!("the control {control} is critical and unknown here");
            Outcome::says(Code::UnavailableCriticalExtension, says)
        });
        let done = |tag, outcome: &Outcome| Reply::Bytes(answer::done(id, tag, outcome));
        match message.operation {
            Operation::Unbind => Reply::Close,
            // One request is answered before the next is read, so there is never one to give up.
            Operation::Abandon => Reply::Nothing,
            Operation::Bind(wanted) => {
                let bound = match unknown {
                    Some(outcome) => Err(outcome),
                    None => sign_in::bind(&self.door.directory, &self.door.tree(), &wanted),
                };
                self.pages = Pages::default();
                let outcome = bound.as_ref().err().cloned().unwrap_or(Outcome::of(Code::Success));
                // Whoever fails to sign in is nobody afterwards (RFC 4511, section 4.2.1).
                self.who = bound.unwrap_or(Who::Nobody);
                done(answer::BIND_DONE, &outcome)
            }
            Operation::Search(_) if unknown.is_some() => {
                done(answer::SEARCH_DONE, &unknown.unwrap_or_else(Outcome::not_signed_in))
            }
            Operation::Search(wanted) => self.search(id, wanted, &message.controls),
            Operation::Compare { dn, attribute, value } => {
                let outcome = unknown.unwrap_or_else(|| self.compare(&dn, attribute, value));
                done(answer::COMPARE_DONE, &outcome)
            }
            Operation::Change(tag) => done(
                tag,
                &match self.who {
                    Who::Nobody => Outcome::not_signed_in(),
                    Who::User(_) => Outcome::says(
                        Code::InsufficientAccessRights,
                        "00002098: SecErr: DSID-03150BB9, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0: this directory states \
                     facts, and nothing is changed through it",
                    ),
                },
            ),
            Operation::Extended(name) => self.extended(id, &name, unknown),
        }
    }

    fn search(&mut self, id: i32, wanted: Search, controls: &super::message::Controls) -> Reply {
        let tree = self.door.tree();
        if wanted.base.trim().is_empty() && wanted.scope == Scope::Base {
            return Reply::Bytes(search::root(id, &wanted, &tree));
        }
        if self.who == Who::Nobody {
            return Reply::Bytes(answer::done(id, answer::SEARCH_DONE, &Outcome::not_signed_in()));
        }
        let at = At { host: self.door.host.as_str(), catalog: self.line.catalog };
        Reply::Bytes(search::answer(id, wanted, controls, &tree, &mut self.pages, at))
    }

    fn compare(&self, dn: &str, attribute: String, value: Vec<u8>) -> Outcome {
        if self.who == Who::Nobody {
            return Outcome::not_signed_in();
        }
        let tree = self.door.tree();
        let Some(at) = super::dn::Dn::parse(dn).and_then(|dn| tree.find(dn.key())) else {
            return Outcome::of(Code::NoSuchObject);
        };
        let entry = &tree.entries()[at];
        if entry.values(&attribute).is_empty() {
            return Outcome::of(Code::NoSuchAttribute);
        }
        let equal = super::filter::Filter::Equal(attribute, value).fits(entry) == Some(true);
        Outcome::of(if equal { Code::CompareTrue } else { Code::CompareFalse })
    }

    fn extended(&self, id: i32, name: &str, unknown: Option<Outcome>) -> Reply {
        let done = |outcome: Outcome, value: Option<&[u8]>| {
            Reply::Bytes(answer::extended_done(id, &outcome, None, value))
        };
        if let Some(outcome) = unknown {
            return done(outcome, None);
        }
        match name {
            oid::WHO_AM_I => match &self.who {
                Who::Nobody => done(Outcome::of(Code::Success), Some(b"")),
                Who::User(user) => done(Outcome::of(Code::Success), Some(format!("u:{user}").as_bytes())),
            },
            oid::START_TLS if self.line.tls => {
                done(Outcome::says(Code::OperationsError, "the connection is encrypted already"), None)
            }
            oid::START_TLS => Reply::StartTls(answer::extended_done(
                id,
                &Outcome::of(Code::Success),
                Some(oid::START_TLS),
                None,
            )),
            other => done(
                Outcome::says(Code::ProtocolError, format!("there is no extended operation {other} here")),
                None,
            ),
        }
    }
}

/// Tells a peer that there are too many already.
pub(super) async fn turn_away<S: AsyncWrite + Unpin>(stream: &mut S) {
    let outcome = Outcome::says(Code::Busy, "too many connections");
    // It is left in either case.
    let _ = write(stream, &answer::disconnection(&outcome)).await;
}

/// A door is shared by its connections.
pub(super) type Shared = Arc<Door>;

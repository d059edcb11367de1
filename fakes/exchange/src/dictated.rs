//! Answers that a case dictates to its own user: any head, a body at its own pace, an early or a missing end. They stand
//! where the rules speak of bytes, and of no mailbox. Two may be open at once, as the channels of Outlook Anywhere are, and
//! end together; what is said on them is not looked at.

use std::future::Future;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ledger::Ledger;
use model::case::{AnswerFraming, Answering, Ends, Sent, spelled_out};
use model::digest::Digest;
use model::journal::Order;
use model::{MailboxName, Protocol};
use protocols::answer::Work;
use protocols::iis;
use tokio::sync::mpsc;

use crate::body::Out;
use crate::clock::{BARRIER, LIMIT, quiet, within};
use crate::fault::Dictated;
use crate::listen::Connection;
use crate::server::{MOST_BODY_BYTES, Server};

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer, as the case wants it")]
pub(crate) struct Cut;

/// Steps that a client may wait for, or tell of, by the mailbox's name, and for one request by its verb too.
pub(crate) struct Steps {
    ledger: Ledger,
    heard: String,
    arrived: String,
    read: String,
    gone: String,
    /// How many connections of this mailbox had gone when this one began.
    gone_before: u64,
}

impl Steps {
    fn of(ledger: &Ledger, mailbox: &MailboxName, verb: &Method) -> Steps {
        let gone = format!("{mailbox} gone");
        Steps {
            heard: format!("{mailbox} {verb} heard"),
            arrived: format!("{mailbox} {verb} arrived"),
            read: format!("{mailbox} {verb} read"),
            gone_before: ledger.stepped(&gone),
            ledger: ledger.clone(),
            gone,
        }
    }

    fn once_more(&self, what: &str) {
        self.ledger.step(what, self.ledger.stepped(what) + 1);
    }

    /// The client has gone from another connection of this mailbox.
    async fn other_gone(&self) {
        self.ledger.until(&self.gone, self.gone_before + 1).await;
    }
}

/// The mailbox that signs in with a request's head, or did on its connection, where an answer is dictated to it.
pub(crate) fn listens(
    server: &Server,
    connection: &Connection,
    parts: &Parts,
    protocol: Option<Protocol>,
) -> Option<(Protocol, MailboxName)> {
    let protocol = protocol?;
    let directory = &server.world.directory;
    let account = match parts.headers.get(header::AUTHORIZATION) {
        None => connection.signed_in()?.0,
        Some(authorization) => {
            let authorization = authorization.to_str().ok()?;
            match iis::basic(authorization) {
                Some((user, _)) => directory.find(&user)?,
                None => directory.named_by(authorization.split_once(' ')?.1.trim())?,
            }
        }
    };
    server
        .world
        .faults
        .dictates(&server.name, protocol, &account.name)
        .then(|| (protocol, account.name.clone()))
}

/// Reads the body as it comes, and answers as the case wants it.
pub(crate) async fn answer(
    server: &Arc<Server>,
    connection: &Connection,
    body: Incoming,
    verb: &Method,
    (protocol, mailbox): (Protocol, MailboxName),
    order: Order,
) -> Result<Response<Out>, Cut> {
    let Some(dictated) = server.world.faults.next_dictated(&server.name, protocol, &mailbox) else {
        return Err(Cut);
    };
    let steps = Arc::new(Steps::of(&server.world.ledger, &mailbox, verb));
    steps.once_more(&steps.arrived);
    let reading = read(steps.clone(), body, order);
    match dictated.answer.sent {
        // The connection can be used again once the body is gone (RFC 9112, section 9.3).
        Sent::AtOnce => server.drive(within(LIMIT, reading)),
        Sent::AfterTheBody | Sent::AfterQuiet => {
            let mut ended = Ended(steps.clone(), false);
            let whole = match dictated.answer.ends {
                Ends::WithTheOther => within(LIMIT, until(reading, steps.other_gone(), &mut ended)).await,
                Ends::Whole | Ends::CutBefore | Ends::CutWithin => within(LIMIT, reading).await,
            };
            // A client that has gone is told of, and gets no answer.
            if whole != Some(true) {
                return Err(Cut);
            }
            ended.1 = true;
        }
    }
    if dictated.answer.sent == Sent::AfterQuiet {
        quiet(dictated.quiet).await;
    }
    let Dictated { answer, .. } = dictated;
    if answer.ends == Ends::CutBefore {
        return Err(Cut);
    }
    connection.spoken.say(head(&answer));
    Ok(written(answer, verb, steps))
}

/// Reads on until the other connection has gone: then this one is ended from here, and has not been left.
async fn until(
    reading: impl Future<Output = bool>,
    other: impl Future<Output = ()>,
    ended: &mut Ended,
) -> bool {
    tokio::select! {
        whole = reading => whole,
        () = other => {
            ended.1 = true;
            false
        }
    }
}

/// Reads to the end, and says how far it has come; false where the end never comes.
async fn read(steps: Arc<Steps>, mut body: Incoming, order: Order) -> bool {
    let before = steps.ledger.stepped(&steps.heard);
    let mut digest = Digest::default();
    let mut whole = true;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            whole = false;
            break;
        };
        let Some(data) = frame.data_ref() else { continue };
        digest.add(data);
        steps.ledger.heard(order, digest);
        steps.ledger.step(&steps.heard, before + digest.bytes);
        if digest.bytes > MOST_BODY_BYTES as u64 {
            break;
        }
    }
    steps.ledger.heard(order, digest);
    whole
}

fn head(answer: &Answering) -> Vec<u8> {
    let version = if answer.framing == AnswerFraming::Close { "HTTP/1.0" } else { "HTTP/1.1" };
    // The space before an empty phrase belongs to the line (RFC 9112, section 4).
    let (code, phrase) = answer.status.split_once(' ').unwrap_or((&answer.status, ""));
    let mut head = format!("{version} {code} {phrase}\r\n");
    let framing = match answer.framing {
        AnswerFraming::Length if declared(&answer.lines).is_some() => None,
        AnswerFraming::Length => {
            Some(format!("Content-Length: {}", answer.body.as_ref().map_or(0, |body| body.bytes().len())))
        }
        AnswerFraming::Chunked => Some("Transfer-Encoding: chunked".to_owned()),
        AnswerFraming::Close => None,
    };
    for line in answer.lines.iter().chain(&framing) {
        head.push_str(&spelled_out(line));
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The answer as the HTTP library needs it to write the body: its head is exchanged on the way.
fn written(answer: Answering, verb: &Method, steps: Arc<Steps>) -> Response<Out> {
    let whole = Bytes::from(answer.body.as_ref().map(model::case::Payload::bytes).unwrap_or_default());
    let length = match answer.framing {
        AnswerFraming::Length => declared(&answer.lines).or(Some(whole.len() as u64)),
        AnswerFraming::Chunked | AnswerFraming::Close => None,
    };
    let (pieces, received) = mpsc::channel(1);
    let work: Work = Box::pin(send(answer.clone(), whole, pieces, steps));
    // To HEAD nothing is sent, and the work would never be driven.
    let work = (*verb != Method::HEAD).then_some(work);
    let mut response = Response::new(Out::Dictated { length, pieces: received, work });
    let code = answer.status.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(StatusCode::OK);
    *response.status_mut() = code;
    let closes = answer.lines.iter().any(|line| line.eq_ignore_ascii_case("connection: close"));
    if closes || answer.framing == AnswerFraming::Close {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if answer.framing == AnswerFraming::Close {
        *response.version_mut() = Version::HTTP_10;
    }
    response
}

/// The length that header lines declare.
fn declared(lines: &[String]) -> Option<u64> {
    let mut named = lines.iter().filter_map(|line| line.split_once(':'));
    let (_, value) = named.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}

/// Tells of a connection that ended before its answer did.
struct Ended(Arc<Steps>, bool);

impl Drop for Ended {
    fn drop(&mut self) {
        if !self.1 {
            self.0.once_more(&self.0.gone);
        }
    }
}

async fn send(answer: Answering, whole: Bytes, to: mpsc::Sender<io::Result<Bytes>>, steps: Arc<Steps>) {
    let mut ended = Ended(steps.clone(), false);
    let before = steps.ledger.stepped(&steps.read);
    let cut = answer.ends == Ends::CutWithin;
    let stays = answer.ends == Ends::WithTheOther;
    let parts = if cut { 2 } else { u64::from(answer.pieces.max(1)) };
    let mut sent = 0;
    for part in 1..=parts {
        let end = whole.len() as u64 * part / parts;
        let piece = whole.slice(sent as usize..end as usize);
        sent = end;
        if to.send(Ok(piece)).await.is_err() {
            return;
        }
        if part == parts && !stays {
            break;
        }
        // The client has read what was sent, or somebody holds it back.
        let come = within(BARRIER, steps.ledger.until(&steps.read, before + sent)).await;
        if part == parts && come.is_some() {
            within(LIMIT, steps.other_gone()).await;
            drop(to.send(Err(io::Error::other("the other connection has ended"))).await);
            break;
        }
        if come.is_none() || cut {
            let why = if cut { "the case wants it" } else { "the client has not read the piece before" };
            // Nobody is left to be told.
            drop(to.send(Err(io::Error::other(why))).await);
            break;
        }
    }
    ended.1 = true;
}

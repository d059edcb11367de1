//! The relay itself: requests one way, answers the other, message by message.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use reference::ports::Stream;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, split};
use tokio::sync::watch;

use super::Lie;
use super::heads::value_of;
use crate::clock;

/// The longest head and line of a chunk that are read, in bytes.
const LONGEST_HEAD: usize = 256 * 1024;
const LONGEST_LINE: usize = 8 * 1024;
/// A head that chokes the proxy that `ChokesOnBigHeads` stands for.
const BIG_HEAD: usize = 8 * 1024;
/// The most that is held of an answer.
const MOST_HELD: usize = 16 * 1024 * 1024;

/// What both directions know of their exchange.
struct Talk<'l> {
    lie: Lie,
    lied: &'l (dyn Fn() + Send + Sync),
    /// Verbs whose answers are still to come.
    asked: Mutex<VecDeque<String>>,
    /// How many requests have come to their end.
    ended: watch::Sender<usize>,
}

/// Passes messages on between the side that asks and the side that answers, until either ends.
pub(super) async fn relay(
    asks: Box<dyn Stream>,
    answers: Box<dyn Stream>,
    lie: Lie,
    lied: impl Fn() + Send + Sync,
) {
    let (from_client, mut to_client) = split(asks);
    let (from_server, mut to_server) = split(answers);
    let talk = Talk { lie, lied: &lied, asked: Mutex::default(), ended: watch::channel(0).0 };
    let requests = async {
        let mut from_client = BufReader::new(from_client);
        let done = talk.requests(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
        if done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionAborted) {
            return;
        }
        // A client that is done may still wait for its answer; what nobody takes is read, so that it gets that whole.
        let _ = pass(&mut from_client.take(MOST_HELD as u64), &mut tokio::io::sink()).await;
        std::future::pending::<()>().await;
    };
    let answers = async {
        let _ = talk.answers(BufReader::new(from_server), &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::pin!(requests);
    tokio::select! {
        () = &mut requests => {}
        () = answers => drop(clock::before_it_is_quiet(requests).await),
    }
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilEnd,
}

impl Talk<'_> {
    async fn requests(
        &self,
        mut from: impl AsyncBufReadExt + Unpin,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        loop {
            let mut head = match beginning_of(&mut from).await? {
                Begins::Head(head) => head,
                Begins::Never => return Ok(()),
                Begins::Otherwise(octets) => return on_as_it_is(&octets, &mut from, to).await,
            };
            let framing = match (value_of(&head, "transfer-encoding"), value_of(&head, "content-length")) {
                (Some(_), _) => Framing::Chunked,
                (None, length) => Framing::Length(length.and_then(|n| n.parse().ok()).unwrap_or(0)),
            };
            if matches!(self.lie, Lie::ChokesOnBigHeads) && head.len() > BIG_HEAD {
                (self.lied)();
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let verb = head.split(' ').next().unwrap_or_default().to_owned();
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push_back(verb);
            if let Lie::RequestHead(lie) = self.lie
                && let Some(other) = lie(&head)
            {
                (self.lied)();
                head = other;
            }
            to.write_all(head.as_bytes()).await?;
            to.flush().await?;
            body(&mut from, to, framing).await?;
            self.ended.send_modify(|ended| *ended += 1);
        }
    }

    async fn answers(
        &self,
        mut from: impl AsyncBufReadExt + Unpin,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut answered = 0;
        loop {
            let head = match self.lie {
                Lie::CutsQuiet => match clock::before_it_is_quiet(beginning_of(&mut from)).await {
                    Some(begins) => begins?,
                    None if self.waits(answered) => {
                        (self.lied)();
                        return Ok(());
                    }
                    None => beginning_of(&mut from).await?,
                },
                _ => beginning_of(&mut from).await?,
            };
            let mut head = match head {
                Begins::Head(head) => head,
                Begins::Never => return Ok(()),
                Begins::Otherwise(octets) => return on_as_it_is(&octets, &mut from, to).await,
            };
            let status: u16 = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
            if (100..200).contains(&status) {
                match self.lie {
                    Lie::SwallowsInterim => (self.lied)(),
                    _ => {
                        to.write_all(head.as_bytes()).await?;
                        to.flush().await?;
                    }
                }
                continue;
            }
            let verb = self.asked.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let framing = match (value_of(&head, "transfer-encoding"), value_of(&head, "content-length")) {
                _ if verb.as_deref() == Some("HEAD") || matches!(status, 204 | 304) => Framing::Length(0),
                (Some(_), _) => Framing::Chunked,
                (None, Some(length)) => Framing::Length(length.parse().unwrap_or(0)),
                (None, None) => Framing::UntilEnd,
            };
            answered += 1;
            if let Lie::AnswerHead(lie) = self.lie
                && let Some(other) = lie(&head)
            {
                (self.lied)();
                head = other;
            }
            if matches!(self.lie, Lie::WithholdsEarly) && *self.ended.borrow() < answered {
                (self.lied)();
                let mut ended = self.ended.subscribe();
                let _ = ended.wait_for(|ended| *ended >= answered).await;
            }
            if matches!(self.lie, Lie::HoldsPieces) && framing == Framing::Chunked {
                (self.lied)();
                let mut held = Held(head.into_bytes());
                body(&mut from, &mut held, framing).await?;
                to.write_all(&held.0).await?;
                to.flush().await?;
                continue;
            }
            to.write_all(head.as_bytes()).await?;
            to.flush().await?;
            if matches!(self.lie, Lie::StallsOnChallenge) && status == 401 && framing != Framing::Length(0) {
                (self.lied)();
                return std::future::pending().await;
            }
            body(&mut from, to, framing).await?;
        }
    }

    /// Whether a request is waiting for its answer.
    fn waits(&self, answered: usize) -> bool {
        *self.ended.borrow() > answered
    }
}

/// How a message begins.
enum Begins {
    /// With a head: everything up to the empty line.
    Head(String),
    /// Not at all: the connection ended first.
    Never,
    /// With something that this relay does not read.
    Otherwise(Vec<u8>),
}

async fn beginning_of(from: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Begins> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        let ended = (&mut *from).take(LONGEST_HEAD as u64).read_until(b'\n', &mut head).await? == 0;
        if ended && head.is_empty() {
            return Ok(Begins::Never);
        }
        if ended || head.len() > LONGEST_HEAD {
            return Ok(Begins::Otherwise(head));
        }
        if head.len() - before <= 2 && head.len() > 2 {
            return Ok(match String::from_utf8(head) {
                Ok(head) => Begins::Head(head),
                Err(other) => Begins::Otherwise(other.into_bytes()),
            });
        }
    }
}

/// Passes on what is not read, and all that follows it.
async fn on_as_it_is(
    octets: &[u8],
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    to.write_all(octets).await?;
    to.flush().await?;
    pass(from, to).await
}

/// Passes a body on as it comes.
async fn body(
    from: &mut (impl AsyncBufReadExt + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    framing: Framing,
) -> io::Result<()> {
    match framing {
        Framing::Length(length) => pass(&mut (&mut *from).take(length), to).await,
        Framing::UntilEnd => pass(from, to).await,
        Framing::Chunked => loop {
            let mut line = Vec::new();
            (&mut *from).take(LONGEST_LINE as u64).read_until(b'\n', &mut line).await?;
            let size = std::str::from_utf8(&line).ok().and_then(|line| line.trim().split(';').next());
            let size = size.and_then(|size| u64::from_str_radix(size.trim(), 16).ok());
            let size = size.ok_or(io::ErrorKind::InvalidData)?;
            to.write_all(&line).await?;
            // What follows a chunk, and the last line after the last one; no trailers here.
            pass(&mut (&mut *from).take(size + 2), to).await?;
            if size == 0 {
                return Ok(());
            }
        },
    }
}

/// Passes everything on, piece by piece, none held back.
async fn pass(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&piece[..read]).await?;
        to.flush().await?;
    }
}

/// What is held of an answer.
struct Held(Vec<u8>);

impl AsyncWrite for Held {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        if self.0.len() + bytes.len() > MOST_HELD {
            return std::task::Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        self.0.extend_from_slice(bytes);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

//! The relay itself: requests one way, answers the other, message by message.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use reference::ports::Stream;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, split};
use tokio::sync::watch;

use super::Lie;
use super::heads::value_of;
use super::withheld::{MOST, Withheld};
use crate::clock;

/// The longest head and line of a chunk that are read, in bytes.
const LONGEST_HEAD: usize = 256 * 1024;
const LONGEST_LINE: usize = 8 * 1024;
/// A head that chokes the proxy that `ChokesOnBigHeads` stands for.
const BIG_HEAD: usize = 8 * 1024;
/// The length of a PDU's head: less than that is none.
const PDU_HEAD: u64 = 16;

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
        let _ = pass(&mut from_client.take(MOST as u64), &mut tokio::io::sink()).await;
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
            self.request(&head, framing, &mut from, to).await?;
            self.ended.send_modify(|ended| *ended += 1);
        }
    }

    /// Passes one request on.
    async fn request(
        &self,
        head: &str,
        framing: Framing,
        from: &mut (impl AsyncBufReadExt + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let to_rpc_proxy = head.split(' ').nth(1).is_some_and(is_rpc_proxy);
        match (self.lie, framing) {
            (Lie::WaitsForBody(most), Framing::Chunked | Framing::Length(1..)) => {
                (self.lied)();
                return held_back(head, from, to, framing, most).await;
            }
            (Lie::WaitsForPdu, Framing::Length(length @ 1..PDU_HEAD)) if to_rpc_proxy => {
                (self.lied)();
                // The rest of a PDU, which never comes: the connection ends first.
                let mut held = Withheld::new(to, MOST);
                held.write_all(head.as_bytes()).await?;
                return pass(&mut from.take(PDU_HEAD.max(length)), &mut held).await;
            }
            _ => {}
        }
        to.write_all(head.as_bytes()).await?;
        to.flush().await?;
        if !matches!(self.lie, Lie::CutsQuietBody) || !to_rpc_proxy {
            return body(from, to, framing).await;
        }
        let Framing::Length(length) = framing else { return body(from, to, framing).await };
        let mut left = from.take(length);
        while left.limit() > 0 {
            let Some(more) = clock::before_it_is_quiet(left.fill_buf()).await else {
                (self.lied)();
                return Err(io::ErrorKind::ConnectionAborted.into());
            };
            let more = more?;
            let read = more.len();
            if read == 0 {
                break;
            }
            to.write_all(more).await?;
            to.flush().await?;
            left.consume(read);
        }
        Ok(())
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
            let holds = match framing {
                Framing::Chunked => match self.lie {
                    Lie::HoldsPieces => true,
                    Lie::HoldsPending => value_of(&head, "content-type") == Some("application/mapi-http"),
                    _ => false,
                },
                Framing::Length(length) => matches!(self.lie, Lie::HoldsLength) && length > 0,
                Framing::UntilEnd => false,
            };
            if holds {
                (self.lied)();
                held_back(&head, &mut from, to, framing, MOST).await?;
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

/// Whether this target enters the virtual directory of the RPC proxy.
fn is_rpc_proxy(target: &str) -> bool {
    target.get(..5).is_some_and(|first| first.eq_ignore_ascii_case("/rpc/"))
}

/// Passes a message on once so much of it is there, or all.
async fn held_back(
    head: &str,
    from: &mut (impl AsyncBufReadExt + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    framing: Framing,
    most: usize,
) -> io::Result<()> {
    let mut held = Withheld::new(to, most);
    held.write_all(head.as_bytes()).await?;
    body(from, &mut held, framing).await?;
    held.release().await
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

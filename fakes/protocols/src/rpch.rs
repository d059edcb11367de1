//! RPC over HTTP, version 2 ([MS-RPCH]): what an RPC proxy does with the two channels of Outlook Anywhere.
//!
//! A client opens an OUT channel and an IN channel, and names with both the virtual connection that they make. The proxy
//! pairs them ([`Channels`]), and carries the PDUs of DCE/RPC between them and a server; what it and the client say of the
//! channels themselves are RTS PDUs. Proxy and RPC server are one here, so the PDUs that only they
//! exchange (CONN/A2, B2, C1 and their like) are absent; a successor of a channel comes to the same proxy (IN_R2, OUT_R2).

mod body;
mod channel;
mod clock;
mod rts;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode, Version};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use crate::answer::Answer;
use crate::iis::Reason;
use crate::msrpc::RpcError;
use rts::{Command, Rts, flag};

pub use body::OutBody;
use channel::{Inward, Virtual};
use rts::Cookie;

/// What the body of an OUT channel's answer is said to hold: 1 GiB, as Windows says (wire facts 4.1).
pub const DECLARED: u64 = 1 << 30;
/// A body up to this long is an echo request, [MS-RPCH] 2.1.2.1.5.
pub const LONGEST_ECHO: u64 = 0x10;
/// How long either channel may be quiet before the proxy gives it up, in milliseconds; the client is told.
const CONNECTION_TIMEOUT: u32 = 120_000;
/// How many bytes of RPC a client may send before it must be told to go on.
const RECEIVE_WINDOW: u32 = 65_536;
/// Pieces that wait to be sent on an OUT channel: more wait where they come from.
const WAITING_PIECES: usize = 8;
/// As many channels as wait for their other half at once.
const MOST_WAITING: usize = 4096;
/// RPC_S_SERVER_UNAVAILABLE, [MS-ERREF] 2.2.
pub const SERVER_UNAVAILABLE: u32 = 0x6BA;
/// RPC_S_PROTOCOL_ERROR, [MS-ERREF] 2.2.
pub const PROTOCOL_ERROR: u32 = 0x6C0;

/// The channels of one proxy that wait for their other half, and those that can be succeeded.
pub struct Channels {
    book: Mutex<Book>,
    /// How many bytes an OUT channel carries at most.
    lifetime: u64,
}

impl Default for Channels {
    fn default() -> Channels {
        Channels { book: Mutex::default(), lifetime: DECLARED }
    }
}

#[derive(Default)]
struct Book {
    halves: HashMap<Cookie, Half>,
    /// Virtual connections at work: whither a successor of one of their channels goes.
    open: HashMap<Cookie, mpsc::Sender<Successor>>,
}

/// What came first.
enum Half {
    Out(Outward),
    In(oneshot::Sender<Outward>),
}

/// The proxy's end of an OUT channel.
struct Outward {
    cookie: Cookie,
    /// What the client takes before it says more.
    window: u32,
    pieces: mpsc::Sender<Bytes>,
}

/// A channel that takes over from one of its virtual connection.
enum Successor {
    /// `begins` lets its answer begin.
    Out {
        predecessor: Cookie,
        channel: Outward,
        begins: oneshot::Sender<()>,
    },
    In {
        predecessor: Cookie,
        cookie: Cookie,
        pieces: mpsc::Receiver<Bytes>,
    },
}

/// An OUT channel that a client opened.
struct Opened {
    body: OutBody,
    /// When the answer of a successor begins: its predecessor has ended.
    begins: Option<oneshot::Receiver<()>>,
}

/// A channel's place among those that wait. Dropped, it waits no more.
struct Waiting {
    channels: Arc<Channels>,
    virtual_connection: Cookie,
}

impl Waiting {
    fn is_paired(&self) -> bool {
        !self.channels.book().halves.contains_key(&self.virtual_connection)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.channels.book().halves.remove(&self.virtual_connection);
    }
}

/// What an IN channel turned out to be.
enum Entered {
    /// The second half of a virtual connection, or the first, which waits.
    Pairing(Pairing),
    /// It takes over from a channel that is at work: what comes on it goes there.
    Succeeds(mpsc::Sender<Bytes>),
}

/// An IN channel on its way to a virtual connection.
struct Pairing {
    channels: Arc<Channels>,
    virtual_connection: Cookie,
    cookie: Cookie,
    keepalive: u32,
    out: oneshot::Receiver<Outward>,
    waits: Option<Waiting>,
}

impl Pairing {
    /// Waits for the OUT channel.
    async fn paired(self) -> Result<Virtual, RpcError> {
        let Pairing { channels, virtual_connection, cookie, keepalive, out, waits } = self;
        let out = out.await.map_err(|_| RpcError::Closed("the virtual connection"))?;
        drop(waits);
        Ok(Virtual::new(channels, virtual_connection, cookie, keepalive, out))
    }
}

impl Channels {
    /// Channels that are renewed when they have carried half as many bytes as this.
    pub fn living(lifetime: u64) -> Channels {
        Channels { lifetime, ..Channels::default() }
    }

    fn lifetime(&self) -> u64 {
        self.lifetime
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an OUT channel. Gives the body of its answer, whose head is [`success`].
    ///
    /// # Errors
    /// The code of [`error`]: what came first begins no channel, or nothing came.
    pub async fn serve_out<B>(self: &Arc<Self>, body: B) -> Result<OutBody, u32>
    where
        B: BodyExt<Data = Bytes> + Unpin,
    {
        let mut body = Inward::new(body);
        let first = clock::within(body.pdu()).await.ok().flatten().ok_or(PROTOCOL_ERROR)?;
        let Opened { body: answer, begins } = self.open_out(&first).map_err(|_| PROTOCOL_ERROR)?;
        if let Some(begins) = begins {
            // OUT_R2/C1 fills up the declared length.
            clock::within(body.pdu()).await.map_err(|_| PROTOCOL_ERROR)?;
            let begun = async { begins.await.map_err(|_| RpcError::Closed("the virtual connection")) };
            clock::within(begun).await.map_err(|_| PROTOCOL_ERROR)?;
        }
        Ok(answer)
    }

    /// Takes an IN channel, and carries its virtual connection to the end: then the channel ends, without an answer.
    /// `dial` connects to the server; it is called once, when both channels are there.
    ///
    /// # Errors
    /// The code of [`error`]: what came first begins no channel, no OUT channel came, no server was to be had.
    pub async fn serve_in<B, S>(
        self: &Arc<Self>,
        body: B,
        dial: impl Future<Output = Option<S>>,
    ) -> Result<(), u32>
    where
        B: BodyExt<Data = Bytes> + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut body = Inward::new(body);
        let first = clock::within(body.pdu()).await.ok().flatten().ok_or(PROTOCOL_ERROR)?;
        match self.enter(&first).map_err(|_| PROTOCOL_ERROR)? {
            Entered::Succeeds(feed) => {
                // A body that breaks off is an end like any other.
                let _ended = body.feed(feed).await;
            }
            Entered::Pairing(pairing) => {
                let paired = clock::within(pairing.paired()).await.map_err(|_| SERVER_UNAVAILABLE)?;
                let server = dial.await.ok_or(SERVER_UNAVAILABLE)?;
                let (feed, inward) = mpsc::channel(1);
                // How the one ends is known by the other.
                let (_carried, _fed) = tokio::join!(paired.carry(inward, server), body.feed(feed));
            }
        }
        Ok(())
    }

    /// By the first PDU that came on it: CONN/A1, or OUT_R2/A3 of a successor.
    fn open_out(self: &Arc<Self>, first: &[u8]) -> Result<Opened, RpcError> {
        let (pieces, received) = mpsc::channel(WAITING_PIECES);
        let first = Rts::decode(first)?;
        use Command::{Cookie, ReceiveWindowSize, Version};
        match (first.flags, &first.commands[..]) {
            (
                flag::NONE,
                [Version(1), Cookie(virtual_connection), Cookie(cookie), ReceiveWindowSize(window)],
            ) => {
                let out = Outward { cookie: *cookie, window: *window, pieces };
                // CONN/A3: the client learns how long this channel may be quiet.
                let timeout = Rts::new(flag::NONE, [Command::ConnectionTimeout(CONNECTION_TIMEOUT)]);
                out.pieces.try_send(timeout.encode()).map_err(|_| RpcError::Closed("the OUT channel"))?;
                let mut book = self.book();
                match book.halves.remove(virtual_connection) {
                    Some(Half::In(waits)) => {
                        waits.send(out).map_err(|_| RpcError::Closed("the virtual connection"))?;
                    }
                    Some(half @ Half::Out(_)) => {
                        book.halves.insert(*virtual_connection, half);
                        return Err(RpcError::Malformed("CONN/A1: its cookie is taken"));
                    }
                    None => book.wait(*virtual_connection, Half::Out(out))?,
                }
                drop(book);
                let waiting = Waiting { channels: self.clone(), virtual_connection: *virtual_connection };
                Ok(Opened { body: OutBody::new(received, Some(waiting)), begins: None })
            }
            (
                flag::RECYCLE,
                [
                    Version(1),
                    Cookie(virtual_connection),
                    Cookie(predecessor),
                    Cookie(cookie),
                    ReceiveWindowSize(window),
                ],
            ) => {
                let channel = Outward { cookie: *cookie, window: *window, pieces };
                let (begins, when) = oneshot::channel();
                let successor = Successor::Out { predecessor: *predecessor, channel, begins };
                self.succeed(virtual_connection, successor)?;
                Ok(Opened { body: OutBody::new(received, None), begins: Some(when) })
            }
            _ => Err(RpcError::Malformed("PDU: an OUT channel begins with CONN/A1 or OUT_R2/A3")),
        }
    }

    /// By the first PDU that came on it: CONN/B1, or IN_R2/A1 of a successor. A keepalive of 0 is refused, as a Windows
    /// proxy does (wire facts 4.2).
    fn enter(self: &Arc<Self>, first: &[u8]) -> Result<Entered, RpcError> {
        let first = Rts::decode(first)?;
        use Command::{AssociationGroupId, ChannelLifetime, ClientKeepalive, Cookie, Version};
        match (first.flags, &first.commands[..]) {
            (
                flag::NONE,
                [
                    Version(1),
                    Cookie(virtual_connection),
                    Cookie(cookie),
                    ChannelLifetime(_),
                    ClientKeepalive(keepalive),
                    AssociationGroupId(_),
                ],
            ) => {
                if *keepalive == 0 {
                    return Err(RpcError::Malformed("CONN/B1: its keepalive is 0"));
                }
                let (gives, out) = oneshot::channel();
                let mut book = self.book();
                let waits = match book.halves.remove(virtual_connection) {
                    Some(Half::Out(there)) => {
                        drop(gives.send(there));
                        None
                    }
                    Some(half @ Half::In(_)) => {
                        book.halves.insert(*virtual_connection, half);
                        return Err(RpcError::Malformed("CONN/B1: its cookie is taken"));
                    }
                    None => {
                        book.wait(*virtual_connection, Half::In(gives))?;
                        let virtual_connection = *virtual_connection;
                        Some(Waiting { channels: self.clone(), virtual_connection })
                    }
                };
                drop(book);
                Ok(Entered::Pairing(Pairing {
                    channels: self.clone(),
                    virtual_connection: *virtual_connection,
                    cookie: *cookie,
                    keepalive: *keepalive,
                    out,
                    waits,
                }))
            }
            (
                flag::RECYCLE,
                [Version(1), Cookie(virtual_connection), Cookie(predecessor), Cookie(cookie)],
            ) => {
                let (feed, pieces) = mpsc::channel(1);
                let successor = Successor::In { predecessor: *predecessor, cookie: *cookie, pieces };
                self.succeed(virtual_connection, successor)?;
                Ok(Entered::Succeeds(feed))
            }
            _ => Err(RpcError::Malformed("PDU: an IN channel begins with CONN/B1 or IN_R2/A1")),
        }
    }

    fn succeed(&self, virtual_connection: &Cookie, successor: Successor) -> Result<(), RpcError> {
        let open = self.book().open.get(virtual_connection).cloned();
        let open = open.ok_or(RpcError::Malformed("PDU: a successor of no virtual connection"))?;
        open.try_send(successor).map_err(|_| RpcError::Closed("the virtual connection"))
    }
}

impl Book {
    fn wait(&mut self, virtual_connection: Cookie, half: Half) -> Result<(), RpcError> {
        if self.halves.len() >= MOST_WAITING {
            return Err(RpcError::TooLong { what: "the row of channels that wait", limit: MOST_WAITING });
        }
        self.halves.insert(virtual_connection, half);
        Ok(())
    }
}

/// The head of an OUT channel's answer.
pub fn success() -> Response<()> {
    let mut head = Response::new(());
    head.extensions_mut().insert(Reason("Success".to_owned()));
    head.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/rpc"));
    head
}

/// The answer to an echo request.
pub fn echo() -> Answer {
    success().map(|()| Rts::new(flag::ECHO, []).encode().into())
}

/// An error of the proxy or of the server behind, in the phrase, [MS-RPCH] 2.1.2.1.3: HTTP/1.0, so that the connection
/// ends with it.
pub fn error(code: u32) -> Answer {
    let mut answer = Response::new(crate::answer::Body::empty());
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    *answer.version_mut() = Version::HTTP_10;
    answer.extensions_mut().insert(Reason(format!("RPC Error: {code:x}")));
    answer
}

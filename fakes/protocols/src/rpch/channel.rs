//! A virtual connection at work: PDUs between its two channels and the server behind, with flow control both ways, pings,
//! and successors of either channel.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use super::clock::Quiet;
use super::rts::{Command, Cookie, Rts, TO_CLIENT, flag};
use super::{CONNECTION_TIMEOUT, Channels, Outward, RECEIVE_WINDOW, Successor};
use crate::msrpc::RpcError;
use crate::msrpc::pdu::{MAX_FRAGMENT, fragment_length};

/// As many successors as may be on their way to one virtual connection.
const MOST_SUCCESSORS: usize = 2;

/// The body of a channel's request, PDU by PDU.
pub(super) struct Inward<B> {
    body: B,
    read: BytesMut,
}

impl<B> Inward<B>
where
    B: BodyExt<Data = Bytes> + Unpin,
{
    /// Of a body of which nothing has been read.
    pub(super) fn new(body: B) -> Inward<B> {
        Inward { body, read: BytesMut::new() }
    }

    /// The next PDU whole; `None` at the end.
    pub(super) async fn pdu(&mut self) -> Result<Option<Bytes>, RpcError> {
        loop {
            if let Some(pdu) = take_pdu(&mut self.read)? {
                return Ok(Some(pdu));
            }
            match self.piece().await? {
                Some(piece) => self.read.extend_from_slice(&piece),
                None if self.read.is_empty() => return Ok(None),
                None => return Err(RpcError::Closed("a PDU")),
            }
        }
    }

    /// Passes on what comes, as it comes, until the body or its taker ends.
    pub(super) async fn feed(mut self, to: mpsc::Sender<Bytes>) -> Result<(), RpcError> {
        let mut piece = Some(self.read.split().freeze()).filter(|read| !read.is_empty());
        loop {
            if let Some(piece) = piece.take()
                && to.send(piece).await.is_err()
            {
                return Ok(());
            }
            tokio::select! {
                () = to.closed() => return Ok(()),
                next = self.piece() => match next? {
                    Some(next) => piece = Some(next),
                    None => return Ok(()),
                },
            }
        }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, RpcError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|_| RpcError::Closed("the body of a channel"))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

fn take_pdu(read: &mut BytesMut) -> Result<Option<Bytes>, RpcError> {
    Ok(fragment_length(read)?
        .filter(|length| read.len() >= *length)
        .map(|length| read.split_to(length).freeze()))
}

/// Two channels that found each other.
pub(super) struct Virtual {
    channels: Arc<Channels>,
    cookie: Cookie,
    keepalive: Duration,
    lifetime: u64,
    inbound: Inbound,
    outbound: Outbound,
    successors: mpsc::Receiver<Successor>,
    /// What waits to take the place of either channel.
    next_in: Option<(Cookie, mpsc::Receiver<Bytes>)>,
    next_out: Option<(Outward, oneshot::Sender<()>)>,
    renewing: bool,
}

/// What has come on the IN channel.
struct Inbound {
    cookie: Cookie,
    read: BytesMut,
    /// Bytes of RPC so far, and as many as the client was told of.
    received: u32,
    told: u32,
    /// PDUs that the server behind has not taken yet.
    forward: VecDeque<Bytes>,
}

/// What goes on the OUT channel.
struct Outbound {
    channel: Outward,
    /// Bytes of RPC so far, and as many as the client takes in all.
    sent: u64,
    allowed: u64,
    /// What is to be said of the channels: it goes before every PDU of RPC, and is not held back.
    say: VecDeque<Bytes>,
    /// The PDU that comes next.
    held: Option<Bytes>,
    quiet: Quiet,
}

impl Virtual {
    pub(super) fn new(
        channels: Arc<Channels>,
        cookie: Cookie,
        in_cookie: Cookie,
        keepalive: u32,
        out: Outward,
    ) -> Virtual {
        let (open, successors) = mpsc::channel(MOST_SUCCESSORS);
        channels.book().open.insert(cookie, open);
        // A client that wants a sign of life every so often gets one twice as often.
        let keepalive = Duration::from_millis(u64::from(keepalive.min(CONNECTION_TIMEOUT)) / 2);
        let lifetime = channels.lifetime();
        let inbound = Inbound::new(in_cookie);
        let outbound = Outbound::new(out, keepalive);
        Virtual {
            channels,
            cookie,
            keepalive,
            lifetime,
            inbound,
            outbound,
            successors,
            next_in: None,
            next_out: None,
            renewing: false,
        }
    }

    /// Carries PDUs between the channels and a server until one of the three ends; then all end. `inward` is what comes
    /// on the IN channel.
    pub(super) async fn carry<S>(
        mut self,
        mut inward: mpsc::Receiver<Bytes>,
        server: S,
    ) -> Result<(), RpcError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut from, mut to) = tokio::io::split(server);
        let mut answers = BytesMut::new();
        // CONN/C2: both are here.
        self.outbound.says(
            flag::NONE,
            [
                Command::Version(1),
                Command::ReceiveWindowSize(RECEIVE_WINDOW),
                Command::ConnectionTimeout(CONNECTION_TIMEOUT),
            ],
        );
        loop {
            if self.outbound.held.is_none() {
                self.outbound.held = take_pdu(&mut answers)?;
            }
            let room = self.inbound.forward.len() < RECEIVE_WINDOW as usize / MAX_FRAGMENT;
            let pieces = self.outbound.channel.pieces.clone();
            tokio::select! {
                biased;
                () = pieces.closed() => return Ok(()),
                Some(successor) = self.successors.recv() => self.succeeded(successor)?,
                permit = pieces.reserve(), if self.outbound.is_ready() => {
                    let Ok(permit) = permit else { return Ok(()) };
                    permit.send(self.outbound.next().expect("something is ready"));
                    self.renew();
                }
                wrote = write_some(&mut to, &mut self.inbound.forward), if !self.inbound.forward.is_empty() => {
                    wrote?;
                    self.consumed();
                }
                piece = inward.recv(), if room => match piece {
                    Some(piece) => {
                        self.inbound.read.extend_from_slice(&piece);
                        while let Some(pdu) = take_pdu(&mut self.inbound.read)? {
                            if let Some(successor) = self.heard(pdu)? {
                                inward = successor;
                            }
                        }
                    }
                    None => return Ok(()),
                },
                read = from.read_buf(&mut answers), if self.outbound.held.is_none() => {
                    if read? == 0 {
                        return Ok(());
                    }
                }
                () = self.outbound.quiet.too_long() => self.outbound.says(flag::PING, []),
            }
        }
    }

    /// A PDU came on the IN channel; the channel that goes on from here, if it was the last one of this.
    fn heard(&mut self, pdu: Bytes) -> Result<Option<mpsc::Receiver<Bytes>>, RpcError> {
        if !Rts::begins(&pdu) {
            let length = u32::try_from(pdu.len()).expect("a fragment is short");
            self.inbound.received = self.inbound.received.wrapping_add(length);
            if self.inbound.received.wrapping_sub(self.inbound.told) > RECEIVE_WINDOW {
                return Err(RpcError::TooLong { what: "what came unasked", limit: RECEIVE_WINDOW as usize });
            }
            self.inbound.forward.push_back(pdu);
            return Ok(None);
        }
        let Rts { flags, commands } = Rts::decode(&pdu)?;
        use Command::{ClientKeepalive, Cookie, Destination, FlowControlAck, PingTrafficSentNotify, Version};
        match (flags, &commands[..]) {
            (flag::PING, []) => {}
            (
                flag::OTHER_COMMAND,
                [FlowControlAck { received, window, channel }]
                | [Destination(_), FlowControlAck { received, window, channel }],
            ) => self.outbound.acknowledged(*received, *window, channel),
            (flag::OTHER_COMMAND, [ClientKeepalive(millis)]) if *millis != 0 => {
                self.keepalive = Duration::from_millis(u64::from((*millis).min(CONNECTION_TIMEOUT)) / 2);
                self.outbound.quiet = Quiet::from_now(self.keepalive);
            }
            (flag::OTHER_COMMAND, [PingTrafficSentNotify(_)]) => {}
            // IN_R2/A5: nothing more comes here.
            (flag::NONE, [Cookie(cookie)]) => {
                let named = self.next_in.take_if(|(next, _)| next == cookie);
                let (cookie, pieces) = named.ok_or(RpcError::Malformed("IN_R2/A5: of no successor"))?;
                let forward = std::mem::take(&mut self.inbound.forward);
                self.inbound = Inbound { forward, ..Inbound::new(cookie) };
                return Ok(Some(pieces));
            }
            // OUT_R2/A7: the client is ready for the successor; OUT_R2/B3 is the last that it hears on this channel.
            (flag::OUT, [Destination(_), Cookie(cookie), Version(_)]) => {
                let named = self.next_out.take_if(|(next, _)| next.cookie == *cookie);
                let (channel, begins) = named.ok_or(RpcError::Malformed("OUT_R2/A7: of no successor"))?;
                self.outbound.ends_with(channel, self.keepalive)?;
                // A client that has gone from it is noticed as on any channel.
                let _gone = begins.send(());
                self.renewing = false;
            }
            _ => return Err(RpcError::Malformed("RTS PDU: one that no client sends here")),
        }
        Ok(None)
    }

    /// A successor of one of the channels is here: the client is told on the OUT channel.
    fn succeeded(&mut self, successor: Successor) -> Result<(), RpcError> {
        match successor {
            Successor::In { predecessor, cookie, pieces } if predecessor == self.inbound.cookie => {
                self.next_in = Some((cookie, pieces));
                // IN_R2/A4
                self.outbound.says(flag::NONE, [Command::Destination(TO_CLIENT)]);
                Ok(())
            }
            Successor::Out { predecessor, channel, begins }
                if predecessor == self.outbound.channel.cookie && self.renewing =>
            {
                self.next_out = Some((channel, begins));
                // OUT_R2/A6
                self.outbound.says(flag::NONE, [Command::Destination(TO_CLIENT), Command::Ance]);
                Ok(())
            }
            _ => Err(RpcError::Malformed("PDU: a successor of no channel of this virtual connection")),
        }
    }

    /// The server has taken PDUs: the client is told when half of its window is used up.
    fn consumed(&mut self) {
        let waiting: usize = self.inbound.forward.iter().map(Bytes::len).sum();
        let waiting = u32::try_from(waiting).expect("a window is small");
        let taken = self.inbound.received.wrapping_sub(self.inbound.told);
        if taken.saturating_sub(waiting) >= RECEIVE_WINDOW / 2 {
            self.inbound.told = self.inbound.received.wrapping_sub(waiting);
            let ack = Command::FlowControlAck {
                received: self.inbound.received,
                window: RECEIVE_WINDOW - waiting,
                channel: self.inbound.cookie,
            };
            self.outbound.says(flag::OTHER_COMMAND, [Command::Destination(TO_CLIENT), ack]);
        }
    }

    /// Asks the client for another OUT channel when this one has carried half of what it may (OUT_R2/A2).
    fn renew(&mut self) {
        if !self.renewing && self.outbound.sent > self.lifetime / 2 {
            self.renewing = true;
            self.outbound.says(flag::RECYCLE, [Command::Destination(TO_CLIENT)]);
        }
    }
}

impl Drop for Virtual {
    fn drop(&mut self) {
        self.channels.book().open.remove(&self.cookie);
    }
}

impl Inbound {
    fn new(cookie: Cookie) -> Inbound {
        Inbound { cookie, read: BytesMut::new(), received: 0, told: 0, forward: VecDeque::new() }
    }
}

impl Outbound {
    fn new(channel: Outward, keepalive: Duration) -> Outbound {
        let allowed = u64::from(channel.window);
        let (say, quiet) = (VecDeque::new(), Quiet::from_now(keepalive));
        Outbound { channel, sent: 0, allowed, say, held: None, quiet }
    }

    fn says(&mut self, flags: u16, commands: impl Into<Vec<Command>>) {
        self.say.push_back(Rts::new(flags, commands).encode());
    }

    /// Whether something may be sent: RTS PDUs are not flow-controlled ([MS-RPCH] 3.2.1.4.1.3).
    fn is_ready(&self) -> bool {
        !self.say.is_empty()
            || self.held.as_ref().is_some_and(|pdu| self.sent + pdu.len() as u64 <= self.allowed)
    }

    fn next(&mut self) -> Option<Bytes> {
        self.quiet.broken();
        self.say.pop_front().or_else(|| {
            let pdu = self.held.take()?;
            self.sent += pdu.len() as u64;
            Some(pdu)
        })
    }

    fn acknowledged(&mut self, received: u32, window: u32, channel: &Cookie) {
        // One of a predecessor may still be on its way.
        if *channel == self.channel.cookie && u64::from(received) <= self.sent {
            self.allowed = self.allowed.max(u64::from(received) + u64::from(window));
        }
    }

    /// Says what is left to say on the channel, and goes on on another.
    fn ends_with(&mut self, channel: Outward, keepalive: Duration) -> Result<(), RpcError> {
        self.says(flag::EOF, [Command::Ance]);
        for last in self.say.drain(..) {
            let full =
                |_| RpcError::TooLong { what: "what waits on the OUT channel", limit: super::WAITING_PIECES };
            self.channel.pieces.try_send(last).map_err(full)?;
        }
        let held = self.held.take();
        *self = Outbound { held, ..Outbound::new(channel, keepalive) };
        Ok(())
    }
}

/// Writes what the server takes now. May be given up and taken up again.
async fn write_some(to: &mut (impl AsyncWrite + Unpin), pdus: &mut VecDeque<Bytes>) -> Result<(), RpcError> {
    let Some(first) = pdus.front_mut() else { return Ok(()) };
    let wrote = to.write(first).await?;
    first.advance(wrote);
    if first.is_empty() {
        pdus.pop_front();
        to.flush().await?;
    }
    Ok(())
}

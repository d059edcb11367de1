//! Whole messages over a stream: fragments joined and cut, with limits. Reading may be given up and taken up again.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::RpcError;
use super::pdu::{CALL_HEADER, Fragment, MAX_FRAGMENT, Pdu, fragment_length};

/// The longest stub sent and taken, all fragments together.
const MAX_STUB: usize = 64 * 1024;
/// The shortest fragment a side must take, [C706] 12.6.3.1 (`MustRecvFragSize`).
const MIN_FRAGMENT: u16 = 1432;

pub(super) struct Transport<IO> {
    io: IO,
    received: BytesMut,
    joining: Option<Joining>,
    /// The longest fragment the other side takes.
    longest: usize,
    sending: bool,
}

/// A request or response of which some fragments are here.
struct Joining {
    call: u32,
    head: Pdu,
    stub: BytesMut,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Transport<IO> {
    pub(super) fn new(io: IO) -> Transport<IO> {
        Transport {
            io,
            received: BytesMut::new(),
            joining: None,
            longest: usize::from(MIN_FRAGMENT),
            sending: false,
        }
    }

    /// What the other side said it takes.
    pub(super) fn limit(&mut self, max_receive: u16) {
        self.longest = usize::from(max_receive.max(MIN_FRAGMENT)).min(MAX_FRAGMENT);
    }

    /// The next whole message; `None` if the other side closed before it began. Cancel safe.
    pub(super) async fn message(&mut self) -> Result<Option<(u32, Pdu)>, RpcError> {
        loop {
            let Some(fragment) = self.fragment().await? else { return Ok(None) };
            if let Some(message) = self.join(fragment)? {
                return Ok(Some(message));
            }
        }
    }

    pub(super) async fn send(&mut self, call: u32, pdu: Pdu) -> Result<(), RpcError> {
        if std::mem::replace(&mut self.sending, true) {
            return Err(RpcError::Interrupted);
        }
        for fragment in cut(call, pdu, self.longest)? {
            self.io.write_all(&fragment.encode()).await?;
        }
        self.io.flush().await?;
        self.sending = false;
        Ok(())
    }

    async fn fragment(&mut self) -> Result<Option<Fragment>, RpcError> {
        loop {
            if let Some(length) = fragment_length(&self.received)?
                && self.received.len() >= length
            {
                let bytes = self.received.split_to(length).freeze();
                return match Fragment::decode(&bytes) {
                    Ok(fragment) => Ok(Some(fragment)),
                    Err(unreadable) => {
                        if let Some((call, reason)) = unreadable.nak {
                            self.send(call, Pdu::BindNak { reason }).await?;
                        }
                        Err(unreadable.error)
                    }
                };
            }
            self.received.reserve(MAX_FRAGMENT);
            if self.io.read_buf(&mut self.received).await? == 0 {
                return match self.received.is_empty() && self.joining.is_none() {
                    true => Ok(None),
                    false => Err(RpcError::Closed("a PDU")),
                };
            }
        }
    }

    /// One call's fragments follow each other: nothing comes between them but what is whole in itself.
    fn join(&mut self, fragment: Fragment) -> Result<Option<(u32, Pdu)>, RpcError> {
        let Fragment { call, first, last, pdu } = fragment;
        let (Pdu::Request { stub, .. } | Pdu::Response { stub, .. }) = &pdu else {
            return Ok(Some((call, pdu)));
        };
        let mut joining = match self.joining.take() {
            None if first && last => return Ok(Some((call, pdu))),
            None if first => Joining { call, stub: BytesMut::new(), head: pdu.clone() },
            Some(joining) if !first && joining.call == call && joining.fits(&pdu) => joining,
            _ => return Err(RpcError::Malformed("PDU: a fragment of another call, or out of order")),
        };
        if joining.stub.len() + stub.len() > MAX_STUB {
            return Err(RpcError::TooLong { what: "a stub", limit: MAX_STUB });
        }
        joining.stub.extend_from_slice(stub);
        if last {
            return Ok(Some((call, joining.head.with(joining.stub.freeze()))));
        }
        self.joining = Some(joining);
        Ok(None)
    }
}

impl Joining {
    fn fits(&self, pdu: &Pdu) -> bool {
        self.head.clone().with(Bytes::new()) == pdu.clone().with(Bytes::new())
    }
}

impl Pdu {
    /// The same request or response with another stub.
    fn with(self, stub: Bytes) -> Pdu {
        match self {
            Pdu::Request { context, opnum, .. } => Pdu::Request { context, opnum, stub },
            Pdu::Response { context, .. } => Pdu::Response { context, stub },
            other => other,
        }
    }
}

fn cut(call: u32, pdu: Pdu, longest: usize) -> Result<Vec<Fragment>, RpcError> {
    let whole = |pdu| Fragment { call, first: true, last: true, pdu };
    let stub = match &pdu {
        Pdu::Request { stub, .. } | Pdu::Response { stub, .. } => stub.clone(),
        _ => return Ok(vec![whole(pdu)]),
    };
    if stub.len() > MAX_STUB {
        return Err(RpcError::TooLong { what: "a stub", limit: MAX_STUB });
    }
    // [MS-RPCE] 2.2.2: every fragment but the last holds a multiple of 8 bytes of the stub.
    let room = (longest - CALL_HEADER) / 8 * 8;
    let pieces = stub.len().div_ceil(room).max(1);
    Ok((0..pieces)
        .map(|piece| Fragment {
            call,
            first: piece == 0,
            last: piece + 1 == pieces,
            pdu: pdu.clone().with(stub.slice(piece * room..stub.len().min((piece + 1) * room))),
        })
        .collect())
}

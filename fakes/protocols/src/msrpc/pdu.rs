//! The PDUs of connection-oriented DCE/RPC, version 5.0: [C706] 12.6, [MS-RPCE] 2.2.2. One value is one fragment.

use bytes::Bytes;

use super::RpcError;
use super::ndr::{Reader, Writer};

/// The longest fragment sent and taken, what Windows offers over TCP.
pub(crate) const MAX_FRAGMENT: usize = 5840;
/// The common header, [C706] 12.6.3.1.
pub(super) const HEADER: usize = 16;
/// Header and fixed fields of a request or response: what a fragment holds besides the stub.
pub(super) const CALL_HEADER: usize = 24;
/// The presentation contexts taken in one bind.
const MAX_CONTEXTS: u8 = 16;

const FIRST: u8 = 0x01;
const LAST: u8 = 0x02;
const OBJECT: u8 = 0x80;
/// Little endian, ASCII, IEEE.
const DREP: [u8; 4] = [0x10, 0, 0, 0];

/// An interface: its UUID as it lies on the wire, and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Syntax {
    pub(super) uuid: [u8; 16],
    pub(super) major: u16,
    pub(super) minor: u16,
}

/// a4f1db00-ca47-1067-b31f-00dd010662da version 0.81, [MS-OXCRPC] 1.9.
pub(super) const EMSMDB: Syntax = Syntax {
    uuid: [0x00, 0xdb, 0xf1, 0xa4, 0x47, 0xca, 0x67, 0x10, 0xb3, 0x1f, 0x00, 0xdd, 0x01, 0x06, 0x62, 0xda],
    major: 0,
    minor: 81,
};
/// 5261574a-4572-206e-b268-6b199213b4e4 version 0.1, [MS-OXCRPC] 1.9.
pub(super) const ASYNC_EMSMDB: Syntax = Syntax {
    uuid: [0x4a, 0x57, 0x61, 0x52, 0x72, 0x45, 0x6e, 0x20, 0xb2, 0x68, 0x6b, 0x19, 0x92, 0x13, 0xb4, 0xe4],
    major: 0,
    minor: 1,
};
/// NDR: 8a885d04-1ceb-11c9-9fe8-08002b104860 version 2, [C706] appendix I.
pub(super) const NDR: Syntax = Syntax {
    uuid: [0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60],
    major: 2,
    minor: 0,
};

/// Why a context was not taken: `p_provider_reason_t`.
pub(super) const ABSTRACT_SYNTAX_NOT_SUPPORTED: u16 = 1;
pub(super) const TRANSFER_SYNTAXES_NOT_SUPPORTED: u16 = 2;
/// Why a bind was refused: `p_reject_reason_t`, and [MS-RPCE] 2.2.2.5 for the last.
pub(super) const REASON_NOT_SPECIFIED: u16 = 0;
pub(super) const PROTOCOL_VERSION_NOT_SUPPORTED: u16 = 4;
pub(super) const AUTHENTICATION_NOT_RECOGNIZED: u16 = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) max_send: u16,
    pub(super) max_receive: u16,
    pub(super) contexts: Vec<Offer>,
}

/// A presentation context: an interface and the encodings offered for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) id: u16,
    pub(super) interface: Syntax,
    pub(super) encodings: Vec<Syntax>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BindAck {
    pub(super) max_send: u16,
    pub(super) max_receive: u16,
    /// One for each context, in the order of the bind: taken, or why not.
    pub(super) results: Vec<Result<(), u16>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pdu {
    Request {
        context: u16,
        opnum: u16,
        stub: Bytes,
    },
    Response {
        context: u16,
        stub: Bytes,
    },
    Fault {
        context: u16,
        status: u32,
    },
    Bind(Bind),
    BindAck(BindAck),
    BindNak {
        reason: u16,
    },
    AlterContext(Bind),
    AlterContextResp(BindAck),
    /// co_cancel or orphaned: the client no longer wants an answer.
    GivenUp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) call: u32,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) pdu: Pdu,
}

/// A fragment that cannot be taken, and what a server says to it if it is a bind.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) error: RpcError,
    pub(super) nak: Option<(u32, u16)>,
}

/// The length of the fragment that starts with these bytes, once its header is here.
pub(crate) fn fragment_length(start: &[u8]) -> Result<Option<usize>, RpcError> {
    // Garbage is refused as early as it shows, not when sixteen bytes of it are here.
    if start.first().is_some_and(|major| *major != 5) {
        return Err(RpcError::Malformed("PDU: not version 5 of DCE/RPC"));
    }
    if start.get(4).is_some_and(|order| order & 0xF0 != DREP[0]) {
        return Err(RpcError::Malformed("PDU: not little endian"));
    }
    let Some(header) = start.get(..HEADER) else { return Ok(None) };
    let length = usize::from(u16::from_le_bytes([header[8], header[9]]));
    match length {
        0..HEADER => Err(RpcError::Malformed("PDU: shorter than its header")),
        HEADER..=MAX_FRAGMENT => Ok(Some(length)),
        _ => Err(RpcError::TooLong { what: "a fragment", limit: MAX_FRAGMENT }),
    }
}

impl Fragment {
    /// From exactly the bytes of one fragment, which [`fragment_length`] has let through.
    pub(super) fn decode(bytes: &Bytes) -> Result<Fragment, Unreadable> {
        let mut nak = None;
        Fragment::read(bytes, &mut nak).map_err(|error| Unreadable { error, nak })
    }

    fn read(bytes: &Bytes, nak: &mut Option<(u32, u16)>) -> Result<Fragment, RpcError> {
        let mut reader = Reader::new(bytes, "PDU");
        let (_major, minor, kind, flags) = (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
        let _drep = reader.u32()?;
        let (length, auth_length, call) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let refuse = |nak: &mut Option<_>, reason| {
            if kind == 11 {
                *nak = Some((call, reason));
            }
        };
        if minor > 1 {
            refuse(nak, PROTOCOL_VERSION_NOT_SUPPORTED);
            return Err(RpcError::Malformed("PDU: neither version 5.0 nor 5.1 of DCE/RPC"));
        }
        if usize::from(length) != bytes.len() {
            return Err(RpcError::Malformed("PDU: of another length than it says"));
        }
        if auth_length != 0 {
            refuse(nak, AUTHENTICATION_NOT_RECOGNIZED);
            return Err(RpcError::Malformed("PDU: authenticated"));
        }
        refuse(nak, REASON_NOT_SPECIFIED);
        let pdu = match kind {
            0 => {
                let (_alloc_hint, context, opnum) = (reader.u32()?, reader.u16()?, reader.u16()?);
                let start = if flags & OBJECT != 0 { CALL_HEADER + 16 } else { CALL_HEADER };
                if bytes.len() < start {
                    return Err(reader.malformed());
                }
                Pdu::Request { context, opnum, stub: bytes.slice(start..) }
            }
            2 => {
                let (_alloc_hint, context, _cancels, _reserved) =
                    (reader.u32()?, reader.u16()?, reader.u8()?, reader.u8()?);
                Pdu::Response { context, stub: bytes.slice(CALL_HEADER..) }
            }
            3 => {
                let (_alloc_hint, context, _cancels, _reserved) =
                    (reader.u32()?, reader.u16()?, reader.u8()?, reader.u8()?);
                Pdu::Fault { context, status: reader.u32()? }
            }
            11 => Pdu::Bind(Bind::read(&mut reader)?),
            12 => Pdu::BindAck(BindAck::read(&mut reader)?),
            13 => Pdu::BindNak { reason: reader.u16()? },
            14 => Pdu::AlterContext(Bind::read(&mut reader)?),
            15 => Pdu::AlterContextResp(BindAck::read(&mut reader)?),
            18 | 19 => Pdu::GivenUp,
            other => return Err(RpcError::Unexpected(other)),
        };
        Ok(Fragment { call, first: flags & FIRST != 0, last: flags & LAST != 0, pdu })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let kind = match self.pdu {
            Pdu::Request { .. } => 0,
            Pdu::Response { .. } => 2,
            Pdu::Fault { .. } => 3,
            Pdu::Bind(_) => 11,
            Pdu::BindAck(_) => 12,
            Pdu::BindNak { .. } => 13,
            Pdu::AlterContext(_) => 14,
            Pdu::AlterContextResp(_) => 15,
            Pdu::GivenUp => 19,
        };
        let flags = if self.first { FIRST } else { 0 } | if self.last { LAST } else { 0 };
        out.put(&[5, 0, kind, flags]).put(&DREP).u16(0).u16(0).u32(self.call);
        match &self.pdu {
            Pdu::Request { context, opnum, stub } => {
                out.u32(length(stub)).u16(*context).u16(*opnum).put(stub);
            }
            Pdu::Response { context, stub } => {
                out.u32(length(stub)).u16(*context).u16(0).put(stub);
            }
            Pdu::Fault { context, status } => {
                out.u32(0).u16(*context).u16(0).u32(*status).u32(0);
            }
            Pdu::Bind(bind) | Pdu::AlterContext(bind) => bind.write(&mut out),
            Pdu::BindAck(ack) | Pdu::AlterContextResp(ack) => ack.write(&mut out),
            // One protocol version is offered instead: 5.0.
            Pdu::BindNak { reason } => {
                out.u16(*reason).put(&[1, 5, 0]);
            }
            Pdu::GivenUp => {}
        }
        let mut bytes = out.done();
        let length = u16::try_from(bytes.len()).expect("no fragment is longer than MAX_FRAGMENT");
        bytes[8..10].copy_from_slice(&length.to_le_bytes());
        bytes
    }
}

fn length(stub: &Bytes) -> u32 {
    u32::try_from(stub.len()).expect("no fragment is longer than MAX_FRAGMENT")
}

impl Bind {
    fn read(reader: &mut Reader<'_>) -> Result<Bind, RpcError> {
        let (max_send, max_receive, _group) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let count = reader.u8()?;
        reader.take(3)?;
        if count == 0 || count > MAX_CONTEXTS {
            return Err(RpcError::Malformed("bind: no context, or too many"));
        }
        let mut contexts = Vec::new();
        for _ in 0..count {
            let (id, encodings, _reserved) = (reader.u16()?, reader.u8()?, reader.u8()?);
            let interface = Syntax::read(reader)?;
            let encodings = (0..encodings).map(|_| Syntax::read(reader)).collect::<Result<_, _>>()?;
            contexts.push(Offer { id, interface, encodings });
        }
        Ok(Bind { max_send, max_receive, contexts })
    }

    fn write(&self, out: &mut Writer) {
        let count = u8::try_from(self.contexts.len()).expect("two contexts are offered");
        out.u16(self.max_send).u16(self.max_receive).u32(0).put(&[count, 0, 0, 0]);
        for offer in &self.contexts {
            let encodings = u8::try_from(offer.encodings.len()).expect("one encoding is offered");
            out.u16(offer.id).put(&[encodings, 0]);
            offer.interface.write(out);
            offer.encodings.iter().for_each(|encoding| encoding.write(out));
        }
    }
}

impl BindAck {
    fn read(reader: &mut Reader<'_>) -> Result<BindAck, RpcError> {
        let (max_send, max_receive, _group) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let address = reader.u16()?;
        reader.take(usize::from(address))?;
        reader.align(4)?;
        let count = reader.u8()?;
        reader.take(3)?;
        let mut results = Vec::new();
        for _ in 0..count {
            let (result, reason) = (reader.u16()?, reader.u16()?);
            Syntax::read(reader)?;
            results.push(if result == 0 { Ok(()) } else { Err(reason) });
        }
        Ok(BindAck { max_send, max_receive, results })
    }

    fn write(&self, out: &mut Writer) {
        let count = u8::try_from(self.results.len()).expect("no more results than contexts");
        // The association group is 1: handles do not outlive a connection. The secondary address is left empty.
        out.u16(self.max_send).u16(self.max_receive).u32(1).u16(0).align(4).put(&[count, 0, 0, 0]);
        for result in &self.results {
            match result {
                Ok(()) => {
                    out.u16(0).u16(0);
                    NDR.write(out);
                }
                Err(reason) => {
                    out.u16(2).u16(*reason).put(&[0; 20]);
                }
            }
        }
    }
}

impl Syntax {
    fn read(reader: &mut Reader<'_>) -> Result<Syntax, RpcError> {
        Ok(Syntax { uuid: reader.array()?, major: reader.u16()?, minor: reader.u16()? })
    }

    fn write(&self, out: &mut Writer) {
        out.put(&self.uuid).u16(self.major).u16(self.minor);
    }
}

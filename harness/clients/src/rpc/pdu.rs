//! PDUs of connection-oriented DCE/RPC as a client writes and reads them: [C706] 12.6, [MS-RPCE] 2.2.2. Little endian.

use bytes::{Bytes, BytesMut};

use super::octets::{Octets, Short, Written};

/// PTYPEs, [C706] 12.6.4.
pub(super) const RESPONSE: u8 = 2;
pub(super) const FAULT: u8 = 3;
pub(super) const BIND_ACK: u8 = 12;
pub(super) const BIND_NAK: u8 = 13;
/// [MS-RPCH] 2.2.3.6.1
pub(super) const RTS: u8 = 20;

/// The longest PDU that is read.
const LONGEST: usize = 8 * 1024;
const HEADER: usize = 16;
/// What Windows offers over TCP.
const FRAGMENT: u16 = 5840;
const FIRST_AND_LAST: u8 = 0x03;

/// An interface on the wire: UUID and version.
pub(super) struct Interface {
    pub(super) uuid: [u8; 16],
    pub(super) version: (u16, u16),
}

/// EMSMDB, [MS-OXCRPC] 1.9: a4f1db00-ca47-1067-b31f-00dd010662da, 0.81.
pub(super) const EMSMDB: Interface = Interface {
    uuid: [0x00, 0xdb, 0xf1, 0xa4, 0x47, 0xca, 0x67, 0x10, 0xb3, 0x1f, 0x00, 0xdd, 0x01, 0x06, 0x62, 0xda],
    version: (0, 81),
};
/// The endpoint mapper, [C706] appendix O: e1af8308-5d1f-11c9-91a4-08002b14a0fa, 3.0.
pub(super) const ENDPOINT_MAPPER: Interface = Interface {
    uuid: [0x08, 0x83, 0xaf, 0xe1, 0x1f, 0x5d, 0xc9, 0x11, 0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa],
    version: (3, 0),
};
/// NDR, [C706] appendix I: 8a885d04-1ceb-11c9-9fe8-08002b104860, 2.0.
pub(super) const NDR: Interface = Interface {
    uuid: [0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60],
    version: (2, 0),
};

/// A PDU as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pdu {
    pub(super) kind: u8,
    pub(super) last: bool,
    pub(super) call: u32,
    /// What follows the common header.
    pub(super) rest: Bytes,
    /// How long it is in all.
    pub(super) length: usize,
}

/// Takes one PDU off the front of what has been read.
pub(super) fn take(read: &mut BytesMut) -> Result<Option<Pdu>, String> {
    if read.first().is_some_and(|version| *version != 5) {
        return Err("what came is no PDU of DCE/RPC".to_owned());
    }
    let Some(header) = read.get(..HEADER) else { return Ok(None) };
    let length = usize::from(u16::from_le_bytes([header[8], header[9]]));
    if !(HEADER..=LONGEST).contains(&length) || header[4] & 0xF0 != 0x10 {
        return Err(format!("a PDU of {length} bytes, or in another byte order"));
    }
    if read.len() < length {
        return Ok(None);
    }
    let whole = read.split_to(length).freeze();
    let call = u32::from_le_bytes([whole[12], whole[13], whole[14], whole[15]]);
    let (kind, last) = (whole[2], whole[3] & 0x02 != 0);
    Ok(Some(Pdu { kind, last, call, rest: whole.slice(HEADER..), length }))
}

/// Whether a PDU, or what is none, can be taken off the front.
pub(super) fn is_whole(read: &[u8]) -> bool {
    let length = read.get(8..10).map(|length| usize::from(u16::from_le_bytes([length[0], length[1]])));
    read.first() != Some(&5) || read.len() >= HEADER && length.is_none_or(|length| read.len() >= length)
}

fn pdu(kind: u8, call: u32, rest: &[u8]) -> Bytes {
    let length = u16::try_from(HEADER + rest.len()).expect("a client's PDU is short");
    let mut out = Written::default();
    out.put(&[5, 0, kind, FIRST_AND_LAST, 0x10, 0, 0, 0]).u16(length).u16(0).u32(call).put(rest);
    out.done()
}

/// A bind to one interface, as context 0.
pub(super) fn bind(call: u32, interface: &Interface) -> Bytes {
    let mut out = Written::default();
    out.u16(FRAGMENT).u16(FRAGMENT).u32(0).put(&[1, 0, 0, 0]).u16(0).put(&[1, 0]);
    for Interface { uuid, version } in [interface, &NDR] {
        out.put(uuid).u16(version.0).u16(version.1);
    }
    pdu(11, call, &out.done())
}

/// Whether a bind was taken.
pub(super) fn bound(answer: &Pdu) -> Result<(), String> {
    match answer.kind {
        BIND_ACK => {
            let mut read = Octets::new(&answer.rest);
            let results =
                read_results(&mut read).map_err(|Short| "the answer to a bind ends early".to_owned())?;
            match results[..] {
                [0] => Ok(()),
                _ => Err("the server does not offer the interface".to_owned()),
            }
        }
        BIND_NAK => Err("the server refused to bind".to_owned()),
        other => Err(format!("a bind was answered with a PDU of type {other}")),
    }
}

fn read_results(read: &mut Octets<'_>) -> Result<Vec<u16>, Short> {
    read.take(8)?;
    let address = usize::from(read.u16()?);
    read.take(address)?;
    // Aligned in the PDU, whose header is a multiple of four.
    read.align(4)?;
    let count = read.take(4)?[0];
    (0..count)
        .map(|_| {
            let result = read.u16()?;
            read.take(22)?;
            Ok(result)
        })
        .collect()
}

/// A call of context 0.
pub(super) fn request(call: u32, opnum: u16, stub: &[u8]) -> Bytes {
    let mut out = Written::default();
    out.u32(u32::try_from(stub.len()).expect("a stub is short")).u16(0).u16(opnum).put(stub);
    pdu(0, call, &out.done())
}

/// A fragment of the answer to a call.
pub(super) fn answered(answer: &Pdu) -> Result<Bytes, String> {
    match (answer.kind, answer.rest.get(8..12)) {
        (RESPONSE, _) if answer.rest.len() >= 8 => Ok(answer.rest.slice(8..)),
        (FAULT, Some(status)) => {
            let status = u32::from_le_bytes([status[0], status[1], status[2], status[3]]);
            Err(format!("the call was answered with fault {status:#010x}"))
        }
        (other, _) => Err(format!("the call was answered with a PDU of type {other}")),
    }
}

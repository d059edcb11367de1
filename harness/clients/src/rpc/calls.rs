//! The calls by which Outlook opens a mailbox and proves whose it is ([MS-OXCRPC] 3.1.4, [MS-OXCROPS] 2.2), and the one of
//! the endpoint mapper ([C706] appendix O).

use bytes::Bytes;

use super::octets::{Octets, Short, Written};
use super::pdu::{EMSMDB, NDR};
use crate::rop;

pub(super) const DISCONNECT: u16 = 1;
pub(super) const CONNECT: u16 = 10;
pub(super) const EXECUTE: u16 = 11;
pub(super) const MAP: u16 = 3;

/// A session context.
pub(super) type Session = [u8; 20];

/// No other session to be linked with, [MS-OXCRPC] 3.1.4.1.
const NO_LINK: u32 = 0xFFFF_FFFF;
/// The longest tower that is read.
const LONGEST_TOWER: u32 = 1024;

/// EcDoConnectEx as the user of this legacyExchangeDN.
pub(super) fn connect(dn: &str) -> Bytes {
    let mut out = Written::default();
    out.string(dn);
    // ulFlags, ulConMod, cbLimit, ulCpid 1252, ulLcidString, ulLcidSort, ulIcxrLink.
    for value in [0, 0, 0, 1252, 0x0409, 0x0409, NO_LINK] {
        out.long(value);
    }
    // usFCanConvertCodePages; rgwClientVersion 15.0.4420.1017, packed as [MS-OXCRPC] 3.1.4.1.3.1 says; no timestamp and no
    // auxiliary buffer, 0x1008 bytes of room for one.
    out.u16(1).u16(15 << 8).u16(0x8000 | 4420).u16(1017).long(0).conformant(&[]).long(0).long(0x1008);
    out.done()
}

/// The session that EcDoConnectEx gives, or why it gives none.
pub(super) fn connected(stub: &[u8]) -> Result<Session, String> {
    let mut read = Octets::new(stub);
    let session: Session = early(read.array(), "EcDoConnectEx")?;
    match code(stub, "EcDoConnectEx")? {
        0 => Ok(session),
        // ecUnknownUser, [MS-OXCDATA] 2.4.
        0x3EB => Err("the server knows no such mailbox".to_owned()),
        code => Err(format!("EcDoConnectEx was answered with error {code:#x}")),
    }
}

/// EcDoRpcExt2 with the ROPs that ask whose the DN's own mailbox is.
pub(super) fn ask_owner(session: &Session, dn: &str) -> Bytes {
    let buffer = rop::log_on_and_ask_owner(dn);
    let length = u32::try_from(buffer.len()).expect("two ROPs are short");
    let mut out = Written::default();
    out.put(session)
        .long(3)
        .conformant(&buffer)
        .long(length)
        .long(0x8008)
        .conformant(&[])
        .long(0)
        .long(0x1008);
    out.done()
}

/// Whose mailbox it is, from the answer: an address.
pub(super) fn owner(stub: &[u8]) -> Result<String, String> {
    match code(stub, "EcDoRpcExt2")? {
        0 => rop::owner(early(answer(stub), "EcDoRpcExt2")?),
        code => Err(format!("EcDoRpcExt2 was answered with error {code:#x}")),
    }
}

/// The ROP buffer that came back.
fn answer(stub: &[u8]) -> Result<&[u8], Short> {
    let mut read = Octets::new(stub);
    read.take(20)?;
    read.long()?;
    read.varying()
}

/// EcDoDisconnect.
pub(super) fn disconnect(session: &Session) -> Bytes {
    Bytes::copy_from_slice(session)
}

/// ept_map for EMSMDB over TCP.
pub(super) fn map() -> Bytes {
    let mut tower = Written::default();
    tower.u16(5);
    for interface in [&EMSMDB, &NDR] {
        let (major, minor) = interface.version;
        tower.u16(19).put(&[0x0D]).put(&interface.uuid).u16(major).u16(2).u16(minor);
    }
    tower.u16(1).put(&[0x0B]).u16(2).u16(0);
    tower.u16(1).put(&[0x07]).u16(2).put(&[0, 0]);
    tower.u16(1).put(&[0x09]).u16(4).put(&[0; 4]);
    let tower = tower.done();
    let length = u32::try_from(tower.len()).expect("a tower is short");
    let mut out = Written::default();
    // No object; the tower; no handle yet; one tower is enough.
    out.long(0).long(1).long(length).long(length).put(&tower).long(0).put(&[0; 16]).long(1);
    out.done()
}

/// The port in the first tower that came back.
pub(super) fn mapped(stub: &[u8]) -> Result<u16, String> {
    match code(stub, "ept_map")? {
        0 => {}
        // EPT_S_NOT_REGISTERED
        0x16C9_A0D6 => return Err("the endpoint mapper knows of no mailboxes there".to_owned()),
        code => return Err(format!("ept_map was answered with error {code:#x}")),
    }
    early(read_port(stub), "ept_map")?.ok_or("the tower that came back names no port".to_owned())
}

fn read_port(stub: &[u8]) -> Result<Option<u16>, Short> {
    let mut read = Octets::new(stub);
    read.take(20)?;
    if read.long()? == 0 {
        return Ok(None);
    }
    let (_most, _offset, count) = (read.long()?, read.long()?, read.long()?);
    // A pointer for each, then what they point to.
    for _ in 0..count.min(16) {
        read.long()?;
    }
    let (_most, length) = (read.long()?, read.long()?);
    let mut tower = Octets::new(read.take(length.min(LONGEST_TOWER) as usize)?);
    for _ in 0..tower.u16()?.min(8) {
        let left = usize::from(tower.u16()?);
        let left = tower.take(left)?;
        let right = usize::from(tower.u16()?);
        if let (&[0x07], &[high, low]) = (left, tower.take(right)?) {
            return Ok(Some(u16::from_be_bytes([high, low])));
        }
    }
    Ok(None)
}

/// What a call returned: the last four bytes of its stub.
fn code(stub: &[u8], what: &str) -> Result<u32, String> {
    let last = stub.last_chunk::<4>().ok_or(format!("the answer to {what} ends early"))?;
    Ok(u32::from_le_bytes(*last))
}

fn early<T>(read: Result<T, Short>, what: &str) -> Result<T, String> {
    read.map_err(|Short| format!("the answer to {what} ends early"))
}

//! The calls by which Outlook opens a mailbox and proves whose it is ([MS-OXCRPC] 3.1.4, [MS-OXCROPS] 2.2), and the one of
//! the endpoint mapper ([C706] appendix O).

use bytes::Bytes;

use super::octets::{Octets, Short, Written};
use super::pdu::{EMSMDB, NDR};

pub(super) const DISCONNECT: u16 = 1;
pub(super) const CONNECT: u16 = 10;
pub(super) const EXECUTE: u16 = 11;
pub(super) const MAP: u16 = 3;

/// A session context.
pub(super) type Session = [u8; 20];

/// PidTagMailboxOwnerName in UTF-16, [MS-OXPROPS].
const OWNER: u32 = 0x661C_001F;
/// A handle that the server fills in, [MS-OXCROPS] 2.2.1.
const UNSET: u32 = 0xFFFF_FFFF;
/// The longest tower that is read.
const LONGEST_TOWER: u32 = 1024;

/// EcDoConnectEx as the user of this legacyExchangeDN.
pub(super) fn connect(dn: &str) -> Bytes {
    let mut out = Written::default();
    out.string(dn);
    // ulFlags, ulConMod, cbLimit, ulCpid 1252, ulLcidString, ulLcidSort, ulIcxrLink.
    for value in [0, 0, 0, 1252, 0x0409, 0x0409, UNSET] {
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

/// EcDoRpcExt2 with RopLogon to the DN's own mailbox and RopGetPropertiesSpecific for its owner.
pub(super) fn ask_owner(session: &Session, dn: &str) -> Bytes {
    let mut rops = Written::default();
    let name: Vec<u8> = dn.bytes().chain([0]).collect();
    let length = u16::try_from(name.len()).expect("a DN is short");
    // RopLogon: handle 0, Private; flags as [MS-OXCSTOR] 2.2.1.1.1 has them for one's own mailbox.
    rops.put(&[0xFE, 0, 0, 0x01]).u32(0x0100_040C).u32(0).u16(length).put(&name);
    // RopGetPropertiesSpecific: no limit of size, UTF-16, one tag.
    rops.put(&[0x07, 0, 0]).u16(0).u16(1).u16(1).u32(OWNER);
    let rops = rops.done();
    let size = u16::try_from(rops.len() + 2).expect("two ROPs are short");
    let mut payload = Written::default();
    payload.u16(size).put(&rops).u32(UNSET);
    let payload = payload.done();
    let length = u16::try_from(payload.len()).expect("two ROPs are short");
    let mut buffer = Written::default();
    // RPC_HEADER_EXT: version 0, the last one, neither compressed nor obscured.
    buffer.u16(0).u16(4).u16(length).u16(length).put(&payload);
    let buffer = buffer.done();
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
        0 => early(read_owner(stub), "EcDoRpcExt2")?,
        code => Err(format!("EcDoRpcExt2 was answered with error {code:#x}")),
    }
}

fn read_owner(stub: &[u8]) -> Result<Result<String, String>, Short> {
    let mut read = Octets::new(stub);
    read.take(20)?;
    read.long()?;
    let mut buffer = Octets::new(read.varying()?);
    buffer.take(8)?;
    let size = usize::from(buffer.u16()?).checked_sub(2).ok_or(Short)?;
    let mut rops = Octets::new(buffer.take(size)?);
    rops.take(2)?;
    let code = rops.u32()?;
    if code != 0 {
        return Ok(Err(format!("RopLogon was answered with error {code:#x}")));
    }
    // LogonFlags, 13 folders, ResponseFlags, MailboxGuid, ReplId, ReplGuid, LogonTime, GwartTime, StoreState.
    rops.take(1 + 13 * 8 + 1 + 16 + 2 + 16 + 8 + 8 + 4)?;
    rops.take(2)?;
    let code = rops.u32()?;
    let flagged = rops.take(1)?[0] != 0;
    match (code, flagged) {
        (0, false) => Ok(Ok(rops.wide()?)),
        (code, _) => Ok(Err(format!("the mailbox names no owner (error {code:#x})"))),
    }
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

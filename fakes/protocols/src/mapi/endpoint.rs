//! The mailbox endpoint, `/mapi/emsmdb`: bodies of [MS-OXCMAPIHTTP] 2.2.4, little-endian without alignment.

use std::sync::PoisonError;

use super::sessions::Kind;
use super::{AddressBook, Ask, Code, Place, Ready, Served};
use crate::msrpc::{self, Reader, RpcError, Writer, ec};

/// The longest DN that is read.
const MAX_DN: usize = 1024;
/// ecBufferTooSmall, [MS-OXCDATA] 2.4.
const BUFFER_TOO_SMALL: u32 = 0x0000_047D;

pub(super) fn serve(place: &Place<'_>, people: &dyn AddressBook, ask: &Ask<'_>) -> Result<Served, Code> {
    match ask.kind {
        "Connect" => connect(place, people, ask.body),
        "Execute" => {
            // A request that is refused for its form has not taken its turn.
            let (buffer, most) = execute_request(ask.body)?;
            let session = ask.session(place, Kind::Mailbox, true)?;
            let state = session.rops.as_ref().ok_or(Code::ContextNotFound)?;
            let answer = msrpc::payload(buffer).and_then(|rops| {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                state.execute(rops).and_then(|rops| msrpc::extended(&rops))
            });
            let (code, buffer) = match answer {
                Ok(buffer) if buffer.len() > most => (BUFFER_TOO_SMALL, vec![]),
                Ok(buffer) => (0, buffer),
                Err(_) => (ec::RPC_FORMAT, vec![]),
            };
            let mut out = Writer::default();
            // StatusCode, ErrorCode, Flags, RopBufferSize, RopBuffer, AuxiliaryBufferSize.
            out.u32(0).u32(code).u32(0).u32(length(&buffer)).put(&buffer).u32(0);
            Ok(Served { cookies: session.cookies(), body: Ready::Now(out.done()) })
        }
        "NotificationWait" => {
            let mut reader = Reader::new(ask.body, "NotificationWait");
            reader.u32()?;
            auxiliary(reader)?;
            let session = ask.session(place, Kind::Mailbox, false)?;
            let rops = session.rops.clone().ok_or(Code::ContextNotFound)?;
            Ok(Served { cookies: vec![], body: Ready::WhenChanged(session, rops) })
        }
        "PING" => {
            ask.session(place, Kind::Mailbox, false)?;
            Ok(Served { cookies: vec![], body: Ready::Now(vec![]) })
        }
        "Disconnect" => {
            auxiliary(Reader::new(ask.body, "Disconnect"))?;
            let session = ask.session(place, Kind::Mailbox, false)?;
            place.sessions.end(&session);
            // StatusCode, ErrorCode, AuxiliaryBufferSize.
            Ok(Served { cookies: vec![], body: Ready::Now(vec![0; 12]) })
        }
        _ => Err(Code::InvalidRequestType),
    }
}

/// The answer to NotificationWait: StatusCode, ErrorCode, EventPending, AuxiliaryBufferSize.
pub(super) fn waited(pending: bool) -> Vec<u8> {
    let mut out = Writer::default();
    out.u32(0).u32(0).u32(u32::from(pending)).u32(0);
    out.done()
}

/// What follows the fields of every request: the auxiliary buffer, and then nothing.
pub(super) fn auxiliary(mut reader: Reader<'_>) -> Result<(), RpcError> {
    let size = reader.u32()? as usize;
    reader.take(size)?;
    if reader.is_empty() { Ok(()) } else { Err(reader.malformed()) }
}

/// A string of 8-bit characters up to its NUL.
pub(super) fn ascii(reader: &mut Reader<'_>, most: usize) -> Result<String, RpcError> {
    let mut text = vec![];
    loop {
        match reader.u8()? {
            0 => return String::from_utf8(text).map_err(|_| reader.malformed()),
            _ if text.len() == most => return Err(RpcError::TooLong { what: "a string", limit: most }),
            byte => text.push(byte),
        }
    }
}

fn connect(place: &Place<'_>, people: &dyn AddressBook, body: &[u8]) -> Result<Served, Code> {
    let mut reader = Reader::new(body, "Connect");
    let user_dn = ascii(&mut reader, MAX_DN)?;
    // Flags, DefaultCodePage, LcidSort, LcidString.
    reader.take(16)?;
    auxiliary(reader)?;
    let code = match people.find(&user_dn) {
        None => ec::UNKNOWN_USER,
        Some(entry) if entry != place.owner => ec::ACCESS_DENIED,
        Some(_) => 0,
    };
    let mut out = Writer::default();
    // StatusCode, ErrorCode; PollsMax one minute, RetryCount 6, RetryDelay ten seconds.
    out.u32(0).u32(code);
    if code != 0 {
        out.u32(0).u32(0).u32(0).u8(0).utf16("").u32(0);
        return Ok(Served { cookies: vec![], body: Ready::Now(out.done()) });
    }
    out.u32(60_000).u32(6).u32(10_000).u8(0).utf16(&place.owner.display_name).u32(0);
    let rops = msrpc::RopSession::new(msrpc::NO_HANDLE, user_dn, place.inbox.clone());
    let session = place.sessions.make(&place.inbox.owner().guid, Some(rops));
    Ok(Served { cookies: session.cookies(), body: Ready::Now(out.done()) })
}

/// The ROP buffer, and the most that its answer may be.
fn execute_request(body: &[u8]) -> Result<(&[u8], usize), RpcError> {
    let mut reader = Reader::new(body, "Execute");
    let (_flags, size) = (reader.u32()?, reader.u32()? as usize);
    let buffer = reader.take(size)?;
    let most = reader.u32()? as usize;
    auxiliary(reader)?;
    Ok((buffer, most))
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("an extended buffer is shorter than 64 KiB")
}

//! The calls of EMSMDB and AsyncEMSMDB as NDR stubs: [MS-OXCRPC] 3.1.4 and 3.3.4. Arguments in the order of the IDL.

use super::RpcError;
use super::ndr::{Reader, Writer};

pub(super) const EC_DO_DISCONNECT: u16 = 1;
pub(super) const EC_DO_CONNECT_EX: u16 = 10;
pub(super) const EC_DO_RPC_EXT2: u16 = 11;
pub(super) const EC_DO_ASYNC_CONNECT_EX: u16 = 14;
pub(super) const EC_DO_ASYNC_WAIT_EX: u16 = 0;

/// The longest payload of one extended buffer, [MS-OXCRPC] 3.1.4.2.1.
pub(super) const MAX_PAYLOAD: usize = 0x8000;
/// The longest DN that is read.
const MAX_DN: usize = 1024;
/// `Last` of RPC_HEADER_EXT, [MS-OXCRPC] 2.2.2.1.
const LAST: u16 = 0x0004;
/// `NotificationPending`, [MS-OXCRPC] 3.3.4.1.
const NOTIFICATION_PENDING: u32 = 1;

/// A context handle: `ContextHandle` attributes and a UUID.
pub(crate) type Handle = [u8; 20];
/// What a call that failed returns for a handle.
pub(crate) const NO_HANDLE: Handle = [0; 20];

pub(super) struct Connect {
    pub(super) user_dn: String,
}

impl Connect {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.string(&self.user_dn);
        // ulFlags, ulConMod, cbLimit; ulCpid 1252; ulLcidString and ulLcidSort en-US; ulIcxrLink: none.
        for value in [0, 0, 0, 1252, 0x0409, 0x0409, 0xFFFF_FFFF] {
            out.long(value);
        }
        // usFCanConvertCodePages, rgwClientVersion 14.0.4734.1000 as [MS-OXCRPC] 3.1.4.1.3.1 packs it, pulTimeStamp.
        out.u16(1).u16(14 << 8).u16(0x8000 | 4734).u16(1000).long(0);
        out.conformant(&[]).long(0).long(0x1008);
        out.done()
    }

    pub(super) fn decode(stub: &[u8]) -> Result<Connect, RpcError> {
        let mut reader = Reader::new(stub, "EcDoConnectEx");
        let user_dn = reader.string()?;
        if user_dn.len() > MAX_DN {
            return Err(RpcError::TooLong { what: "a DN", limit: MAX_DN });
        }
        for _ in 0..7 {
            reader.long()?;
        }
        reader.take(8)?;
        let (_time, aux, aux_length, _room) =
            (reader.long()?, reader.conformant()?.len(), reader.long()?, reader.long()?);
        match aux == aux_length as usize {
            true => Ok(Connect { user_dn }),
            false => Err(reader.malformed()),
        }
    }
}

pub(super) struct Connected {
    pub(super) session: Handle,
    pub(super) display_name: String,
    /// The server's version in three words, [MS-OXCRPC] 3.1.4.1.3.1.
    pub(super) version: [u16; 3],
    pub(super) code: u32,
}

impl Connected {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        // pcmsPollsMax one minute, pcRetry 6, pcmsRetryDelay ten seconds, picxr.
        out.put(&self.session).long(60_000).long(6).long(10_000).u16(0);
        // szDNPrefix and szDisplayName are pointers to pointers: a referent each.
        out.long(0x0002_0000).string("").long(0x0002_0004).string(&self.display_name).align(2);
        for word in self.version.into_iter().chain(self.version) {
            out.u16(word);
        }
        out.long(0).varying(&[]).long(0).long(self.code);
        out.done()
    }

    pub(super) fn decode(stub: &[u8]) -> Result<Connected, RpcError> {
        let mut reader = Reader::new(stub, "answer to EcDoConnectEx");
        let session = reader.array()?;
        let (_polls, _retry, _delay, _icxr) = (reader.long()?, reader.long()?, reader.long()?, reader.u16()?);
        let mut names = [String::new(), String::new()];
        for name in &mut names {
            if reader.long()? != 0 {
                *name = reader.string()?;
            }
        }
        reader.align(2)?;
        let version = [reader.u16()?, reader.u16()?, reader.u16()?];
        reader.take(6)?;
        let (_time, _aux, _aux_length) = (reader.long()?, reader.varying()?, reader.long()?);
        let [_prefix, display_name] = names;
        Ok(Connected { session, display_name, version, code: reader.long()? })
    }
}

/// EcDoRpcExt2 in either direction: a session, and one extended buffer of ROPs.
pub(super) struct Execute {
    pub(super) session: Handle,
    pub(super) rops: Vec<u8>,
}

impl Execute {
    pub(super) fn encode(&self) -> Result<Vec<u8>, RpcError> {
        let buffer = extended(&self.rops)?;
        let mut out = Writer::default();
        // pulFlags: neither compress nor obscure the answer.
        out.put(&self.session).long(0x0000_0003).conformant(&buffer).long(length(&buffer));
        out.long(length(&buffer).max(0x8008)).conformant(&[]).long(0).long(0x1008);
        Ok(out.done())
    }

    pub(super) fn decode(stub: &[u8]) -> Result<Execute, RpcError> {
        let mut reader = Reader::new(stub, "EcDoRpcExt2");
        let (session, _flags, buffer, count) =
            (reader.array()?, reader.long()?, reader.conformant()?, reader.long()?);
        let (_room, _aux, _aux_length, _aux_room) =
            (reader.long()?, reader.conformant()?, reader.long()?, reader.long()?);
        match buffer.len() == count as usize {
            true => Ok(Execute { session, rops: payload(buffer)?.to_vec() }),
            false => Err(reader.malformed()),
        }
    }

    /// The answer: with ROPs and code 0, or with neither.
    pub(super) fn encode_answer(&self, code: u32) -> Result<Vec<u8>, RpcError> {
        let buffer = if code == 0 { extended(&self.rops)? } else { Vec::new() };
        let mut out = Writer::default();
        out.put(&self.session).long(0).varying(&buffer).long(length(&buffer));
        // rgbAuxOut, pcbAuxOut, pulTransTime.
        out.varying(&[]).long(0).long(0).long(code);
        Ok(out.done())
    }

    pub(super) fn decode_answer(stub: &[u8]) -> Result<Execute, RpcError> {
        let mut reader = Reader::new(stub, "answer to EcDoRpcExt2");
        let (session, _flags, buffer, _count) =
            (reader.array()?, reader.long()?, reader.varying()?, reader.long()?);
        let (_aux, _aux_length, _time) = (reader.varying()?, reader.long()?, reader.long()?);
        match reader.long()? {
            0 => Ok(Execute { session, rops: payload(buffer)?.to_vec() }),
            code => Err(RpcError::Failed { what: "EcDoRpcExt2", code }),
        }
    }
}

/// A handle and a number: the shape of the remaining calls and their answers.
pub(super) fn handle_and(handle: Handle, number: u32) -> Vec<u8> {
    let mut out = Writer::default();
    out.put(&handle).long(number);
    out.done()
}

/// The handle that a stub begins with.
pub(super) fn handle(stub: &[u8]) -> Result<Handle, RpcError> {
    Reader::new(stub, "context handle").array()
}

/// A handle and the code that the call returned, which must be 0.
pub(super) fn handle_if_done(stub: &[u8], what: &'static str) -> Result<Handle, RpcError> {
    let mut reader = Reader::new(stub, what);
    let handle = reader.array()?;
    match reader.long()? {
        0 => Ok(handle),
        code => Err(RpcError::Failed { what, code }),
    }
}

/// The answer to EcDoAsyncWaitEx.
pub(super) fn waited(pending: bool) -> Vec<u8> {
    let mut out = Writer::default();
    out.long(if pending { NOTIFICATION_PENDING } else { 0 }).long(0);
    out.done()
}

/// Whether something is pending, from the answer to EcDoAsyncWaitEx.
pub(super) fn pending(stub: &[u8]) -> Result<bool, RpcError> {
    let mut reader = Reader::new(stub, "answer to EcDoAsyncWaitEx");
    let flags = reader.long()?;
    match reader.long()? {
        0 => Ok(flags & NOTIFICATION_PENDING != 0),
        code => Err(RpcError::Failed { what: "EcDoAsyncWaitEx", code }),
    }
}

/// A payload behind its RPC_HEADER_EXT.
pub(crate) fn extended(payload: &[u8]) -> Result<Vec<u8>, RpcError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(RpcError::TooLong { what: "a ROP buffer", limit: MAX_PAYLOAD });
    }
    let size = u16::try_from(payload.len()).expect("MAX_PAYLOAD fits");
    let mut out = Writer::default();
    out.u16(0).u16(LAST).u16(size).u16(size).put(payload);
    Ok(out.done())
}

/// The payload of an extended buffer.
pub(crate) fn payload(buffer: &[u8]) -> Result<&[u8], RpcError> {
    let mut reader = Reader::new(buffer, "RPC_HEADER_EXT");
    let (version, flags, size, actual) = (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
    if version != 0 || flags != LAST || size != actual {
        return Err(RpcError::Malformed("RPC_HEADER_EXT: compressed, obscured, or not the last one"));
    }
    if usize::from(size) > MAX_PAYLOAD {
        return Err(RpcError::TooLong { what: "a ROP buffer", limit: MAX_PAYLOAD });
    }
    reader.take(usize::from(size))
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("an extended buffer is shorter than 64 KiB")
}

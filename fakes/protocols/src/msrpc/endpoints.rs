//! The endpoint mapper of a server that speaks MS-RPC: on which port an interface is had ([C706] appendix O, ept_map).

use std::net::Ipv4Addr;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::RpcError;
use super::ndr::{Reader, Writer};
use super::pdu::{ASYNC_EMSMDB, EMSMDB, NDR, Pdu, Syntax};
use super::server::{OP_RANGE, UNKNOWN_INTERFACE, accept};
use super::transport::Transport;

/// e1af8308-5d1f-11c9-91a4-08002b14a0fa version 3.0, [C706] appendix O.
const ENDPOINT_MAPPER: Syntax = Syntax {
    uuid: [0x08, 0x83, 0xaf, 0xe1, 0x1f, 0x5d, 0xc9, 0x11, 0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa],
    major: 3,
    minor: 0,
};
const EPT_MAP: u16 = 3;
/// `EPT_S_NOT_REGISTERED`, [MS-ERREF] 2.2.
const NOT_REGISTERED: u32 = 0x16C9_A0D6;
const BAD_STUB_DATA: u32 = 0x0000_06F7;
/// As many floors as one tower has.
const MOST_FLOORS: u16 = 8;

/// Floor identifiers, [C706] appendix I.
const UUID_FLOOR: u8 = 0x0D;
const CONNECTION_ORIENTED: u8 = 0x0B;
const TCP: u8 = 0x07;
const IP: u8 = 0x09;

/// Where this server's interfaces of mailboxes are had.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
}

/// Serves one connection to the endpoint mapper until the client closes it. `asked` is called with each interface that a
/// client looks for, `EMSMDB` or a UUID, before the answer.
///
/// # Errors
/// A client that does not keep to the specification, or a connection that failed.
pub async fn serve_endpoints<IO>(io: IO, endpoint: Endpoint, asked: impl Fn(&str)) -> Result<(), RpcError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut transport = Transport::new(io);
    let mut contexts = Vec::new();
    while let Some((call, pdu)) = transport.message().await? {
        let answer = match pdu {
            Pdu::Bind(bind) => {
                transport.limit(bind.max_receive);
                Pdu::BindAck(accept(&mut contexts, &bind, &[ENDPOINT_MAPPER])?)
            }
            Pdu::AlterContext(bind) => {
                Pdu::AlterContextResp(accept(&mut contexts, &bind, &[ENDPOINT_MAPPER])?)
            }
            Pdu::Request { context, opnum, stub } => {
                let fault = |status| Pdu::Fault { context, status };
                match contexts.iter().any(|(id, _)| *id == context) {
                    false => fault(UNKNOWN_INTERFACE),
                    true if opnum != EPT_MAP => fault(OP_RANGE),
                    true => match read_map(&stub) {
                        Ok(interface) => {
                            let known = [EMSMDB, ASYNC_EMSMDB].contains(&interface);
                            asked(&if known { "EMSMDB".to_owned() } else { written(&interface.uuid) });
                            let stub = Bytes::from(mapped(known.then_some((interface, endpoint))));
                            Pdu::Response { context, stub }
                        }
                        Err(_) => fault(BAD_STUB_DATA),
                    },
                }
            }
            Pdu::GivenUp => continue,
            _ => return Err(RpcError::Malformed("PDU: a client sent an answer")),
        };
        transport.send(call, answer).await?;
    }
    Ok(())
}

/// The interface that a request asks for: the first floor of its tower.
fn read_map(stub: &[u8]) -> Result<Syntax, RpcError> {
    let mut reader = Reader::new(stub, "ept_map");
    if reader.long()? != 0 {
        reader.take(16)?;
    }
    if reader.long()? == 0 {
        return Err(reader.malformed());
    }
    let tower_of = reader.conformant_of()?;
    let mut tower = Reader::new(reader.take(tower_of)?, "tower");
    let floors = tower.u16()?;
    if !(3..=MOST_FLOORS).contains(&floors) {
        return Err(tower.malformed());
    }
    let mut interface = None;
    for floor in 0..floors {
        let left = usize::from(tower.u16()?);
        let left = tower.take(left)?;
        let right = usize::from(tower.u16()?);
        let right = tower.take(right)?;
        if let (0, [UUID_FLOOR, id @ ..], Ok(minor)) = (floor, left, <[u8; 2]>::try_from(right))
            && let Some((uuid, major)) = id.split_first_chunk::<16>()
            && let Ok(major) = <[u8; 2]>::try_from(major)
        {
            let (major, minor) = (u16::from_le_bytes(major), u16::from_le_bytes(minor));
            interface = Some(Syntax { uuid: *uuid, major, minor });
        }
    }
    // The handle, and as many towers as the client takes.
    reader.align(4)?;
    reader.take(20)?;
    reader.long()?;
    interface.ok_or(reader.malformed())
}

/// The answer: one tower, or none.
fn mapped(found: Option<(Syntax, Endpoint)>) -> Vec<u8> {
    let mut out = Writer::default();
    // No handle: there is no more to ask for. The array of pointers, then what they point to.
    out.put(&[0; 20]).long(u32::from(found.is_some()));
    out.long(u32::from(found.is_some())).long(0).long(u32::from(found.is_some()));
    if let Some((interface, endpoint)) = found {
        let tower = tower(interface, endpoint);
        let length = u32::try_from(tower.len()).expect("a tower is short");
        out.long(0x0002_0000).long(length).long(length).put(&tower);
    }
    out.long(if found.is_some() { 0 } else { NOT_REGISTERED });
    out.done()
}

fn tower(interface: Syntax, endpoint: Endpoint) -> Vec<u8> {
    let mut out = Writer::default();
    out.u16(5);
    for syntax in [interface, NDR] {
        out.u16(19).u8(UUID_FLOOR).put(&syntax.uuid).u16(syntax.major).u16(2).u16(syntax.minor);
    }
    out.u16(1).u8(CONNECTION_ORIENTED).u16(2).u16(0);
    // Port and address are in the order of the network.
    out.u16(1).u8(TCP).u16(2).put(&endpoint.port.to_be_bytes());
    out.u16(1).u8(IP).u16(4).put(&endpoint.address.octets());
    out.done()
}

fn written(uuid: &[u8; 16]) -> String {
    uuid.iter().map(|byte| format!("{byte:02x}")).collect()
}

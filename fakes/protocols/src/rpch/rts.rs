//! RTS PDUs, by which the ends of a virtual connection speak of its channels: [MS-RPCH] 2.2.3 and 2.2.4.

use bytes::Bytes;

use crate::msrpc::RpcError;
use crate::msrpc::ndr::{Reader, Writer};

/// A cookie of a virtual connection or of a channel.
pub(super) type Cookie = [u8; 16];

/// PTYPE of an RTS PDU, [MS-RPCH] 2.2.3.6.1.
pub(super) const PTYPE: u8 = 20;
/// Header of an RTS PDU: the common header of DCE/RPC, flags and the number of commands.
const HEADER: usize = 20;
/// As many commands as one PDU holds: none of [MS-RPCH] 2.2.4 has more than seven.
const MOST_COMMANDS: u16 = 16;
/// As many bytes as a Padding command holds, [MS-RPCH] 2.2.3.5.9.
const MOST_PADDING: u32 = 0xFFFF;

/// `RTS_FLAG_…`, [MS-RPCH] 2.2.3.6.1.
pub(super) mod flag {
    pub(in crate::rpch) const NONE: u16 = 0;
    pub(in crate::rpch) const PING: u16 = 0x01;
    pub(in crate::rpch) const OTHER_COMMAND: u16 = 0x02;
    pub(in crate::rpch) const RECYCLE: u16 = 0x04;
    pub(in crate::rpch) const OUT: u16 = 0x10;
    pub(in crate::rpch) const EOF: u16 = 0x20;
    pub(in crate::rpch) const ECHO: u16 = 0x40;
}

/// `FDClient`, [MS-RPCH] 2.2.3.3.
pub(super) const TO_CLIENT: u32 = 0;

/// One command, [MS-RPCH] 2.2.3.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    ReceiveWindowSize(u32),
    FlowControlAck {
        received: u32,
        window: u32,
        channel: Cookie,
    },
    ConnectionTimeout(u32),
    Cookie(Cookie),
    ChannelLifetime(u32),
    ClientKeepalive(u32),
    Version(u32),
    Empty,
    Padding(u32),
    NegativeAnce,
    Ance,
    /// An IPv4 or IPv6 address.
    ClientAddress(Vec<u8>),
    AssociationGroupId(Cookie),
    Destination(u32),
    PingTrafficSentNotify(u32),
}

/// One RTS PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rts {
    pub(super) flags: u16,
    pub(super) commands: Vec<Command>,
}

impl Rts {
    pub(super) fn new(flags: u16, commands: impl Into<Vec<Command>>) -> Rts {
        Rts { flags, commands: commands.into() }
    }

    /// Whether these bytes begin an RTS PDU, and no PDU of DCE/RPC.
    pub(super) fn begins(pdu: &[u8]) -> bool {
        pdu.get(2) == Some(&PTYPE)
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut commands = Writer::default();
        for command in &self.commands {
            command.encode(&mut commands);
        }
        let commands = commands.done();
        let length = u16::try_from(HEADER + commands.len()).expect("commands are short");
        let count = u16::try_from(self.commands.len()).expect("commands are few");
        let mut out = Writer::default();
        // Version 5.0; first and last fragment; little endian, ASCII, IEEE; no authentication, call 0.
        out.put(&[5, 0, PTYPE, 0x03, 0x10, 0, 0, 0]).u16(length).u16(0).u32(0);
        out.u16(self.flags).u16(count).put(&commands);
        Bytes::from(out.done())
    }

    /// From exactly the bytes of one PDU.
    pub(super) fn decode(pdu: &[u8]) -> Result<Rts, RpcError> {
        let mut reader = Reader::new(pdu, "RTS PDU");
        let (version, kind, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
        let (_drep, length, authentication, call) =
            (reader.u32()?, reader.u16()?, reader.u16()?, reader.u32()?);
        let whole = usize::from(length) == pdu.len() && flags == 0x03;
        if version != 5 || kind != PTYPE || !whole || authentication != 0 || call != 0 {
            return Err(reader.malformed());
        }
        let (flags, count) = (reader.u16()?, reader.u16()?);
        if count > MOST_COMMANDS {
            return Err(reader.malformed());
        }
        let commands = (0..count).map(|_| Command::decode(&mut reader)).collect::<Result<_, _>>()?;
        match reader.is_empty() {
            true => Ok(Rts { flags, commands }),
            false => Err(reader.malformed()),
        }
    }
}

impl Command {
    fn encode(&self, out: &mut Writer) {
        match self {
            Command::ReceiveWindowSize(size) => out.u32(0).u32(*size),
            Command::FlowControlAck { received, window, channel } => {
                out.u32(1).u32(*received).u32(*window).put(channel)
            }
            Command::ConnectionTimeout(millis) => out.u32(2).u32(*millis),
            Command::Cookie(cookie) => out.u32(3).put(cookie),
            Command::ChannelLifetime(bytes) => out.u32(4).u32(*bytes),
            Command::ClientKeepalive(millis) => out.u32(5).u32(*millis),
            Command::Version(version) => out.u32(6).u32(*version),
            Command::Empty => out.u32(7),
            Command::Padding(count) => {
                out.u32(8).u32(*count);
                (0..*count).for_each(|_| {
                    out.u8(0);
                });
                out
            }
            Command::NegativeAnce => out.u32(9),
            Command::Ance => out.u32(10),
            Command::ClientAddress(address) => {
                out.u32(11).u32(u32::from(address.len() == 16)).put(address).put(&[0; 12])
            }
            Command::AssociationGroupId(group) => out.u32(12).put(group),
            Command::Destination(to) => out.u32(13).u32(*to),
            Command::PingTrafficSentNotify(bytes) => out.u32(14).u32(*bytes),
        };
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Command, RpcError> {
        Ok(match reader.u32()? {
            0 => Command::ReceiveWindowSize(reader.u32()?),
            1 => Command::FlowControlAck {
                received: reader.u32()?,
                window: reader.u32()?,
                channel: reader.array()?,
            },
            2 => Command::ConnectionTimeout(reader.u32()?),
            3 => Command::Cookie(reader.array()?),
            4 => Command::ChannelLifetime(reader.u32()?),
            5 => Command::ClientKeepalive(reader.u32()?),
            6 => Command::Version(reader.u32()?),
            7 => Command::Empty,
            8 => {
                let count = reader.u32()?;
                if count > MOST_PADDING {
                    return Err(reader.malformed());
                }
                reader.take(count as usize)?;
                Command::Padding(count)
            }
            9 => Command::NegativeAnce,
            10 => Command::Ance,
            11 => {
                let length = match reader.u32()? {
                    0 => 4,
                    1 => 16,
                    _ => return Err(reader.malformed()),
                };
                let address = reader.take(length)?.to_vec();
                reader.take(12)?;
                Command::ClientAddress(address)
            }
            12 => Command::AssociationGroupId(reader.array()?),
            13 => Command::Destination(reader.u32()?),
            14 => Command::PingTrafficSentNotify(reader.u32()?),
            _ => return Err(reader.malformed()),
        })
    }
}

//! RTS PDUs as a client of RPC over HTTP writes and reads them: [MS-RPCH] 2.2.3 and 2.2.4.

use bytes::Bytes;

use super::octets::{Octets, Short, Written};
use super::pdu::RTS;

/// A cookie of a virtual connection or a channel.
pub(super) type Cookie = [u8; 16];

/// What a client takes before it says more, in bytes: Outlook's (wire facts 4.2).
pub(super) const RECEIVE_WINDOW: u32 = 65_536;
/// How long each channel lives, in bytes.
const LIFETIME: u32 = 1 << 30;
/// How often a client wants a sign of life, in milliseconds.
const KEEPALIVE: u32 = 300_000;

/// `RTS_FLAG_…`, [MS-RPCH] 2.2.3.6.1.
const NONE: u16 = 0;
const PING: u16 = 0x01;
const OTHER_COMMAND: u16 = 0x02;
const RECYCLE: u16 = 0x04;
const OUT_CHANNEL: u16 = 0x10;
const EOF: u16 = 0x20;

/// What a proxy says on the OUT channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// CONN/A3: this channel is open.
    Open,
    /// CONN/C2: both are; so many bytes of RPC may be sent before more are allowed.
    Ready(u32),
    /// FlowControlAck: so many bytes have been received of an IN channel, and so many more may be sent.
    Acknowledged { received: u32, window: u32 },
    /// OUT_R2/A2: another OUT channel is wanted.
    WantsOut,
    /// IN_R2/A4: the other IN channel takes over.
    TakesIn,
    /// OUT_R2/A6: the other OUT channel is there.
    TakesOut,
    /// OUT_R2/B3: this is the last on this channel.
    Last,
    /// A ping, or what needs no answer.
    Nothing,
}

/// A command's number, [MS-RPCH] 2.2.3.5, and what it holds.
enum Command {
    ReceiveWindow(u32),
    Acknowledges { received: u32, window: u32 },
    Timeout,
    Ance,
    Destination,
    Other,
}

/// CONN/A1, the first on an OUT channel.
pub(super) fn conn_a1(connection: &Cookie, channel: &Cookie) -> Bytes {
    let mut out = Written::default();
    version(&mut out);
    cookie(&mut out, connection);
    cookie(&mut out, channel);
    out.u32(0).u32(RECEIVE_WINDOW);
    rts(NONE, 4, &out.done())
}

/// CONN/B1, the first on an IN channel.
pub(super) fn conn_b1(connection: &Cookie, channel: &Cookie, group: &Cookie) -> Bytes {
    let mut out = Written::default();
    version(&mut out);
    cookie(&mut out, connection);
    cookie(&mut out, channel);
    out.u32(4).u32(LIFETIME).u32(5).u32(KEEPALIVE).u32(12).put(group);
    rts(NONE, 6, &out.done())
}

/// OUT_R2/A3, the first on a successor of an OUT channel.
pub(super) fn out_a3(connection: &Cookie, before: &Cookie, after: &Cookie) -> Bytes {
    let mut out = Written::default();
    version(&mut out);
    for one in [connection, before, after] {
        cookie(&mut out, one);
    }
    out.u32(0).u32(RECEIVE_WINDOW);
    rts(RECYCLE, 5, &out.done())
}

/// OUT_R2/C1, which fills up what a successor's request declared.
pub(super) fn out_c1() -> Bytes {
    rts(PING, 1, &7u32.to_le_bytes())
}

/// OUT_R2/A7, on the IN channel: to the server, which successor is ready.
pub(super) fn out_a7(after: &Cookie) -> Bytes {
    let mut out = Written::default();
    out.u32(13).u32(2);
    cookie(&mut out, after);
    version(&mut out);
    rts(OUT_CHANNEL, 3, &out.done())
}

/// IN_R2/A1, the first on a successor of an IN channel.
pub(super) fn in_a1(connection: &Cookie, before: &Cookie, after: &Cookie) -> Bytes {
    let mut out = Written::default();
    version(&mut out);
    for one in [connection, before, after] {
        cookie(&mut out, one);
    }
    rts(RECYCLE, 4, &out.done())
}

/// IN_R2/A5, the last on an IN channel that is succeeded.
pub(super) fn in_a5(after: &Cookie) -> Bytes {
    let mut out = Written::default();
    cookie(&mut out, after);
    rts(NONE, 1, &out.done())
}

/// FlowControlAckWithDestination, on the IN channel: to the OUT proxy, what has been received of its channel.
pub(super) fn acknowledge(received: u32, channel: &Cookie) -> Bytes {
    let mut out = Written::default();
    out.u32(13).u32(3).u32(1).u32(received).u32(RECEIVE_WINDOW).put(channel);
    rts(OTHER_COMMAND, 2, &out.done())
}

/// Reads what follows the common header of an RTS PDU.
pub(super) fn said(rest: &[u8]) -> Result<Said, String> {
    let early = |Short| "an RTS PDU ends early".to_owned();
    let mut read = Octets::new(rest);
    let (flags, count) = (read.u16().map_err(early)?, read.u16().map_err(early)?);
    let commands: Vec<Command> =
        (0..count.min(16)).map(|_| command(&mut read)).collect::<Result<_, _>>().map_err(early)?;
    if !read.is_empty() {
        return Err("an RTS PDU holds more than its commands".to_owned());
    }
    use Command::{Acknowledges, Ance, Destination, Other, ReceiveWindow, Timeout};
    Ok(match (flags, &commands[..]) {
        (NONE, [Timeout]) => Said::Open,
        (NONE, [Other, ReceiveWindow(window), Timeout]) => Said::Ready(*window),
        (
            OTHER_COMMAND,
            [Acknowledges { received, window }] | [Destination, Acknowledges { received, window }],
        ) => Said::Acknowledged { received: *received, window: *window },
        (RECYCLE, [Destination]) => Said::WantsOut,
        (NONE, [Destination, Ance]) => Said::TakesOut,
        // IN_R1/A4 brings more along.
        (NONE, [Destination, ..]) => Said::TakesIn,
        (EOF, [Ance]) => Said::Last,
        _ => Said::Nothing,
    })
}

fn command(read: &mut Octets<'_>) -> Result<Command, Short> {
    Ok(match read.u32()? {
        0 => Command::ReceiveWindow(read.u32()?),
        1 => {
            let (received, window) = (read.u32()?, read.u32()?);
            read.take(16)?;
            Command::Acknowledges { received, window }
        }
        2 => {
            read.u32()?;
            Command::Timeout
        }
        3 | 12 => {
            read.take(16)?;
            Command::Other
        }
        4..=6 | 14 => {
            read.u32()?;
            Command::Other
        }
        7 | 9 => Command::Other,
        8 => {
            let count = read.u32()?;
            read.take(count as usize)?;
            Command::Other
        }
        10 => Command::Ance,
        13 => {
            read.u32()?;
            Command::Destination
        }
        _ => return Err(Short),
    })
}

fn version(out: &mut Written) {
    out.u32(6).u32(1);
}

fn cookie(out: &mut Written, cookie: &Cookie) {
    out.u32(3).put(cookie);
}

fn rts(flags: u16, count: u16, commands: &[u8]) -> Bytes {
    let length = u16::try_from(20 + commands.len()).expect("commands are short");
    let mut out = Written::default();
    out.put(&[5, 0, RTS, 0x03, 0x10, 0, 0, 0]).u16(length).u16(0).u32(0).u16(flags).u16(count).put(commands);
    out.done()
}

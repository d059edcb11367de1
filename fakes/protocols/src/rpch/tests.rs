//! A scripted client before a proxy whose server is a stream in memory:
//!
//! ```text
//! client == OUT ==> Channels, Virtual <== duplex ==> server (the test)
//!        == IN  ==>
//! ```

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::rts::{Command, Rts, flag};
use super::{Channels, Entered, Inward, Opened};
use crate::msrpc::RpcError;

const VC: [u8; 16] = [1; 16];
const OUT: [u8; 16] = [2; 16];
const IN: [u8; 16] = [3; 16];
const NEXT: [u8; 16] = [4; 16];

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    let text = std::str::from_utf8(&digits).unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn a1(window: u32) -> Bytes {
    let commands =
        [Command::Version(1), Command::Cookie(VC), Command::Cookie(OUT), Command::ReceiveWindowSize(window)];
    Rts::new(flag::NONE, commands).encode()
}

fn b1(keepalive: u32) -> Bytes {
    let commands = [
        Command::Version(1),
        Command::Cookie(VC),
        Command::Cookie(IN),
        Command::ChannelLifetime(0x4000_0000),
        Command::ClientKeepalive(keepalive),
        Command::AssociationGroupId([9; 16]),
    ];
    Rts::new(flag::NONE, commands).encode()
}

/// A PDU of DCE/RPC of this length, a request as far as its header says.
fn rpc(length: u16) -> Bytes {
    let mut pdu = hex("05000003 10000000 0000 0000 01000000");
    pdu[8..10].copy_from_slice(&length.to_le_bytes());
    pdu.resize(usize::from(length), 0xAB);
    Bytes::from(pdu)
}

/// Layouts of [MS-RPCH] 2.2.4, written out by hand: CONN/A1, B1, A3, C2, ping, echo, and FlowControlAckWithDestination.
#[test]
fn rts_pdus_lie_on_the_wire_as_specified() {
    let (zeros, ones) = ("00".repeat(16), "01".repeat(16));
    let (twos, threes, nines) = ("02".repeat(16), "03".repeat(16), "09".repeat(16));
    let published = [
        (
            a1(65_536),
            format!(
                "0500140310000000 4c000000 00000000 0000 0400 0600000001000000 03000000{ones} 03000000{twos} \
                 00000000 00000100"
            ),
        ),
        (
            b1(300_000),
            format!(
                "0500140310000000 68000000 00000000 0000 0600 0600000001000000 03000000{ones} 03000000{threes} \
                 0400000000000040 05000000e0930400 0c000000{nines}"
            ),
        ),
        (
            Rts::new(flag::NONE, [Command::ConnectionTimeout(120_000)]).encode(),
            "05001403100000001c000000000000000000010002000000c0d40100".to_owned(),
        ),
        (
            Rts::new(
                flag::NONE,
                [
                    Command::Version(1),
                    Command::ReceiveWindowSize(65_536),
                    Command::ConnectionTimeout(120_000),
                ],
            )
            .encode(),
            "05001403100000002c00000000000000000003000600000001000000000000000000010002000000c0d40100"
                .to_owned(),
        ),
        (Rts::new(flag::PING, []).encode(), "0500140310000000140000000000000001000000".to_owned()),
        (Rts::new(flag::ECHO, []).encode(), "0500140310000000140000000000000040000000".to_owned()),
        (
            Rts::new(
                flag::OTHER_COMMAND,
                [
                    Command::Destination(3),
                    Command::FlowControlAck { received: 5, window: 7, channel: [0; 16] },
                ],
            )
            .encode(),
            format!(
                "0500140310000000 38000000 00000000 0200 0200 0d00000003000000 010000000500000007000000{zeros}"
            ),
        ),
    ];
    for (ours, published) in published {
        assert_eq!(ours, hex(&published), "{published}");
        assert_eq!(Rts::decode(&ours).unwrap().encode(), ours);
    }
}

#[test]
fn every_command_is_read_as_it_is_written_and_what_is_none_is_refused() {
    let commands = vec![
        Command::Empty,
        Command::Padding(3),
        Command::NegativeAnce,
        Command::Ance,
        Command::ClientAddress(vec![127, 0, 0, 1]),
        Command::ClientAddress(vec![0; 16]),
        Command::PingTrafficSentNotify(4),
    ];
    let pdu = Rts::new(flag::NONE, commands.clone()).encode();
    assert_eq!(Rts::decode(&pdu).unwrap().commands, commands);
    let head = "0500140310000000";
    for broken in [
        format!("{head} 18000000 00000000 0000 0100 0f000000"), // no such command
        format!("{head} 18000000 00000000 0000 0200 07000000"), // fewer commands than it says
        format!("{head} 18000000 00000000 0000 0000 07000000"), // more
        format!("{head} 1c000000 00000000 0000 0100 08000000 ffffffff"), // 4 GiB of padding
        format!("{head} 18000000 00000000 0000 ffff 07000000"),
        format!("{head} 14000000 01000000 0000 0000"), // a call
        format!("{head} 15000000 00000000 0000 0000"), // another length
    ] {
        assert!(Rts::decode(&hex(&broken)).is_err(), "{broken}");
    }
}

/// A virtual connection that stands.
struct Standing {
    channels: Arc<Channels>,
    out: Opened,
    inward: mpsc::Sender<Bytes>,
    server: DuplexStream,
    carried: JoinHandle<Result<(), RpcError>>,
}

async fn stand(channels: Channels, window: u32, keepalive: u32) -> Standing {
    let channels = Arc::new(channels);
    let mut out = channels.open_out(&a1(window)).unwrap();
    assert_eq!(said(&mut out).await, [Command::ConnectionTimeout(120_000)], "CONN/A3");
    let Entered::Pairing(pairing) = channels.enter(&b1(keepalive)).unwrap() else { panic!("a successor") };
    let paired = pairing.paired().await.unwrap();
    let (inward, pieces) = mpsc::channel(1);
    let (near, server) = tokio::io::duplex(1 << 20);
    let carried = tokio::spawn(paired.carry(pieces, near));
    let c2 = said(&mut out).await;
    assert_eq!(c2[0], Command::Version(1), "CONN/C2");
    Standing { channels, out, inward, server, carried }
}

async fn said(out: &mut Opened) -> Vec<Command> {
    Rts::decode(&out.body.pieces.recv().await.unwrap()).unwrap().commands
}

#[tokio::test]
async fn pdus_go_both_ways_between_the_channels_and_the_server() {
    let mut there = stand(Channels::default(), 65_536, 300_000).await;
    let (first, second) = (rpc(40), rpc(60));
    // In one piece and in two: what is a PDU does not follow from how it comes.
    let joined = [&first[..], &second[..10]].concat();
    there.inward.send(joined.into()).await.unwrap();
    there.inward.send(second.slice(10..)).await.unwrap();
    let mut read = vec![0; 100];
    there.server.read_exact(&mut read).await.unwrap();
    assert_eq!(read, [&first[..], &second[..]].concat());
    there.server.write_all(&rpc(80)).await.unwrap();
    assert_eq!(there.out.body.pieces.recv().await.unwrap(), rpc(80));
    // IN ends: so does the rest.
    drop(there.inward);
    assert!(there.out.body.pieces.recv().await.is_none());
    assert!(there.carried.await.unwrap().is_ok());
    assert_eq!(there.server.read(&mut read).await.unwrap(), 0);
}

#[tokio::test]
async fn the_in_channel_may_come_first() {
    let channels = Arc::new(Channels::default());
    let Entered::Pairing(pairing) = channels.enter(&b1(300_000)).unwrap() else { panic!("a successor") };
    let opened = channels.open_out(&a1(65_536)).unwrap();
    assert!(pairing.paired().await.is_ok());
    assert!(opened.body.waiting.unwrap().0.is_paired());
}

#[tokio::test]
async fn a_channel_that_leaves_waits_no_more_and_none_takes_its_place() {
    let channels = Arc::new(Channels::default());
    let opened = channels.open_out(&a1(65_536)).unwrap();
    assert!(!opened.body.waiting.as_ref().unwrap().0.is_paired());
    assert!(channels.open_out(&a1(65_536)).is_err(), "its cookie is taken");
    drop(opened);
    let Entered::Pairing(pairing) = channels.enter(&b1(300_000)).unwrap() else { panic!("a successor") };
    assert!(channels.enter(&b1(300_000)).is_err(), "its cookie is taken");
    drop(pairing);
    assert!(channels.book().halves.is_empty());
}

/// No channel waits for ever for its other half: the OUT channel's body breaks off, the IN channel is answered.
#[tokio::test(start_paused = true)]
async fn a_channel_whose_other_half_never_comes_is_given_up() {
    let channels = Arc::new(Channels::default());
    let out = channels.serve_out(Full::<Bytes>::from(a1(65_536))).await.unwrap();
    let Err(broken) = out.collect().await else { panic!("a whole body") };
    assert_eq!(broken.kind(), std::io::ErrorKind::TimedOut);
    let nobody = async { None::<DuplexStream> };
    let ended = channels.serve_in(Full::<Bytes>::from(b1(300_000)), nobody).await;
    assert_eq!(ended, Err(super::SERVER_UNAVAILABLE));
    assert!(channels.book().halves.is_empty());
    let garbage = Full::<Bytes>::from("GET / HTTP/1.1");
    assert_eq!(channels.serve_out(garbage).await.err(), Some(super::PROTOCOL_ERROR));
}

#[tokio::test]
async fn what_begins_no_channel_is_refused() {
    let channels = Arc::new(Channels::default());
    let ping = Rts::new(flag::PING, []).encode();
    let successor = [Command::Version(1), Command::Cookie(VC), Command::Cookie(IN), Command::Cookie(NEXT)];
    for first in [b1(300_000), ping.clone(), rpc(40)] {
        assert!(channels.open_out(&first).is_err());
    }
    for first in [a1(1), ping, rpc(40), b1(0), Rts::new(flag::RECYCLE, successor).encode()] {
        assert!(channels.enter(&first).is_err());
    }
    assert!(channels.book().halves.is_empty());
}

#[tokio::test]
async fn the_server_is_held_back_until_the_client_takes_more() {
    let mut there = stand(Channels::default(), 100, 300_000).await;
    there.server.write_all(&rpc(80)).await.unwrap();
    there.server.write_all(&rpc(90)).await.unwrap();
    assert_eq!(there.out.body.pieces.recv().await.unwrap(), rpc(80));
    tokio::task::yield_now().await;
    assert!(there.out.body.pieces.try_recv().is_err(), "the window is full");
    let ack = Command::FlowControlAck { received: 80, window: 100, channel: OUT };
    let ack = Rts::new(flag::OTHER_COMMAND, [Command::Destination(3), ack]).encode();
    there.inward.send(ack).await.unwrap();
    assert_eq!(there.out.body.pieces.recv().await.unwrap(), rpc(90));
}

#[tokio::test]
async fn the_client_is_told_to_go_on_and_one_that_does_not_wait_for_it_is_ended() {
    let mut there = stand(Channels::default(), 65_536, 300_000).await;
    for _ in 0..8 {
        there.inward.send(rpc(5_000)).await.unwrap();
    }
    let Command::FlowControlAck { received, window, channel } = said(&mut there.out).await[1].clone() else {
        panic!("no acknowledgment")
    };
    assert_eq!((received % 5_000, channel), (0, IN));
    assert!(window > 32_768);
    // A server that takes nothing: then more than a window comes unasked.
    let mut there = stand(Channels::default(), 65_536, 300_000).await;
    let (near, _far) = tokio::io::duplex(16);
    there.server = near;
    let flood = async { while there.inward.send(rpc(5_800)).await.is_ok() {} };
    let (_, carried) = tokio::join!(flood, there.carried);
    assert!(carried.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_out_channel_is_pinged_twice_as_often_as_the_client_asks() {
    let mut there = stand(Channels::default(), 65_536, 60_000).await;
    let before = tokio::time::Instant::now();
    assert_eq!(there.out.body.pieces.recv().await.unwrap(), Rts::new(flag::PING, []).encode());
    assert_eq!(before.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn garbage_ends_the_virtual_connection() {
    for garbage in [&b"GET / HTTP/1.1\r\n"[..], &hex("05001403100000000300000000000000")] {
        let mut there = stand(Channels::default(), 65_536, 300_000).await;
        there.inward.send(Bytes::copy_from_slice(garbage)).await.unwrap();
        assert!(there.carried.await.unwrap().is_err());
        assert!(there.out.body.pieces.recv().await.is_none());
    }
}

/// IN_R2: A1 on the new channel, A4 to the client, A5 on the old one.
#[tokio::test]
async fn another_in_channel_takes_over() {
    let mut there = stand(Channels::default(), 65_536, 300_000).await;
    let a1 = [Command::Version(1), Command::Cookie(VC), Command::Cookie(IN), Command::Cookie(NEXT)];
    let Entered::Succeeds(next) = there.channels.enter(&Rts::new(flag::RECYCLE, a1).encode()).unwrap() else {
        panic!("no successor")
    };
    assert_eq!(said(&mut there.out).await, [Command::Destination(0)], "IN_R2/A4");
    there.inward.send(rpc(40)).await.unwrap();
    there.inward.send(Rts::new(flag::NONE, [Command::Cookie(NEXT)]).encode()).await.unwrap();
    next.send(rpc(60)).await.unwrap();
    let mut read = vec![0; 100];
    there.server.read_exact(&mut read).await.unwrap();
    assert_eq!(read, [&rpc(40)[..], &rpc(60)[..]].concat());
    there.inward.closed().await;
}

/// OUT_R2: A2 to the client, A3 on the new channel, A6 to the client, A7 on IN, B3 as the last word of the old one.
#[tokio::test]
async fn another_out_channel_is_asked_for_and_takes_over() {
    let mut there = stand(Channels::living(200), 65_536, 300_000).await;
    there.server.write_all(&rpc(120)).await.unwrap();
    assert_eq!(there.out.body.pieces.recv().await.unwrap(), rpc(120));
    assert_eq!(said(&mut there.out).await, [Command::Destination(0)], "OUT_R2/A2");
    let a3 = [
        Command::Version(1),
        Command::Cookie(VC),
        Command::Cookie(OUT),
        Command::Cookie(NEXT),
        Command::ReceiveWindowSize(65_536),
    ];
    let mut next = there.channels.open_out(&Rts::new(flag::RECYCLE, a3).encode()).unwrap();
    assert_eq!(said(&mut there.out).await, [Command::Destination(0), Command::Ance], "OUT_R2/A6");
    let a7 = [Command::Destination(2), Command::Cookie(NEXT), Command::Version(1)];
    there.inward.send(Rts::new(flag::OUT, a7).encode()).await.unwrap();
    assert_eq!(said(&mut there.out).await, [Command::Ance], "OUT_R2/B3");
    assert!(there.out.body.pieces.recv().await.is_none(), "the old one has ended");
    next.begins.take().unwrap().await.unwrap();
    there.server.write_all(&rpc(80)).await.unwrap();
    assert_eq!(next.body.pieces.recv().await.unwrap(), rpc(80));
}

#[tokio::test]
async fn the_body_of_a_channel_is_read_pdu_by_pdu_and_the_rest_is_fed_on() {
    let body = [&a1(1)[..], &rpc(40)[..], &rpc(60)[..]].concat();
    let mut inward = Inward::new(Full::<Bytes>::from(body));
    assert_eq!(inward.pdu().await.unwrap(), Some(a1(1)));
    let (feed, mut fed) = mpsc::channel(4);
    inward.feed(feed).await.unwrap();
    assert_eq!(fed.recv().await.unwrap(), [&rpc(40)[..], &rpc(60)[..]].concat());
    assert!(fed.recv().await.is_none());
    let half = Full::<Bytes>::from(a1(1).slice(..20));
    assert!(matches!(Inward::new(half).pdu().await, Err(RpcError::Closed(_))));
}

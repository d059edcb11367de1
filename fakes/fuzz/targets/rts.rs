//! RPC over HTTP: channels on which anything may be said, in any order. A script of lines `channel, length, bytes`: an even
//! channel is an OUT channel, an odd one an IN channel, and what follows its first line comes on its request's body.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use libfuzzer_sys::fuzz_target;
use protocols::rpch::{Channels, OutBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// So many channels are open at once.
const CHANNELS: usize = 6;
/// What the server behind says, a PDU of DCE/RPC each time: enough to fill a channel that lives this long.
const PDU: [u8; 24] = *b"\x05\0\x02\x03\x10\0\0\0\x18\0\0\0\x01\0\0\0........";
const LIFETIME: u64 = 96;
/// After each piece everybody has his turn so many times: what it brings about has come about.
const TURNS: usize = 24;

type Feed = Sender<Bytes, std::convert::Infallible>;

fn open(channels: Arc<Channels>, number: usize, running: &mut JoinSet<()>) -> Feed {
    let (feed, body) = Channel::new(8);
    if number % 2 == 1 {
        running.spawn(async move {
            let (near, far) = tokio::io::duplex(1 << 20);
            let behind = async move {
                let (mut asked, mut answers) = tokio::io::split(far);
                let mut piece = [0; 512];
                while asked.read(&mut piece).await.is_ok_and(|read| read > 0) {
                    if answers.write_all(&PDU).await.is_err() {
                        break;
                    }
                }
            };
            let (_served, ()) = tokio::join!(channels.serve_in(body, async { Some(near) }), behind);
        });
    } else {
        running.spawn(async move {
            if let Ok(answer) = channels.serve_out(body).await {
                told(answer).await;
            }
        });
    }
    feed
}

/// Whatever came in: what goes out is whole PDUs.
async fn told(mut answer: OutBody) {
    while let Some(Ok(frame)) = answer.frame().await {
        let Ok(pdu) = frame.into_data() else { continue };
        assert_eq!((pdu[0], usize::from(u16::from_le_bytes([pdu[8], pdu[9]]))), (5, pdu.len()));
    }
}

async fn play(mut script: &[u8]) {
    let channels = Arc::new(Channels::living(LIFETIME));
    let (mut feeds, mut running) = ([const { None }; CHANNELS], JoinSet::new());
    while let [number, low, high, rest @ ..] = script {
        let number = usize::from(*number) % CHANNELS;
        let (piece, behind) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes([*low, *high]))));
        script = behind;
        let feed = feeds[number].get_or_insert_with(|| open(channels.clone(), number, &mut running));
        // A channel that has ended takes no more.
        let _taken = feed.try_send(http_body::Frame::data(Bytes::copy_from_slice(piece)));
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }
    drop(feeds);
    while let Some(ended) = running.join_next().await {
        ended.expect("no panic");
    }
}

fuzz_target!(|bytes: &[u8]| {
    // With its clock stopped: who waits for nobody is given up at once.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(play(bytes));
});

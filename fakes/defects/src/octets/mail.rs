//! Lies of `bytes` about a mail program's connection: an error that never comes, and what was written before TLS carried
//! into it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use reference::ports::{Client, Octets, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

use super::ROOM;
use crate::Fired;

const HANGS: &str = "hangs-on-the-stopped";
const KEEPS: &str = "keeps-early-commands";

/// By these words a front end says that nobody behind can be reached.
const UNAVAILABLE: &str = "Server Unavailable";

/// Every id.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    [HANGS, KEEPS].into_iter()
}

/// Wraps the port for the lie of this id, where there is one.
pub(super) fn spoil(id: &str, truth: &Arc<dyn Octets>, fired: &Fired) -> Option<Arc<dyn Octets>> {
    let (truth, fired) = (truth.clone(), fired.clone());
    match id {
        HANGS => Some(Arc::new(Hangs { truth, fired })),
        KEEPS => Some(Arc::new(KeepsEarly { truth, fired, early: Arc::default() })),
        _ => None,
    }
}

/// Never passes on that nobody behind can be reached, nor that the connection has ended then.
struct Hangs {
    truth: Arc<dyn Octets>,
    fired: Fired,
}

impl Octets for Hangs {
    fn front(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        self.truth.front(client, stream)
    }

    fn behind(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        self.truth.behind(client, stream)
    }

    fn mail(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        let (near, far) = duplex(ROOM);
        let fired = self.fired.clone();
        let stream = self.truth.mail(client, stream);
        tokio::spawn(async move {
            let (mut from_client, mut to_client) = split(stream);
            let (mut from_front, mut to_front) = split(far);
            let asks = async {
                // How either side ends is told by the other direction.
                let _ = tokio::io::copy(&mut from_client, &mut to_front).await;
                let _ = to_front.shutdown().await;
            };
            let answers = async {
                // In pieces, not in lines: within there may be TLS.
                let mut piece = vec![0; 4096];
                while let Ok(read @ 1..) = from_front.read(&mut piece).await {
                    if String::from_utf8_lossy(&piece[..read]).contains(UNAVAILABLE) {
                        fired.lied(HANGS, client.socket);
                        return std::future::pending::<()>().await;
                    }
                    let passed = to_client.write_all(&piece[..read]).await;
                    if passed.is_err() || to_client.flush().await.is_err() {
                        break;
                    }
                }
                let _ = to_client.shutdown().await;
            };
            // One that hangs does so until its client has gone.
            tokio::select! {
                () = answers => {}
                () = asks => {}
            }
        });
        Box::new(near)
    }
}

/// What clients wrote behind a command that begins TLS, until that has begun.
type Early = Arc<Mutex<HashMap<u64, Vec<u8>>>>;

/// Keeps what came with STARTTLS or STLS, and hands it over first within TLS: a buffer that is not emptied.
struct KeepsEarly {
    truth: Arc<dyn Octets>,
    fired: Fired,
    early: Early,
}

impl Octets for KeepsEarly {
    fn front(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        self.truth.front(client, stream)
    }

    fn behind(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        self.truth.behind(client, stream)
    }

    fn mail(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        let stream = self.truth.mail(client, stream);
        let kept = self.early.lock().unwrap_or_else(PoisonError::into_inner).remove(&client.connection);
        if let Some(kept) = &kept {
            debug_assert!(!kept.is_empty());
            self.fired.lied(KEEPS, client.socket);
        }
        let (near, far) = duplex(ROOM);
        let early = self.early.clone();
        tokio::spawn(async move {
            // A connection that ends is the lie's end.
            let _ = keeping(stream, far, kept.unwrap_or_default(), client, early).await;
        });
        Box::new(near)
    }
}

async fn keeping(
    stream: Box<dyn Stream>,
    far: tokio::io::DuplexStream,
    first: Vec<u8>,
    client: Client,
    early: Early,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(stream);
    let (mut from_front, mut to_front) = split(far);
    let asks = async {
        to_front.write_all(&first).await?;
        let mut piece = vec![0; 4096];
        loop {
            let read = from_client.read(&mut piece).await?;
            if read == 0 {
                return to_front.shutdown().await;
            }
            let mut said = &piece[..read];
            if let Some(end) = end_of_upgrade(said)
                && end < said.len()
            {
                early
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(client.connection, said[end..].to_vec());
                said = &said[..end];
            }
            to_front.write_all(said).await?;
        }
    };
    let answers = async {
        tokio::io::copy(&mut from_front, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(asks, answers).map(drop)
}

/// Where the line that begins TLS ends, in what a client said at once.
fn end_of_upgrade(said: &[u8]) -> Option<usize> {
    let mut end = 0;
    for line in said.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        let text = String::from_utf8_lossy(line).trim_end().to_ascii_uppercase();
        if text == "STLS" || text.split_once(' ').is_some_and(|(_, command)| command == "STARTTLS") {
            return Some(end);
        }
    }
    None
}

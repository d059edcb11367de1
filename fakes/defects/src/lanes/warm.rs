//! The lie of a front end that opens IMAP and POP connections before any client wants one, and keeps them (CX-IMAP-7).

use std::sync::{Arc, Mutex, PoisonError};

use model::Protocol;
use model::case::Over;
use model::mail::client_port;
use reference::lane::LaneId;
use reference::ports::{Back, Lane, Passage, Ports, Waiting};
use tokio::net::{TcpSocket, TcpStream};

use crate::Fired;

pub(super) const ID: &str = "keeps-mail-warm";

/// More than these are not kept.
const MOST: usize = 64;

pub(super) struct Warm {
    truth: Arc<dyn Lane>,
    back: Arc<dyn Back>,
    fired: Fired,
    kept: Arc<Mutex<Vec<TcpStream>>>,
}

impl Warm {
    pub(super) fn new(ports: &Ports, fired: &Fired) -> Warm {
        let (truth, back) = (ports.lane.clone(), ports.back.clone());
        Warm { truth, back, fired: fired.clone(), kept: Arc::default() }
    }
}

impl Lane for Warm {
    /// Whoever speaks HTTP to a server shows that it is there.
    fn lane(&self, passage: &Passage) -> LaneId {
        self.fired.lied(ID, passage.asked.client.socket);
        let (back, kept) = (self.back.clone(), self.kept.clone());
        let (client, host) = (passage.asked.client, passage.host.clone());
        tokio::spawn(async move {
            for protocol in [Protocol::Imap, Protocol::Pop] {
                let port = client_port(protocol, Over::Plain);
                let Ok(to) = back.address(client, &host, port).await else { continue };
                let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
                let Ok(socket) = socket else { continue };
                let Ok(stream) = socket.connect(to).await else { continue };
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < MOST {
                    kept.push(stream);
                }
            }
        });
        self.truth.lane(passage)
    }

    fn ends(&self, passage: &Passage) -> Waiting<'static, ()> {
        self.truth.ends(passage)
    }
}

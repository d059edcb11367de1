//! Lies of `bytes`: a relay that stands before or behind a front end and spoils what passes through it. It reads enough
//! of HTTP/1 to know where a message begins and ends, and nothing of what a front end thinks of it.

mod heads;
mod mail;
mod relay;
mod withheld;

use std::sync::Arc;

use reference::ports::{Client, Octets, Ports, Stream};
use tokio::io::duplex;

use crate::Fired;

/// How much a relay holds of what nobody has read yet.
const ROOM: usize = 64 * 1024;

/// How the octets are spoiled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lie {
    /// Each answer's head is rewritten on its way to the client; `None` leaves it.
    AnswerHead(fn(&str) -> Option<String>),
    /// Each request's head is rewritten on its way to a server behind.
    RequestHead(fn(&str) -> Option<String>),
    /// Each request's head is rewritten twice: before the front end reads it, and behind, where what counts is done.
    RequestHeadTwice(fn(&str) -> Option<String>, fn(&str) -> Option<String>),
    /// An answer that comes before its request has ended waits for that end.
    WithholdsEarly,
    /// A chunked answer is held until it is whole.
    HoldsPieces,
    /// So is one of MAPI over HTTP alone.
    HoldsPending,
    /// An answer of a declared length is.
    HoldsLength,
    /// A request with a body is held until this much of it is there, or its end.
    WaitsForBody(usize),
    /// A body on its way to the RPC proxy is held until it could be a PDU.
    WaitsForPdu,
    /// A body on its way to the RPC proxy that has been quiet for a while is cut.
    CutsQuietBody,
    /// The body of a challenge never comes.
    StallsOnChallenge,
    /// A long head ends the connection.
    ChokesOnBigHeads,
    /// An interim answer is dropped.
    SwallowsInterim,
    /// An exchange that has been quiet for a while is cut.
    CutsQuiet,
}

const LIES: &[(&str, Lie)] = &[
    ("lowers-header-names", Lie::AnswerHead(heads::lowered)),
    ("merges-offers", Lie::AnswerHead(heads::one_offer)),
    ("folds-cookies", Lie::AnswerHead(heads::one_cookie_line)),
    ("forwards-both-lengths", Lie::RequestHead(heads::both_lengths)),
    ("strips-one-spelling", Lie::RequestHeadTwice(heads::spared, heads::no_longer_spared)),
    ("withholds-early-401", Lie::WithholdsEarly),
    ("holds-streaming-events", Lie::HoldsPieces),
    ("holds-pending", Lie::HoldsPending),
    ("stalls-on-401-body", Lie::StallsOnChallenge),
    ("chokes-on-big-heads", Lie::ChokesOnBigHeads),
    ("swallows-expect", Lie::SwallowsInterim),
    ("cuts-ping", Lie::CutsQuiet),
    ("waits-for-whole-body", Lie::WaitsForBody(withheld::MOST)),
    ("waits-for-first-buffer", Lie::WaitsForBody(16 * 1024)),
    ("withholds-known-length", Lie::HoldsLength),
    ("withholds-echo", Lie::WaitsForPdu),
    ("cuts-idle-in-channel", Lie::CutsQuietBody),
];

/// The lie of this id.
pub(crate) fn lie(id: &str) -> Option<(&'static str, Lie)> {
    LIES.iter().find(|(known, _)| *known == id).copied()
}

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    LIES.iter().map(|(id, _)| *id).chain(mail::ids())
}

/// Wraps the port for the lie of this id, where there is one.
pub(crate) fn spoil(id: &str, ports: &Ports, fired: &Fired) -> Option<Arc<dyn Octets>> {
    let truth = ports.bytes.clone();
    if let Some(mail) = mail::spoil(id, &truth, fired) {
        return Some(mail);
    }
    let (id, lie) = lie(id)?;
    Some(Arc::new(Spoiled { id, lie, truth, fired: fired.clone() }))
}

pub(crate) struct Spoiled {
    pub(crate) id: &'static str,
    pub(crate) lie: Lie,
    pub(crate) truth: Arc<dyn Octets>,
    pub(crate) fired: Fired,
}

impl Spoiled {
    fn lied(&self, client: Client) -> impl Fn() + Send + Sync + use<> {
        let (id, fired) = (self.id, self.fired.clone());
        move || fired.lied(id, client.socket)
    }
}

impl Octets for Spoiled {
    fn front(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        let stream = self.truth.front(client, stream);
        let (near, far) = duplex(ROOM);
        // It ends with the connection, on either side.
        match self.lie {
            Lie::RequestHead(_) => return stream,
            // What is hidden here is no lie before it comes out again.
            Lie::RequestHeadTwice(first, _) => {
                tokio::spawn(relay::relay(stream, Box::new(far), Lie::RequestHead(first), || {}));
            }
            lie => drop(tokio::spawn(relay::relay(stream, Box::new(far), lie, self.lied(client)))),
        }
        Box::new(near)
    }

    fn behind(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        let stream = self.truth.behind(client, stream);
        let (Lie::RequestHead(lie) | Lie::RequestHeadTwice(_, lie)) = self.lie else { return stream };
        let (near, far) = duplex(ROOM);
        tokio::spawn(relay::relay(Box::new(far), stream, Lie::RequestHead(lie), self.lied(client)));
        Box::new(near)
    }

    fn mail(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        self.truth.mail(client, stream)
    }
}

//! Lies of `lane`: a connection behind that one user signed in is handed to the next, or outlives its client. A server keeps
//! who signed in on a connection for its life, so whoever is handed one is served as the user before (X-SEC-4); and what it
//! pairs with one that never ends it keeps open too (X-WIRE-11). Or each request is given a connection of its own, and a
//! sign-in's legs never meet (X-WIRE-1).

mod warm;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use reference::lane::LaneId;
use reference::ports::{Asked, Bound, Lane, Passage, Ports, Waiting};

use crate::Fired;

/// How a lane is bent.
#[derive(Clone, Copy)]
pub(crate) enum Lie {
    /// It is shared, by how its clients signed in.
    Shared(fn(&Bound) -> bool),
    /// It stays when its client has gone, by what was asked on it.
    Stays(fn(&Asked) -> bool),
}

const LIES: &[(&str, Lie)] = &[
    ("pool-forgets-who", Lie::Shared(|bound| bound.challenged)),
    ("pins-after-challenge-only", Lie::Shared(|bound| !bound.challenged)),
    ("pins-one-spelling", Lie::Shared(|bound| bound.challenged && bound.scheme != "NTLM")),
    ("leaves-half-open", Lie::Stays(|asked| asked.verb == "RPC_IN_DATA")),
];

const SPLITS: &str = "splits-handshake";

/// The lie of this id.
pub(crate) fn lie(id: &str) -> Option<(&'static str, Lie)> {
    LIES.iter().find(|(known, _)| *known == id).copied()
}

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    LIES.iter().map(|(id, _)| *id).chain([SPLITS, warm::ID])
}

/// Wraps the port for the lie of this id, where there is one.
pub(crate) fn spoil(id: &str, ports: &Ports, fired: &Fired) -> Option<Arc<dyn Lane>> {
    if id == SPLITS {
        return Some(Arc::new(Splits::new(ports.lane.clone(), fired.clone())));
    }
    if id == warm::ID {
        return Some(Arc::new(warm::Warm::new(ports, fired)));
    }
    let (id, lie) = lie(id)?;
    Some(Arc::new(Spoiled::new(id, lie, ports.lane.clone(), fired.clone())))
}

/// A lane port that lies so.
pub(crate) struct Spoiled {
    pub(crate) id: &'static str,
    pub(crate) lie: Lie,
    pub(crate) truth: Arc<dyn Lane>,
    pub(crate) fired: Fired,
    /// Who was given a shared lane last.
    last: Mutex<HashMap<LaneId, (Option<String>, SocketAddr)>>,
}

impl Spoiled {
    pub(crate) fn new(id: &'static str, lie: Lie, truth: Arc<dyn Lane>, fired: Fired) -> Spoiled {
        Spoiled { id, lie, truth, fired, last: Mutex::default() }
    }
}

impl Lane for Spoiled {
    fn lane(&self, passage: &Passage) -> LaneId {
        let own = self.truth.lane(passage);
        let Lie::Shared(shares) = self.lie else { return own };
        if !passage.bound.as_ref().is_some_and(shares) {
            return own;
        }
        let shared = LaneId { connection: 0, user: None, ..own.clone() };
        let socket = passage.asked.client.socket;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Both are harmed: whoever reads another's mailbox, and whose mailbox is read.
        if let Some((user, before)) = last.insert(shared.clone(), (own.user.clone(), socket))
            && user != own.user
        {
            self.fired.lied(self.id, socket);
            self.fired.lied(self.id, before);
        }
        shared
    }

    fn ends(&self, passage: &Passage) -> Waiting<'static, ()> {
        match self.lie {
            Lie::Stays(stays) if stays(&passage.asked) => {
                self.fired.lied(self.id, passage.asked.client.socket);
                Box::pin(std::future::pending())
            }
            _ => self.truth.ends(passage),
        }
    }
}

/// A lane port that gives each request of a lane a connection of its own.
pub(crate) struct Splits {
    truth: Arc<dyn Lane>,
    fired: Fired,
    /// How many requests each lane was asked for.
    asked: Mutex<HashMap<LaneId, usize>>,
}

impl Splits {
    pub(crate) fn new(truth: Arc<dyn Lane>, fired: Fired) -> Splits {
        Splits { truth, fired, asked: Mutex::default() }
    }
}

impl Lane for Splits {
    fn lane(&self, passage: &Passage) -> LaneId {
        let own = self.truth.lane(passage);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = asked.entry(own.clone()).or_default();
        *asked += 1;
        if *asked == 1 {
            return own;
        }
        self.fired.lied(SPLITS, passage.asked.client.socket);
        // It stays the client's, and ends when he goes.
        LaneId { user: Some(format!("request {asked}")), ..own }
    }

    fn ends(&self, passage: &Passage) -> Waiting<'static, ()> {
        self.truth.ends(passage)
    }
}

//! Sessions: what a server remembers between the requests of one client, and the cookies that name it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::watch;

use crate::msrpc;

/// The cookies' names as Exchange has them (wire facts 5). To everybody else they are opaque.
pub(super) const CONTEXT: &str = "MapiContext";
pub(super) const SEQUENCE: &str = "MapiSequence";

/// As many sessions as one server keeps; beyond that the oldest goes.
const MOST: usize = 10_000;

/// Which endpoint a session belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Mailbox,
    AddressBook,
}

/// What ROPs work on, as the requests of a session share it.
pub(super) type Rops = Arc<Mutex<msrpc::RopSession>>;

/// One client's session with one endpoint.
pub(super) struct Session {
    cookie: String,
    /// The GUID of the mailbox: its owner's alone.
    pub(super) owner: String,
    pub(super) kind: Kind,
    /// What the next request that must be in step brings.
    sequence: Mutex<(u64, String)>,
    /// Of the mailbox endpoint alone.
    pub(super) rops: Option<Rops>,
    /// Ends every wait when the session goes.
    gone: watch::Sender<bool>,
}

/// The sessions of one server: session contexts, as the specification calls them.
#[derive(Default)]
pub struct Sessions(Mutex<Known>);

#[derive(Default)]
struct Known {
    made: u64,
    by_cookie: HashMap<String, Arc<Session>>,
    oldest: VecDeque<String>,
}

impl Sessions {
    /// A new one.
    pub(super) fn make(&self, owner: &str, rops: Option<msrpc::RopSession>) -> Arc<Session> {
        let mut known = self.known();
        known.made += 1;
        let made = known.made;
        let cookie = format!("MAPIAAAA{}", STANDARD.encode(format!("{made}/{owner}")));
        let session = Arc::new(Session {
            owner: owner.to_owned(),
            kind: if rops.is_some() { Kind::Mailbox } else { Kind::AddressBook },
            // Where it begins says nothing: a client that counts along is wrong soon.
            sequence: Mutex::new((made * 471, numbered(made * 471))),
            rops: rops.map(|rops| Arc::new(Mutex::new(rops))),
            gone: watch::Sender::new(false),
            cookie: cookie.clone(),
        });
        known.by_cookie.insert(cookie.clone(), session.clone());
        known.oldest.push_back(cookie);
        while known.by_cookie.len() > MOST {
            let Some(oldest) = known.oldest.pop_front() else { break };
            if let Some(session) = known.by_cookie.remove(&oldest) {
                session.gone.send_replace(true);
            }
        }
        session
    }

    pub(super) fn find(&self, cookie: &str, kind: Kind) -> Option<Arc<Session>> {
        self.known().by_cookie.get(cookie).filter(|session| session.kind == kind).cloned()
    }

    pub(super) fn end(&self, session: &Session) {
        let mut known = self.known();
        known.by_cookie.remove(&session.cookie);
        known.oldest.retain(|cookie| *cookie != session.cookie);
        session.gone.send_replace(true);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known().by_cookie.len()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Whether this is the number that must come now; if so the next one is another.
    pub(super) fn step(&self, sequence: &str) -> bool {
        let mut now = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        let in_step = now.1 == sequence;
        if in_step {
            *now = (now.0 + 1, numbered(now.0 + 1));
        }
        in_step
    }

    /// The cookies that the client is to bring from now on: each its own line.
    pub(super) fn cookies(&self) -> Vec<String> {
        let sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        [(CONTEXT, &self.cookie), (SEQUENCE, &sequence)]
            .map(|(name, value)| format!("{name}={value}; path=/mapi/; secure; HttpOnly"))
            .to_vec()
    }
}

/// Waits until something happens in the mailbox that the session has not seen; false where the session goes first.
pub(super) async fn change(session: Arc<Session>, rops: Rops) -> bool {
    let mut gone = session.gone.subscribe();
    let mut changed = rops.lock().unwrap_or_else(PoisonError::into_inner).changed.clone();
    tokio::select! {
        biased;
        // It errs only when the sender is gone, and `session` holds that.
        _ = gone.wait_for(|gone| *gone) => false,
        changed = changed.changed() => changed.is_ok(),
    }
}

/// `474-nbWQMw==`: a number, and what looks like a proof of it.
fn numbered(number: u64) -> String {
    let proof = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    format!("{number}-{}", STANDARD.encode(&proof[..4]))
}

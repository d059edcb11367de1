//! What a server's log has of an answer: told to the ledger once the answer stands on the wire.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use hyper::body::{Body, Frame, SizeHint};
use ledger::{Answered, Ledger};
use model::Protocol;
use model::journal::Order;

use crate::clock::{Moment, now};

/// How far the answers of one connection have come. Cheap to clone; clones share it.
#[derive(Clone)]
pub(crate) struct Answers(Arc<Inner>);

struct Inner {
    ledger: Ledger,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Bytes since the last answer was told.
    received: u64,
    sent: u64,
    /// The request that is being answered.
    open: Option<Open>,
}

struct Open {
    order: Order,
    protocol: Option<Protocol>,
    began: Moment,
    /// What is answered, once it is known.
    status: Option<u16>,
    /// Whether nothing of it is left to be written.
    whole: bool,
}

impl Answers {
    /// Those of a connection.
    pub(crate) fn new(ledger: Ledger) -> Answers {
        Answers(Arc::new(Inner { ledger, state: Mutex::default() }))
    }

    /// A request was recorded.
    pub(crate) fn begins(&self, order: Order, protocol: Option<Protocol>) {
        self.state().open = Some(Open { order, protocol, began: now(), status: None, whole: false });
    }

    /// It is answered so; its body tells when it has been handed over.
    pub(crate) fn follow<B>(&self, answer: Response<B>) -> Response<Followed<B>> {
        if let Some(open) = &mut self.state().open {
            open.status = Some(answer.status().as_u16());
        }
        answer.map(|body| Followed { body, of: self.clone() })
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.state().received += bytes as u64;
    }

    pub(crate) fn wrote(&self, bytes: usize) {
        self.state().sent += bytes as u64;
    }

    /// Everything that was written is on the wire.
    pub(crate) fn flushed(&self) {
        let mut state = self.state();
        let Some(Open { order, protocol, began, status: Some(status), whole: true }) = state.open else {
            return;
        };
        let (substatus, win32) = finer(protocol, status);
        let (sent, received) = (state.sent, state.received);
        *state = State::default();
        drop(state);
        let answer = Answered { status, substatus, win32, sent, received, took: began.millis_ago() };
        self.0.ledger.answered(order, answer);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The article's log: who may not see ActiveSync or the address book was denied by the logon configuration, 401.2 with "access
/// is denied"; the others say no more than their status.
fn finer(protocol: Option<Protocol>, status: u16) -> (u16, u32) {
    match (protocol, status) {
        (Some(Protocol::Eas | Protocol::Oab), 401) => (2, 5),
        _ => (0, 0),
    }
}

/// A body that tells when it is let go: what it held has been handed over by then.
pub(crate) struct Followed<B> {
    body: B,
    of: Answers,
}

impl<B> Drop for Followed<B> {
    fn drop(&mut self) {
        if let Some(open) = &mut self.of.state().open {
            open.whole = true;
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Followed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use ledger::{Conveyed, Draft};

    use super::*;

    fn recorded(ledger: &Ledger) -> Order {
        ledger.record(Draft {
            server: "cas2010-s1".parse().unwrap(),
            protocol: Protocol::Oab,
            verb: "HEAD".into(),
            target: "/OAB".into(),
            host: None,
            sni: None,
            tls: true,
            starttls: false,
            peer: "127.0.0.1:5000".parse().unwrap(),
            asked: vec![],
            believed_to_be: None,
            conveyed: Conveyed::Nothing,
            head: vec![],
            body: None,
            connection: 1,
            request: 1,
            opener: None,
        })
    }

    #[test]
    fn an_answer_is_told_once_it_is_whole_and_flushed_and_not_before() {
        let ledger = Ledger::default();
        let answers = Answers::new(ledger.clone());
        answers.read(170);
        answers.begins(recorded(&ledger), Some(Protocol::Oab));
        let answer = Response::builder().status(401).body(Empty::<Bytes>::new()).unwrap();
        let followed = answers.follow(answer);
        answers.wrote(261);
        answers.flushed();
        assert_eq!(ledger.all()[0].answer, None);
        drop(followed);
        assert_eq!(ledger.all()[0].answer, None);
        answers.flushed();
        let told = ledger.all()[0].answer.unwrap();
        assert_eq!((told.status, told.substatus, told.win32), (401, 2, 5));
        assert_eq!((told.sent, told.received), (261, 170));
    }
}

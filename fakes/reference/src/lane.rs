//! Connections to servers behind: whose a connection is, until when it lasts, and keeping it for the next request of the
//! same client. A server behind is told once a connection who asks there, as IIS keeps it for the connection's life.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::client::conn::http1::SendRequest;
use model::HostName;
use tokio_util::task::AbortOnDropHandle;

use crate::ports::{BodyError, Flow, Lane, Passage, Waiting};

/// A connection behind, by everything that it must not be shared across.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneId {
    /// The client's connection that it serves.
    pub connection: u64,
    /// The user whose requests it carries.
    pub user: Option<String>,
    /// The server.
    pub host: HostName,
    /// Its canonical port.
    pub port: u16,
}

/// One lane for each client connection, user and server: what a server has authenticated on a connection is never
/// another user's (X-SEC-4).
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnLanes;

impl Lane for OwnLanes {
    fn lane(&self, passage: &Passage) -> LaneId {
        LaneId {
            connection: passage.asked.client.connection,
            user: passage.account.as_ref().map(|account| account.sid.clone()),
            host: passage.host.clone(),
            port: passage.port,
        }
    }

    /// At once: a server that pairs two connections, as it does for Outlook Anywhere, ends the other one then (X-WIRE-11).
    fn ends(&self, _: &Passage) -> Waiting<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A request's body on its way, which breaks off where the client's does, once its lane is to end.
pub(crate) struct Tied {
    body: Flow,
    lane: Arc<dyn Lane>,
    passage: Passage,
    /// Why the client's broke off, and until when that is not told.
    broken: Option<(BodyError, Waiting<'static, ()>)>,
}

impl Tied {
    pub(crate) fn new(body: Flow, lane: Arc<dyn Lane>, passage: Passage) -> Tied {
        Tied { body, lane, passage, broken: None }
    }
}

impl Body for Tied {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.broken.is_none() {
            match ready!(Pin::new(&mut self.body).poll_frame(waker)) {
                Some(Err(why)) => self.broken = Some((why, self.lane.ends(&self.passage))),
                frame => return Poll::Ready(frame),
            }
        }
        let Some((_, until)) = &mut self.broken else { return Poll::Pending };
        ready!(until.as_mut().poll(waker));
        Poll::Ready(self.broken.take().map(|(why, _)| Err(why)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An open connection, and the task that drives it.
pub(crate) struct Open {
    pub(crate) sender: SendRequest<Flow>,
    pub(crate) driver: AbortOnDropHandle<()>,
    /// This end of it.
    pub(crate) local: SocketAddr,
    /// Whether nothing more can be written to it.
    pub(crate) cut: Arc<AtomicBool>,
}

impl Open {
    fn takes_another_request(&self) -> bool {
        !self.driver.is_finished() && !self.sender.is_closed() && !self.cut.load(Ordering::Relaxed)
    }
}

/// Connections that wait for the next request.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<LaneId, Open>>);

impl Kept {
    pub(crate) fn take(&self, lane: &LaneId) -> Option<Open> {
        self.change(|kept| kept.remove(lane)).filter(Open::takes_another_request)
    }

    pub(crate) fn keep(&self, lane: LaneId, open: Open) {
        self.change(|kept| kept.insert(lane, open));
    }

    /// A client has gone: so do its connections behind.
    pub(crate) fn forget(&self, connection: u64) {
        self.change(|kept| kept.retain(|lane, _| lane.connection != connection));
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<LaneId, Open>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http_body_util::BodyExt;

    use super::*;
    use crate::ports::{Asked, Client};

    /// A body whose client has gone.
    struct Gone;

    impl Body for Gone {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(Some(Err(BodyError::of("the client has gone"))))
        }
    }

    /// Lanes that never end.
    struct Endless;

    impl Lane for Endless {
        fn lane(&self, passage: &Passage) -> LaneId {
            OwnLanes.lane(passage)
        }

        fn ends(&self, _: &Passage) -> Waiting<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    /// Whether the server behind is told that the client has gone.
    fn tells(lane: Arc<dyn Lane>) -> bool {
        let asked = Asked {
            client: Client { connection: 1, socket: "127.0.0.1:9".parse().unwrap() },
            tls: true,
            host: None,
            verb: "RPC_IN_DATA".parse().unwrap(),
            target: "/rpc/rpcproxy.dll".to_owned(),
            protocol: None,
        };
        let host = "cas2010-s1.contoso.com".parse().unwrap();
        let passage = Passage { asked, account: None, bound: None, host, port: 443 };
        let mut tied = Tied::new(Gone.boxed_unsync(), lane, passage);
        let polled = Pin::new(&mut tied).poll_frame(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(Some(Err(_))))
    }

    #[test]
    fn a_server_behind_is_told_at_once_that_a_client_has_gone_and_not_before_the_lane_ends() {
        assert!(tells(Arc::new(OwnLanes)));
        assert!(!tells(Arc::new(Endless)));
    }
}

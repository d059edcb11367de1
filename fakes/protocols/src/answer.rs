//! An answer on its way to a client: a head, and a body that is whole or comes in pieces.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use tokio::sync::mpsc;

/// Work that must be driven while an answer is sent. Dropping it ends it: nothing is spawned.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body of an answer.
pub enum Body {
    /// All of it, with its length declared.
    Whole(Bytes),
    /// Piece by piece, chunked, until `work` ends and every piece it sent has been passed on.
    Pieces {
        /// What to send, in order.
        pieces: mpsc::Receiver<Bytes>,
        /// What makes the pieces.
        work: Work,
    },
}

impl Body {
    /// No body, with a declared length of 0.
    pub fn empty() -> Body {
        Body::Whole(Bytes::new())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(whole: T) -> Body {
        Body::Whole(whole.into())
    }
}

/// A whole answer.
pub type Answer = http::Response<Body>;

/// A whole request.
pub type Request = http::Request<Bytes>;

//! Answers as `protocols` makes them, put on their way: bodies that are whole, or flow while their work is driven.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use hyper::ext::ReasonPhrase;
use protocols::answer::{self, Answer, Work};
use protocols::iis::Reason;
use tokio::sync::mpsc;

use crate::ports::{BodyError, Flow};

/// A body that is passed through.
pub(crate) fn flow<B>(body: B) -> Flow
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    body.map_err(BodyError::of).boxed_unsync()
}

/// An answer of ours as hyper sends it.
pub(crate) fn own(answer: Answer) -> Response<Flow> {
    let (mut head, body) = answer.into_parts();
    if let Some(Reason(phrase)) = head.extensions.remove::<Reason>()
        && let Ok(phrase) = ReasonPhrase::try_from(phrase)
    {
        head.extensions.insert(phrase);
    }
    let body = match body {
        answer::Body::Whole(whole) => flow(Full::new(whole)),
        answer::Body::Pieces { pieces, work } => flow(Pieces { pieces, work: Some(work) }),
    };
    Response::from_parts(head, body)
}

/// A small page for a status.
pub(crate) fn status(code: u16) -> Response<Flow> {
    own(protocols::iis::status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)))
}

/// Pieces, and the work that makes them: driven while they are waited for, ended with them.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    work: Option<Work>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(work) = &mut self.work
            && work.as_mut().poll(waker).is_ready()
        {
            self.work = None;
        }
        match (self.pieces.poll_recv(waker), &self.work) {
            (Poll::Ready(Some(piece)), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (_, None) => Poll::Ready(None),
            (_, Some(_)) => Poll::Pending,
        }
    }
}

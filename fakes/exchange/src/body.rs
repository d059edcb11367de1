//! Bodies on their way out: whole, in pieces as they come, or carried on from a server behind.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use protocols::answer::{self, Work};
use protocols::rpch::OutBody;
use tokio::sync::mpsc;

/// A body that a fake sends.
pub(crate) enum Out {
    /// All of it.
    Whole(Full<Bytes>),
    /// Piece by piece; the work behind it runs while it is sent.
    Pieces {
        /// What to send.
        pieces: mpsc::Receiver<Bytes>,
        /// What makes it; `None` once it is done.
        work: Option<Work>,
    },
    /// What a server behind sends.
    Carried(Incoming),
    /// What comes on an OUT channel.
    Channel(OutBody),
    /// What a case dictates, at its pace.
    Dictated {
        /// All of it, where the length is declared.
        length: Option<u64>,
        /// What to send, or that it breaks off.
        pieces: mpsc::Receiver<io::Result<Bytes>>,
        /// What makes it; `None` once it is done.
        work: Option<Work>,
    },
}

impl From<answer::Body> for Out {
    fn from(body: answer::Body) -> Out {
        match body {
            answer::Body::Whole(whole) => Out::Whole(Full::new(whole)),
            answer::Body::Pieces { pieces, work } => Out::Pieces { pieces, work: Some(work) },
        }
    }
}

impl Body for Out {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Out::Whole(whole) => Pin::new(whole).poll_frame(cx).map_err(|never| match never {}),
            Out::Carried(carried) => Pin::new(carried).poll_frame(cx).map_err(io::Error::other),
            Out::Channel(channel) => Pin::new(channel).poll_frame(cx),
            Out::Pieces { pieces, work } => {
                drive(work, cx);
                pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
            }
            Out::Dictated { pieces, work, length } => {
                drive(work, cx);
                let piece = pieces.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)));
                if let (Poll::Ready(Some(Ok(frame))), Some(left)) = (&piece, length) {
                    *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
                }
                piece
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Out::Whole(whole) => whole.is_end_stream(),
            Out::Carried(carried) => carried.is_end_stream(),
            Out::Pieces { .. } | Out::Channel(_) => false,
            Out::Dictated { length, work, .. } => *length == Some(0) && work.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Out::Whole(whole) => whole.size_hint(),
            Out::Carried(carried) => carried.size_hint(),
            Out::Channel(channel) => channel.size_hint(),
            Out::Pieces { .. } | Out::Dictated { length: None, .. } => SizeHint::new(),
            Out::Dictated { length: Some(length), .. } => SizeHint::with_exact(*length),
        }
    }
}

fn drive(work: &mut Option<Work>, cx: &mut Context<'_>) {
    if let Some(running) = work
        && running.as_mut().poll(cx).is_ready()
    {
        *work = None;
    }
}

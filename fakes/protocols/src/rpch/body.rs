//! What an OUT channel's answer holds: whole PDUs as they come, and at last an end that is not the declared one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::clock::{self, Lapse};
use super::{DECLARED, Waiting};

/// The body of an OUT channel's answer, said to be 1 GiB long. Its end is an error: the channel ends, and the connection
/// with it.
pub struct OutBody {
    pub(super) pieces: mpsc::Receiver<Bytes>,
    /// While it waits for its other half, and how long it may.
    pub(super) waiting: Option<(Waiting, Lapse)>,
}

impl OutBody {
    pub(super) fn new(pieces: mpsc::Receiver<Bytes>, waiting: Option<Waiting>) -> OutBody {
        OutBody { pieces, waiting: waiting.map(|waiting| (waiting, clock::lapse())) }
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Poll::Ready(piece) = self.pieces.poll_recv(cx) {
            let ended =
                || io::Error::new(io::ErrorKind::ConnectionAborted, "the virtual connection has ended");
            return Poll::Ready(Some(piece.map(Frame::data).ok_or_else(ended)));
        }
        self.waiting.take_if(|(waiting, _)| waiting.is_paired());
        let Some((_, lapse)) = &mut self.waiting else { return Poll::Pending };
        lapse
            .as_mut()
            .poll(cx)
            .map(|_| Some(Err(io::Error::new(io::ErrorKind::TimedOut, "no IN channel came"))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(DECLARED)
    }
}

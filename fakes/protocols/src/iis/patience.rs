//! How long IIS waits on a connection: two minutes for a client that says nothing, and less for one that has begun a head
//! and does not end it. And what it says before it breaks one off: all that came before the break.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::{self, Lapse};

/// How long a connection may be quiet between two requests: `connectionTimeout` of a site's `limits`, 00:02:00 unless set
/// (Microsoft's IIS configuration reference, system.applicationHost/sites/siteDefaults/limits). Whoever serves HTTP keeps it.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a head may take from its first byte to its last. No client of a lab dawdles; this one is ours.
pub const HEAD: Duration = Duration::from_secs(10);

/// Whether a connection's client is being answered. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Turn(Arc<AtomicBool>);

impl Turn {
    /// A head has come whole: it is the server's turn until the answer's body, wrapped by [`Turn::during`], is let go.
    pub fn begins(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// A body with which the server's turn ends.
    pub fn during<B: Body>(&self, body: B) -> During<B> {
        During { body, turn: self.clone(), said: false, broken: None }
    }

    fn is_servers(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The body of an answer, with whose end the next head may come. Where it breaks off, its last piece is on the wire first: an
/// HTTP library would let it go with the connection.
pub struct During<B: Body> {
    body: B,
    turn: Turn,
    /// Whether a piece was given since it was last waited for.
    said: bool,
    /// Why it breaks off, once what was said has been sent.
    broken: Option<B::Error>,
}

impl<B: Body> Drop for During<B> {
    fn drop(&mut self) {
        self.turn.0.store(false, Ordering::Relaxed);
    }
}

impl<B: Body<Error: Unpin> + Unpin> Body for During<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if let Some(why) = self.broken.take() {
            return Poll::Ready(Some(Err(why)));
        }
        let said = std::mem::take(&mut self.said);
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Err(why)) if said => {
                // Whoever is told to wait sends what he has.
                self.broken = Some(why);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => {
                self.said = frame.is_some();
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that breaks where a head has begun and does not end in time.
pub struct Patient<IO> {
    io: IO,
    turn: Turn,
    begun: Option<Lapse>,
}

impl<IO> Patient<IO> {
    /// Of a connection whose turns these are.
    pub fn new(io: IO, turn: Turn) -> Patient<IO> {
        Patient { io, turn, begun: None }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Patient<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, into);
        if self.turn.is_servers() {
            self.begun = None;
            return polled;
        }
        if into.filled().len() > before {
            self.begun.get_or_insert_with(|| clock::lapse(HEAD));
        }
        match (&polled, &mut self.begun) {
            (Poll::Pending, Some(lapse)) => lapse
                .as_mut()
                .poll(cx)
                .map(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "a head that does not end"))),
            _ => polled,
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Patient<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    /// How many seconds pass until the next read comes to an end, and to which.
    async fn waits(stream: &mut Patient<tokio::io::DuplexStream>) -> (u64, Option<io::ErrorKind>) {
        let began = Instant::now();
        let read = timeout(2 * CONNECTION_TIMEOUT, stream.read(&mut [0; 64])).await;
        (began.elapsed().as_secs(), read.ok().map(|read| read.unwrap_err().kind()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_must_end_and_silence_between_requests_need_not() {
        let (mut client, server) = duplex(64);
        let turn = Turn::default();
        let mut server = Patient::new(server, turn.clone());
        assert_eq!(waits(&mut server).await, (240, None), "nothing has begun");
        client.write_all(b"GET / HT").await.unwrap();
        server.read_exact(&mut [0; 8]).await.unwrap();
        turn.begins();
        assert_eq!(waits(&mut server).await, (240, None), "a body is its reader's affair");
        drop(turn.during(http_body_util::Empty::<bytes::Bytes>::new()));
        assert_eq!(waits(&mut server).await, (240, None), "it has been answered");
        client.write_all(b"GET").await.unwrap();
        server.read_exact(&mut [0; 3]).await.unwrap();
        assert_eq!(waits(&mut server).await, (10, Some(io::ErrorKind::TimedOut)));
    }

    /// A body that says something and breaks off at once.
    struct Breaks(bool);

    impl Body for Breaks {
        type Data = bytes::Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<bytes::Bytes>, &'static str>>> {
            let said = std::mem::replace(&mut self.0, true);
            Poll::Ready(Some(if said { Err("it broke") } else { Ok(Frame::data("last".into())) }))
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_waited_for_between_its_last_piece_and_the_break() {
        let mut body = Turn::default().during(Breaks(false));
        let mut polled =
            || Pin::new(&mut body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(polled(), Poll::Ready(Some(Ok(_)))));
        assert!(polled().is_pending());
        assert!(matches!(polled(), Poll::Ready(Some(Err("it broke")))));
    }
}

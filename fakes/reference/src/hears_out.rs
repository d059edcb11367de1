//! A stream whose writing end may break while an answer still waits to be read: a server that wants no more of a body says so
//! and closes. hyper takes the broken write for the end of everything, and the answer would be lost to the client (X-WIRE-5).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads on where nothing can be written any more: what was written last stays unwritten, and the reading end decides.
pub(crate) struct HearsOut<S> {
    stream: S,
    cut: Arc<AtomicBool>,
}

impl<S> HearsOut<S> {
    /// `cut` becomes true with the first write that fails; then the stream is of no use for another request.
    pub(crate) fn new(stream: S, cut: Arc<AtomicBool>) -> HearsOut<S> {
        HearsOut { stream, cut }
    }

    /// What a write came to, or that it is never over.
    fn written<T>(&self, came: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match came {
            Poll::Ready(Err(error)) if is_the_other_ends_doing(&error) => {
                self.cut.store(true, Ordering::Relaxed);
                Poll::Pending
            }
            came => came,
        }
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }
}

fn is_the_other_ends_doing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl<S: AsyncRead + Unpin> AsyncRead for HearsOut<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(waker, into)
    }
}

// Where it is cut nothing wakes for writing: the reading end has its answer, its end or its error, and wakes for that.
impl<S: AsyncWrite + Unpin> AsyncWrite for HearsOut<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Pending;
        }
        let came = Pin::new(&mut self.stream).poll_write(waker, octets);
        self.written(came)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Pending;
        }
        let came = Pin::new(&mut self.stream).poll_write_vectored(waker, octets);
        self.written(came)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Pending;
        }
        let came = Pin::new(&mut self.stream).poll_flush(waker);
        self.written(came)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(waker)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::Waker;

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use hyper::body::{Body, Frame};
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// A peer that takes one write, says its answer, and fails every further write for this reason.
    struct Answers {
        says: &'static [u8],
        then: io::ErrorKind,
        asked: Option<Waker>,
        written: bool,
    }

    impl Answers {
        fn new(says: &'static [u8], then: io::ErrorKind) -> Answers {
            Answers { says, then, asked: None, written: false }
        }
    }

    impl AsyncRead for Answers {
        fn poll_read(
            mut self: Pin<&mut Self>,
            waker: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.written {
                self.asked = Some(waker.waker().clone());
                return Poll::Pending;
            }
            let (now, later) = self.says.split_at(self.says.len().min(into.remaining()));
            into.put_slice(now);
            self.says = later;
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Answers {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            octets: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.written {
                return Poll::Ready(Err(self.then.into()));
            }
            self.written = true;
            self.asked.take().into_iter().for_each(Waker::wake);
            Poll::Ready(Ok(octets.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Endless;

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"y\n")))))
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_though_the_body_could_not_be_written() {
        let said = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 6\r\n\r\nenough";
        let cut = Arc::new(AtomicBool::new(false));
        let stream = HearsOut::new(Answers::new(said, io::ErrorKind::BrokenPipe), cut.clone());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let request = http::Request::post("/EWS/Exchange.asmx").body(Endless).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 413);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "enough");
        assert!(cut.load(Ordering::Relaxed), "it is said that the stream is of no more use");
        driver.abort();
    }

    #[tokio::test]
    async fn what_is_not_the_other_ends_doing_stays_an_error() {
        let cut = Arc::new(AtomicBool::new(false));
        let mut stream = HearsOut::new(Answers::new(b"", io::ErrorKind::InvalidData), cut.clone());
        assert_eq!(stream.write(b"y").await.unwrap(), 1);
        assert_eq!(stream.write(b"y").await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(!cut.load(Ordering::Relaxed));
    }
}

//! A head that is written as a case dictates it, in place of the one that the HTTP library writes: reason phrases, letter
//! case, order and doubled lines are then the case's own.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The next head of a connection, where one is dictated.
#[derive(Clone, Default)]
pub(crate) struct Spoken(Arc<Mutex<Option<Vec<u8>>>>);

impl Spoken {
    /// The head of the next final answer, with its empty line.
    pub(crate) fn say(&self, head: Vec<u8>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }

    fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A stream whose heads can be exchanged.
pub(crate) struct Speaking<IO> {
    io: IO,
    spoken: Spoken,
    /// The library's head, as far as it was written.
    head: Vec<u8>,
    /// What is still to be written.
    out: Vec<u8>,
}

impl<IO: AsyncWrite + Unpin> Speaking<IO> {
    pub(crate) fn new(io: IO, spoken: Spoken) -> Speaking<IO> {
        Speaking { io, spoken, head: vec![], out: vec![] }
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let wrote = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out))?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.drain(..wrote);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Speaking<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_out(cx))?;
        // An interim answer stays the library's.
        let begins = !self.head.is_empty() || !from.starts_with(b"HTTP/1.1 100");
        if !self.spoken.is_set() || !begins {
            return Pin::new(&mut self.io).poll_write(cx, from);
        }
        self.head.extend_from_slice(from);
        if let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n")
            && let Some(head) = self.spoken.take()
        {
            let body = self.head.split_off(end + 4);
            self.head.clear();
            self.out = [head, body].concat();
        }
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Speaking<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_head_is_exchanged_once_and_what_follows_it_is_not() {
        let spoken = Spoken::default();
        let mut written = Speaking::new(io::Cursor::new(vec![]), spoken.clone());
        spoken.say(b"HTTP/1.1 200 Success\r\n\r\n".to_vec());
        for part in [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 200 OK\r\nda",
            "te: x\r\n\r\nbody",
            " and more",
            "HTTP/1.1 200 OK\r\n\r\n",
        ] {
            written.write_all(part.as_bytes()).await.unwrap();
        }
        written.flush().await.unwrap();
        let all = String::from_utf8(written.io.into_inner()).unwrap();
        assert_eq!(
            all,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Success\r\n\r\nbody and moreHTTP/1.1 200 OK\r\n\r\n"
        );
    }
}

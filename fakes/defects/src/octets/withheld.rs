//! What is held back of a message on its way, until so much of it is there, or somebody lets go of it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The most that is ever held.
pub(super) const MOST: usize = 16 * 1024 * 1024;

/// A writer that takes everything and passes nothing on, until more than `most` bytes are there; then all of it, and what
/// follows as it comes.
pub(super) struct Withheld<'w, W> {
    to: &'w mut W,
    most: usize,
    held: Vec<u8>,
}

impl<'w, W: AsyncWrite + Unpin> Withheld<'w, W> {
    pub(super) fn new(to: &'w mut W, most: usize) -> Withheld<'w, W> {
        Withheld { to, most: most.min(MOST), held: vec![] }
    }

    /// Passes on what is still held.
    pub(super) async fn release(mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.to.write_all(&held).await?;
        self.to.flush().await
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Withheld<'_, W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.held.len() + bytes.len() <= this.most {
            this.held.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        this.most = 0;
        while !this.held.is_empty() {
            let written = ready!(Pin::new(&mut *this.to).poll_write(cx, &this.held))?;
            this.held.drain(..written);
        }
        Pin::new(&mut *this.to).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.most {
            0 => Pin::new(&mut *self.to).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.to).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_comes_until_enough_is_there_and_then_everything_does() {
        let mut came = vec![];
        let mut held = Withheld::new(&mut came, 4);
        held.write_all(b"abc").await.unwrap();
        assert!(held.to.is_empty());
        held.write_all(b"de").await.unwrap();
        held.write_all(b"f").await.unwrap();
        assert_eq!(held.to, b"abcdef");
        held.release().await.unwrap();
        let mut held = Withheld::new(&mut came, 4);
        held.write_all(b"gh").await.unwrap();
        held.release().await.unwrap();
        assert_eq!(came, b"abcdefgh");
    }
}

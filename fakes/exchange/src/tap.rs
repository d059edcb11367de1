//! A connection whose read bytes are kept for a while, so that a head can be recorded as it was written.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::answered::Answers;

/// The most that is kept: heads longer than this are recorded cut off.
const MOST_KEPT_BYTES: usize = 64 * 1024;

/// What was read lately on a connection.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        if kept.len() > MOST_KEPT_BYTES {
            let over = kept.len() - MOST_KEPT_BYTES;
            kept.drain(..over);
        }
    }

    /// The head of the request that begins with this verb and target; what came before it is forgotten.
    pub(crate) fn head(&self, verb: &str, target: &str) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{verb} {target} HTTP/1.");
        let Some(start) = find(&kept, line.as_bytes()) else { return vec![] };
        let end = find(&kept[start..], b"\r\n\r\n").map_or(kept.len(), |end| start + end + 4);
        let head = kept[start..end].to_vec();
        kept.drain(..end);
        head
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// The head as the ledger keeps it: credentials are left out.
pub(crate) fn redacted(head: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    let lines: Vec<String> = text
        .split("\r\n")
        .map(|line| match line.split_once(':') {
            Some((name, value)) if is_secret(name) => {
                let scheme = value.trim().split(' ').next().unwrap_or_default();
                format!("{name}: {scheme} (redacted)")
            }
            _ => line.to_owned(),
        })
        .collect();
    lines.join("\r\n").into_bytes()
}

fn is_secret(name: &str) -> bool {
    ["authorization", "proxy-authorization"].iter().any(|secret| name.trim().eq_ignore_ascii_case(secret))
}

/// A stream that tells what was read from it, and how much was written.
pub(crate) struct Tap<IO> {
    io: IO,
    heard: Heard,
    answers: Answers,
}

impl<IO> Tap<IO> {
    pub(crate) fn new(io: IO, heard: Heard, answers: Answers) -> Tap<IO> {
        Tap { io, heard, answers }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Tap<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, into);
        if let Poll::Ready(Ok(())) = polled {
            self.heard.push(&into.filled()[before..]);
            self.answers.read(into.filled().len() - before);
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Tap<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, from);
        if let Poll::Ready(Ok(bytes)) = &written {
            self.answers.wrote(*bytes);
        }
        written
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if let Poll::Ready(Ok(())) = &flushed {
            self.answers.flushed();
        }
        flushed
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_the_second_request_is_found_behind_the_body_of_the_first() {
        let heard = Heard::default();
        heard.push(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(heard.head("POST", "/a"), b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
        heard.push(b"GET /b HTTP/1.1\r\nHOST: x\r\n\r\n");
        assert_eq!(heard.head("GET", "/b"), b"GET /b HTTP/1.1\r\nHOST: x\r\n\r\n");
    }

    #[test]
    fn a_password_is_not_recorded() {
        let kept = redacted(b"GET / HTTP/1.1\r\nAuthorization: Basic cHcxOnB3\r\n\r\n");
        assert_eq!(kept, b"GET / HTTP/1.1\r\nAuthorization: Basic (redacted)\r\n\r\n");
    }
}

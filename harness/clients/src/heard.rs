//! The heads of requests and answers as they stand on the wire: overheard in both directions, bounded, without secrets.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use model::journal::Heads;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is kept of a head in one direction.
const MOST_HEAD_BYTES: usize = 4096;

/// What went over a connection since something was last asked on it: the beginning, in each direction.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Heard {
    /// Something is about to be asked: what came before is forgotten.
    pub(crate) fn begin(&self) {
        let mut kept = self.kept();
        kept.sent.clear();
        kept.received.clear();
    }

    /// The heads of what was asked and answered; `secrets` stand in neither.
    pub(crate) fn heads(&self, secrets: &[String]) -> Heads {
        let Kept { sent, received } = std::mem::take(&mut *self.kept());
        Heads { sent: shown(&sent, secrets), received: shown(&received, secrets) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that is overheard.
pub(crate) struct Overheard<IO> {
    io: IO,
    heard: Heard,
}

impl<IO> Overheard<IO> {
    pub(crate) fn new(io: IO, heard: Heard) -> Overheard<IO> {
        Overheard { io, heard }
    }
}

/// Keeps the beginning and forgets the rest, which is bodies.
fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = MOST_HEAD_BYTES.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

impl<IO: AsyncRead + Unpin> AsyncRead for Overheard<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, into);
        if let Poll::Ready(Ok(())) = polled {
            keep(&mut self.heard.kept().received, &into.filled()[before..]);
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Overheard<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, from);
        if let Poll::Ready(Ok(written)) = polled {
            keep(&mut self.heard.kept().sent, &from[..written]);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, from);
        if let Poll::Ready(Ok(mut written)) = polled {
            let mut kept = self.heard.kept();
            for slice in from {
                let of_this = slice.len().min(written);
                keep(&mut kept.sent, &slice[..of_this]);
                written -= of_this;
            }
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A head as it is shown: without the body behind it, and without what nobody but its owner may read.
fn shown(kept: &[u8], secrets: &[String]) -> String {
    let head = &kept[..end_of_head(kept)];
    let mut text = without_secret_fields(&String::from_utf8_lossy(head));
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        if text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), "***");
        }
    }
    if head.len() == MOST_HEAD_BYTES {
        text.push_str("\r\n(cut after 4096 bytes)\r\n");
    }
    text
}

/// Behind the empty line; a 1xx answer is followed by another head (RFC 9110, section 15.2). What has no empty line is
/// shown whole: it is no HTTP, or a head that broke off.
fn end_of_head(kept: &[u8]) -> usize {
    let mut from = 0;
    loop {
        let rest = &kept[from..];
        let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") else { return kept.len() };
        let interim = rest.starts_with(b"HTTP/1.1 1") || rest.starts_with(b"HTTP/1.0 1");
        from += end + 4;
        if !interim {
            return from;
        }
    }
}

/// Passwords, tickets and cookies are replaced; that they were there, and of which scheme or name, is left.
fn without_secret_fields(head: &str) -> String {
    let mut shown = String::with_capacity(head.len());
    let mut in_secret = false;
    for line in head.split_inclusive('\n') {
        let (text, end) = line.split_at(line.trim_end_matches(['\r', '\n']).len());
        // A field may go on in the next line (RFC 9112, section 5.2).
        if text.starts_with([' ', '\t']) && in_secret {
            shown.push_str(" (redacted)");
            shown.push_str(end);
            continue;
        }
        let field = text.split_once(':');
        let redacted = field.and_then(|(name, value)| redacted(name, value.trim()));
        in_secret = redacted.is_some();
        match (field, redacted) {
            (Some((name, _)), Some(value)) => {
                shown.push_str(name);
                shown.push_str(": ");
                shown.push_str(&value);
            }
            _ => shown.push_str(text),
        }
        shown.push_str(end);
    }
    shown
}

/// What is shown of a field that holds a secret; `None` for one that holds none.
fn redacted(name: &str, value: &str) -> Option<String> {
    let is = |secret: &str| name.trim().eq_ignore_ascii_case(secret);
    let pair = |pair: &str| format!("{}=(redacted)", pair.split('=').next().unwrap_or_default().trim());
    if is("authorization") || is("proxy-authorization") {
        return Some(format!("{} (redacted)", value.split(' ').next().unwrap_or_default()));
    }
    if is("www-authenticate") || is("proxy-authenticate") {
        // A scheme with a token alone, `Negotiate YII…`; parameters, `Basic realm="…"`, are no secret.
        let (scheme, token) = value.split_once(' ')?;
        return (!token.contains("=\"")).then(|| format!("{scheme} (redacted)"));
    }
    if is("cookie") {
        return Some(value.split(';').map(pair).collect::<Vec<_>>().join("; "));
    }
    if is("set-cookie") {
        let (first, attributes) = value.split_once(';').unwrap_or((value, ""));
        let attributes = if attributes.is_empty() { String::new() } else { format!(";{attributes}") };
        return Some(format!("{}{attributes}", pair(first)));
    }
    is("x-commonaccesstoken").then(|| "(redacted)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(sent: &[u8], received: &[u8]) -> Heads {
        let heard = Heard::default();
        keep(&mut heard.kept().sent, sent);
        keep(&mut heard.kept().received, received);
        heard.heads(&["pass-77".to_owned()])
    }

    #[test]
    fn a_head_is_kept_as_it_was_written_and_its_body_is_not() {
        let heads = heads(
            b"POST /owa/auth.owa HTTP/1.1\r\nhOsT: mail.contoso.com\r\n\r\npassword=pass-77",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Success\r\nX:  y\r\n\r\n<html>",
        );
        assert_eq!(heads.sent, "POST /owa/auth.owa HTTP/1.1\r\nhOsT: mail.contoso.com\r\n\r\n");
        assert_eq!(heads.received, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Success\r\nX:  y\r\n\r\n");
    }

    #[test]
    fn passwords_tickets_and_cookies_are_left_out() {
        let heads = heads(
            b"GET /?p=pass-77 HTTP/1.1\r\nauthorization: Basic cHcxOnB3\r\nCookie: cadata=a1; UserContext=b2\r\n\r\n",
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate YIIx\r\nWWW-Authenticate: Basic realm=\"mail\"\r\n\
              Set-Cookie: cadata=c3; path=/; HttpOnly\r\nX-CommonAccessToken: d4\r\n  e5\r\n\r\n",
        );
        assert_eq!(
            heads.sent,
            "GET /?p=*** HTTP/1.1\r\nauthorization: Basic (redacted)\r\n\
             Cookie: cadata=(redacted); UserContext=(redacted)\r\n\r\n"
        );
        assert_eq!(
            heads.received,
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate (redacted)\r\n\
             WWW-Authenticate: Basic realm=\"mail\"\r\nSet-Cookie: cadata=(redacted); path=/; HttpOnly\r\n\
             X-CommonAccessToken: (redacted)\r\n (redacted)\r\n\r\n"
        );
    }

    #[test]
    fn what_is_no_http_is_kept_too_and_never_more_than_the_limit() {
        let heads = heads(b"", &[b'x'; 10_000]);
        assert_eq!(heads.received.matches('x').count(), MOST_HEAD_BYTES);
        assert!(heads.received.ends_with("(cut after 4096 bytes)\r\n"), "{}", heads.received);
    }
}

//! An answer read as it comes (RFC 9112), bounded: status line, header lines, body without its framing.

use std::time::Duration;

use model::case::AnswerFraming;
use model::journal::RawAnswer;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

use crate::clock::within;

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// Nothing yet.
    Nothing,
    /// 100 (Continue).
    Continue,
    /// The head of the final answer.
    Head,
}

pub(super) struct Reader<R> {
    from: R,
    /// Read, and not looked at yet.
    buffer: Vec<u8>,
    most_head: usize,
    most_body: usize,
    tell: watch::Sender<Seen>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(
        from: R,
        (most_head, most_body): (usize, usize),
        tell: watch::Sender<Seen>,
    ) -> Reader<R> {
        Reader { from, buffer: vec![], most_head, most_body, tell }
    }

    pub(super) fn into_inner(self) -> R {
        self.from
    }

    /// Reads the final answer, or as much of it as the client stays for.
    pub(super) async fn read(
        &mut self,
        verb: &str,
        leaves_after: Option<u64>,
        progress: impl Fn(u64),
        seen: &mut RawAnswer,
    ) -> Result<(), String> {
        let status = loop {
            let head = self.head().await?;
            let mut lines = head.split("\r\n").map(str::to_owned);
            let first = lines.next().unwrap_or_default();
            let (version, status) = first.split_once(' ').unwrap_or((&first, ""));
            let code: u16 = status.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
            if !version.starts_with("HTTP/1.") || code < 100 {
                return Err(format!(
                    "the answer begins with no status line: {}",
                    first.chars().take(80).collect::<String>()
                ));
            }
            if code == 100 {
                self.tell.send_replace(Seen::Continue);
            }
            // 101 is final: nobody asked for it.
            if !(100..200).contains(&code) || code == 101 {
                seen.status = status.trim_end_matches(' ').to_owned();
                seen.lines = lines.filter(|line| !line.is_empty()).collect();
                break code;
            }
        };
        self.tell.send_replace(Seen::Head);
        let bodiless = verb == "HEAD" || matches!(status, 204 | 304);
        seen.framing = if bodiless { None } else { Some(framing(&seen.lines)) };
        let stays = leaves_after.unwrap_or(u64::MAX);
        match seen.framing {
            None => seen.whole = true,
            Some(AnswerFraming::Length) => {
                let length = value(&seen.lines, "content-length").and_then(|length| length.parse().ok());
                let length: u64 = length.ok_or("Content-Length is no number")?;
                seen.whole = self.take(length.min(stays), &progress, seen).await? && length <= stays;
            }
            Some(AnswerFraming::Chunked) => seen.whole = self.chunks(stays, &progress, seen).await?,
            Some(AnswerFraming::Close) => {
                // What came with the head is part of it.
                self.keep(usize::MAX, &progress, seen)?;
                while seen.body.bytes < stays && self.more().await? {
                    self.keep(usize::MAX, &progress, seen)?;
                }
                seen.whole = seen.body.bytes < stays;
            }
        }
        Ok(())
    }

    /// Whether another request may follow: nothing says otherwise, and the far end has not closed.
    pub(super) async fn can_go_on(&mut self, seen: &RawAnswer) -> bool {
        let closes = value(&seen.lines, "connection").is_some_and(|says| says.eq_ignore_ascii_case("close"));
        if closes || !seen.whole || seen.framing == Some(AnswerFraming::Close) || !self.buffer.is_empty() {
            return false;
        }
        // An end that is there already is seen; one that comes later shows at the next request.
        within(Duration::ZERO, self.from.read(&mut [0; 1])).await.is_none()
    }

    async fn head(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.buffer.split_off(end + 4);
                let head = std::mem::replace(&mut self.buffer, rest);
                return Ok(String::from_utf8_lossy(&head[..end]).into_owned());
            }
            if self.buffer.len() > self.most_head {
                return Err(format!("the head of the answer has more than {} bytes", self.most_head));
            }
            if !self.more().await? {
                return Err("the connection ended before the head of an answer".to_owned());
            }
        }
    }

    async fn chunks(
        &mut self,
        stays: u64,
        progress: &impl Fn(u64),
        seen: &mut RawAnswer,
    ) -> Result<bool, String> {
        loop {
            let Some(size) = self.line().await? else { return Ok(false) };
            let digits = size.split(';').next().unwrap_or_default().trim();
            let size =
                u64::from_str_radix(digits, 16).map_err(|_| format!("`{size}` is no size of a chunk"))?;
            if size == 0 {
                // Trailers, up to an empty line.
                loop {
                    match self.line().await? {
                        Some(line) if line.is_empty() => return Ok(true),
                        Some(_) => {}
                        None => return Ok(false),
                    }
                }
            }
            let left = stays.saturating_sub(seen.body.bytes);
            if !self.take(size.min(left), progress, seen).await? || left <= size {
                return Ok(false);
            }
            if self.line().await?.is_none_or(|line| !line.is_empty()) {
                return Ok(false);
            }
        }
    }

    async fn line(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if self.buffer.len() > self.most_head {
                return Err("a line between chunks never ends".to_owned());
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Reads so many bytes of the body; false where the connection ended first.
    async fn take(
        &mut self,
        mut left: u64,
        progress: &impl Fn(u64),
        seen: &mut RawAnswer,
    ) -> Result<bool, String> {
        loop {
            let before = seen.body.bytes;
            self.keep(usize::try_from(left).unwrap_or(usize::MAX), progress, seen)?;
            left -= seen.body.bytes - before;
            if left == 0 {
                return Ok(true);
            }
            if !self.more().await? {
                return Ok(false);
            }
        }
    }

    fn keep(&mut self, most: usize, progress: &impl Fn(u64), seen: &mut RawAnswer) -> Result<(), String> {
        let bytes: Vec<u8> = self.buffer.drain(..most.min(self.buffer.len())).collect();
        seen.body.add(&bytes);
        progress(seen.body.bytes);
        match seen.body.bytes > self.most_body as u64 {
            true => Err(format!("the answer has more than {} bytes", self.most_body)),
            false => Ok(()),
        }
    }

    /// Reads on; false at the end. A connection that breaks has ended.
    async fn more(&mut self) -> Result<bool, String> {
        self.buffer.reserve(16 * 1024);
        let read = self.from.read_buf(&mut self.buffer).await.unwrap_or(0);
        Ok(read > 0)
    }
}

fn framing(lines: &[String]) -> AnswerFraming {
    let chunked =
        value(lines, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    match (chunked, value(lines, "content-length")) {
        (true, _) => AnswerFraming::Chunked,
        (false, Some(_)) => AnswerFraming::Length,
        (false, None) => AnswerFraming::Close,
    }
}

fn value<'l>(lines: &'l [String], name: &str) -> Option<&'l str> {
    let named =
        |line: &'l String| line.split_once(':').filter(|(written, _)| written.eq_ignore_ascii_case(name));
    lines.iter().find_map(named).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::digest::Digest;

    async fn read(bytes: &str, leaves_after: Option<u64>) -> (Result<(), String>, RawAnswer) {
        let mut seen = RawAnswer::default();
        let mut reader = Reader::new(bytes.as_bytes(), (4096, 4096), watch::Sender::new(Seen::Nothing));
        let outcome = reader.read("GET", leaves_after, |_| {}, &mut seen).await;
        (outcome, seen)
    }

    #[tokio::test]
    async fn an_answer_is_read_as_it_came_behind_an_interim_one() {
        let (outcome, seen) = read(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Success\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            None,
        )
        .await;
        assert_eq!(outcome, Ok(()));
        assert_eq!((&seen.status[..], &seen.lines[0][..], seen.whole), ("200 Success", "A: 1", true));
        assert_eq!((seen.body, seen.framing), (Digest::of(b"abcde"), Some(AnswerFraming::Chunked)));
    }

    #[tokio::test]
    async fn a_body_that_ends_with_its_connection_is_read_though_it_came_with_the_head() {
        let (outcome, seen) = read("HTTP/1.0 403 Forbidden\r\nA: 1\r\n\r\nabc", None).await;
        assert_eq!((outcome, seen.whole, seen.body), (Ok(()), true, Digest::of(b"abc")));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_or_is_left_is_not_whole() {
        for bytes in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ] {
            let (outcome, seen) = read(bytes, None).await;
            assert_eq!((outcome, seen.whole, seen.body.bytes), (Ok(()), false, 3), "{bytes}");
        }
        let (_, seen) = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", Some(2)).await;
        assert_eq!((seen.whole, seen.body), (false, Digest::of(b"ab")));
    }

    #[tokio::test]
    async fn a_451_without_a_phrase_is_read_and_what_is_no_answer_is_told() {
        let (_, seen) = read("HTTP/1.1 451 \r\nContent-Length: 0\r\n\r\n", None).await;
        assert_eq!(seen.status, "451");
        let (outcome, _) = read("SSH-2.0-x\r\n\r\n", None).await;
        assert!(outcome.unwrap_err().contains("no status line"));
        let (outcome, _) = read(&format!("HTTP/1.1 200 {}", "x".repeat(5000)), None).await;
        assert!(outcome.unwrap_err().contains("more than 4096 bytes"));
    }
}

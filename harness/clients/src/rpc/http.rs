//! The HTTP of a channel: heads that are written as Outlook writes them, answers that are read as they come. Bounded.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use model::journal::Exchange;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::heard::Heard;
use crate::wire::Stream;

/// The longest line that says how long a chunk is.
const LONGEST_SIZE: usize = 256;
/// As much as is read at once.
const PIECE: usize = 16 * 1024;

/// A connection, and what came on it and has not been looked at.
pub(super) struct Line {
    pub(super) stream: Stream,
    pub(super) to: SocketAddr,
    pub(super) heard: Heard,
    pub(super) read: BytesMut,
}

/// A request that stands open.
pub(super) struct Open {
    pub(super) line: Line,
    pub(super) exchange: Exchange,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) reason: String,
    lines: Vec<(String, String)>,
}

impl Head {
    /// Of an answer that has not come yet.
    pub(super) fn none() -> Head {
        Head { status: 0, reason: String::new(), lines: vec![] }
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// What each `WWW-Authenticate` line says.
    pub(super) fn challenges(&self) -> impl Iterator<Item = &str> {
        self.values("www-authenticate")
    }

    /// Whether the connection can be asked on again.
    pub(super) fn stays(&self) -> bool {
        !self.values("connection").any(|says| says.eq_ignore_ascii_case("close"))
            && self.values("content-length").next().is_some()
    }
}

impl Line {
    pub(super) async fn say(&mut self, octets: &[u8]) -> Result<(), String> {
        let said = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        said.await.map_err(|error| format!("the connection broke: {error}"))
    }

    /// Reads some more; `false` at the end. May be given up and taken up again.
    pub(super) async fn more(&mut self) -> Result<bool, String> {
        self.read.reserve(PIECE);
        let read = self.stream.read_buf(&mut self.read).await;
        read.map(|read| read > 0).map_err(|error| format!("the connection broke: {error}"))
    }

    /// The head of an answer. May be given up and taken up again.
    pub(super) async fn head(&mut self, most: usize) -> Result<Head, String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.read.split_to(end + 4);
                return parsed(&String::from_utf8_lossy(&head[..end]));
            }
            if self.read.len() > most {
                return Err(format!("the head of the answer has more than {most} bytes"));
            }
            if !self.more().await? {
                return Err("the connection ended before an answer".to_owned());
            }
        }
    }

    /// The body of an answer that is not a channel's, read over.
    pub(super) async fn skip_body(&mut self, head: &Head, most: usize) -> Result<(), String> {
        let mut body = Body::of(head);
        let mut skipped = BytesMut::new();
        while !body.decode(&mut self.read, &mut skipped)? {
            if skipped.len() > most {
                return Err(format!("the answer has more than {most} bytes"));
            }
            if !self.more().await? {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn parsed(head: &str) -> Result<Head, String> {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let (version, status) = first.split_once(' ').unwrap_or((first, ""));
    let (code, reason) = status.split_once(' ').unwrap_or((status, ""));
    let status = code.parse().ok().filter(|code| (100..1000).contains(code));
    match status.filter(|_| version.starts_with("HTTP/1.")) {
        Some(status) => {
            let line = |line: &str| {
                line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            };
            Ok(Head { status, reason: reason.to_owned(), lines: lines.filter_map(line).collect() })
        }
        None => Err(format!(
            "the answer begins with no status line: {}",
            first.chars().take(80).collect::<String>()
        )),
    }
}

/// How a body ends.
enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// In chunks: so many bytes are left of this one; `None` before the first and between two.
    Chunked(Option<u64>),
    /// With the connection.
    Close,
}

/// The body of an answer, without its framing.
pub(super) struct Body(Framing);

impl Body {
    pub(super) fn of(head: &Head) -> Body {
        let chunked = head.values("transfer-encoding").any(|coding| coding.eq_ignore_ascii_case("chunked"));
        let length = head.values("content-length").next().and_then(|length| length.parse().ok());
        Body(match (chunked, length) {
            (true, _) => Framing::Chunked(None),
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::Close,
        })
    }

    /// Moves what is here of the body; `true` at its end.
    pub(super) fn decode(&mut self, read: &mut BytesMut, into: &mut BytesMut) -> Result<bool, String> {
        loop {
            match &mut self.0 {
                Framing::Close => {
                    into.extend_from_slice(&read.split());
                    return Ok(false);
                }
                Framing::Length(left) => {
                    take(left, read, into);
                    return Ok(*left == 0);
                }
                Framing::Chunked(Some(left)) => {
                    take(left, read, into);
                    if *left > 0 || read.len() < 2 {
                        return Ok(false);
                    }
                    if read[..2] != *b"\r\n" {
                        return Err("a chunk is longer than it says".to_owned());
                    }
                    read.advance(2);
                    self.0 = Framing::Chunked(None);
                }
                Framing::Chunked(None) => {
                    let Some(end) = read.windows(2).position(|two| two == b"\r\n") else {
                        return match read.len() > LONGEST_SIZE {
                            true => Err("the size of a chunk never ends".to_owned()),
                            false => Ok(false),
                        };
                    };
                    let line = read.split_to(end + 2);
                    let digits = String::from_utf8_lossy(&line[..end]);
                    let digits = digits.split(';').next().unwrap_or_default().trim();
                    let size = u64::from_str_radix(digits, 16)
                        .map_err(|_| format!("`{digits}` is no size of a chunk"))?;
                    if size == 0 {
                        return Ok(true);
                    }
                    self.0 = Framing::Chunked(Some(size));
                }
            }
        }
    }
}

fn take(left: &mut u64, read: &mut BytesMut, into: &mut BytesMut) {
    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    into.extend_from_slice(&read.split_to(now));
    *left -= now as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(head: &str, pieces: &[&str]) -> (String, Result<bool, String>) {
        let head = parsed(&format!("HTTP/1.1 200 Success\r\n{head}")).unwrap();
        let (mut body, mut read, mut into) = (Body::of(&head), BytesMut::new(), BytesMut::new());
        let mut ended = Ok(false);
        for piece in pieces {
            read.extend_from_slice(piece.as_bytes());
            ended = body.decode(&mut read, &mut into);
        }
        (String::from_utf8_lossy(&into).into_owned(), ended)
    }

    #[test]
    fn a_body_is_read_as_it_comes_in_any_framing() {
        assert_eq!(decoded("Content-Length: 5", &["ab", "cdefg"]), ("abcde".to_owned(), Ok(true)));
        assert_eq!(decoded("A: b", &["ab", "c"]), ("abc".to_owned(), Ok(false)));
        let chunked = "Transfer-Encoding: chunked";
        assert_eq!(
            decoded(chunked, &["3", "\r\nab", "c\r", "\n2;x\r\nde\r\n"]),
            ("abcde".to_owned(), Ok(false))
        );
        assert_eq!(decoded(chunked, &["1\r\na\r\n0\r\n"]), ("a".to_owned(), Ok(true)));
        assert!(decoded(chunked, &["1\r\nab\r\n"]).1.is_err());
        assert!(decoded(chunked, &["x\r\n"]).1.is_err());
        assert!(decoded(chunked, &[&"1".repeat(300)]).1.is_err());
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for head in ["SSH-2.0", "HTTP/1.1 abc", "HTTP/2 200"] {
            assert!(parsed(head).is_err(), "{head}");
        }
        let head =
            parsed("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nConnection: Close").unwrap();
        assert_eq!((head.status, head.stays()), (401, false));
        assert_eq!(head.challenges().collect::<Vec<_>>(), ["NTLM"]);
    }
}

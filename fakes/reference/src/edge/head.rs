//! A message's head, read as bytes and passed on as bytes: only lines that concern one connection are changed.

use std::io;

use model::HostName;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::back;

/// The longest head that is read, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;
/// The most lines of one head.
const MOST_LINES: usize = 256;

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Known.
    Bytes(u64),
    /// It says so itself.
    Chunked,
    /// An answer that ends with its connection.
    UntilClosed,
}

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no head of HTTP/1.
    Malformed,
    /// Where its body ends can be read in two ways (X-SEC-6).
    Ambiguous,
    /// It is longer than is read.
    TooLong,
    /// It names no host, or two.
    NoHost,
}

impl Refused {
    /// The status that a client is told.
    pub(super) fn status(self) -> u16 {
        match self {
            Refused::TooLong => 431,
            Refused::Malformed | Refused::Ambiguous | Refused::NoHost => 400,
        }
    }
}

/// A head: its first line and its further ones, without their ends.
#[derive(Debug)]
pub(super) struct Head {
    first: String,
    lines: Vec<Vec<u8>>,
}

/// What a request's head says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its verb.
    pub(super) verb: String,
    /// Path and query as they were written.
    pub(super) target: String,
    /// Whom it is for.
    pub(super) host: HostName,
    pub(super) length: Length,
    /// Whether the connection ends with it.
    pub(super) closes: bool,
}

/// What an answer's head says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) length: Length,
    /// Whether the connection ends with it.
    pub(super) closes: bool,
}

/// Reads one head. `None`: the far end closed instead of beginning one.
pub(super) async fn read(
    from: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<Result<Head, Refused>>> {
    let mut bytes = Vec::new();
    loop {
        let piece = from.fill_buf().await?;
        if piece.is_empty() {
            return match bytes.is_empty() {
                true => Ok(None),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        // The end may lie across two pieces: as little is taken as shows whether it is here.
        let before = bytes.len();
        bytes.extend_from_slice(piece);
        let searched = before.saturating_sub(3);
        let end =
            bytes[searched..].windows(4).position(|four| four == b"\r\n\r\n").map(|at| searched + at + 4);
        let taken = end.unwrap_or(bytes.len()) - before;
        bytes.truncate(before + taken);
        from.consume(taken);
        if bytes.len() > LONGEST {
            return Ok(Some(Err(Refused::TooLong)));
        }
        if end.is_some() {
            return Ok(Some(parsed(&bytes)));
        }
    }
}

fn parsed(bytes: &[u8]) -> Result<Head, Refused> {
    let text = bytes.strip_suffix(b"\r\n\r\n").ok_or(Refused::Malformed)?;
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        lines.push(rest[..at].to_vec());
        rest = &rest[at + 2..];
    }
    lines.push(rest.to_vec());
    // A bare CR or LF is another's line end (RFC 9112, 2.2); a folded line is obsolete and ambiguous (5.2).
    let clean = |line: &Vec<u8>| !line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    if lines.len() > MOST_LINES || !lines.iter().all(clean) {
        return Err(Refused::Malformed);
    }
    let first = String::from_utf8(lines.remove(0)).map_err(|_| Refused::Malformed)?;
    let named = |line: &Vec<u8>| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        line.contains(&b':') && !name.is_empty() && name.iter().all(|byte| is_token(*byte))
    };
    match lines.iter().all(named) {
        true => Ok(Head { first, lines }),
        false => Err(Refused::Malformed),
    }
}

/// A letter of a token (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Head {
    /// What it says as a request.
    pub(super) fn asked(&self) -> Result<Asked, Refused> {
        let mut words = self.first.split(' ');
        let (Some(verb), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Refused::Malformed);
        };
        let is_verb = !verb.is_empty() && verb.bytes().all(is_token);
        let is_version = matches!(version, "HTTP/1.1" | "HTTP/1.0");
        if !is_verb || !is_version || !(target.starts_with('/') || target == "*") {
            return Err(Refused::Malformed);
        }
        let mut hosts = self.values("host");
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refused::NoHost) };
        let host = host.split(':').next().unwrap_or_default();
        Ok(Asked {
            verb: verb.to_owned(),
            target: target.to_owned(),
            host: HostName::folded(host).map_err(|_| Refused::NoHost)?,
            length: self.length()?.unwrap_or(Length::Bytes(0)),
            closes: self.closes(version),
        })
    }

    /// What it says as an answer to a request of this verb.
    pub(super) fn answered(&self, verb: &str) -> Result<Answered, Refused> {
        let (version, rest) = self.first.split_once(' ').ok_or(Refused::Malformed)?;
        let status = rest.get(..3).and_then(|digits| digits.parse().ok()).ok_or(Refused::Malformed)?;
        // RFC 9112, 6.3: these have no body, whatever they declare.
        let none = verb == "HEAD" || matches!(status, 100..=199 | 204 | 304);
        let length = match self.length()? {
            _ if none => Length::Bytes(0),
            Some(length) => length,
            None => Length::UntilClosed,
        };
        Ok(Answered { status, length, closes: length == Length::UntilClosed || self.closes(version) })
    }

    /// The head as it goes on: each line as it was written and where it was, but for those of one connection.
    pub(super) fn onward(&self, asked: bool) -> Vec<u8> {
        let listed: Vec<String> =
            self.values("connection").flat_map(|value| value.split(',')).map(folded).collect();
        let mut bytes = self.first.clone().into_bytes();
        bytes.extend_from_slice(b"\r\n");
        for line in &self.lines {
            let name =
                folded(&String::from_utf8_lossy(line.split(|byte| *byte == b':').next().unwrap_or_default()));
            if stays_here(&name, &listed) || (asked && back::is_front_end_only(&name)) {
                continue;
            }
            bytes.extend_from_slice(line);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// Where the body ends; two ways to read that are none (RFC 9112, 6.1 and 6.3).
    fn length(&self) -> Result<Option<Length>, Refused> {
        let codings: Vec<&str> = self.values("transfer-encoding").collect();
        let lengths: Vec<&str> = self.values("content-length").collect();
        match (&codings[..], &lengths[..]) {
            ([], []) => Ok(None),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") && !self.first.contains("HTTP/1.0") => {
                Ok(Some(Length::Chunked))
            }
            ([], [length]) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Some(Length::Bytes(length.parse().map_err(|_| Refused::Malformed)?)))
            }
            _ => Err(Refused::Ambiguous),
        }
    }

    fn closes(&self, version: &str) -> bool {
        let says = |word: &str| {
            self.values("connection").flat_map(|value| value.split(',')).any(|given| folded(given) == word)
        };
        says("close") || (version == "HTTP/1.0" && !says("keep-alive"))
    }

    /// The values of every line of this name; one that is no text is empty.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter_map(move |line| {
            let at = line.iter().position(|byte| *byte == b':')?;
            let is_it = line[..at].eq_ignore_ascii_case(name.as_bytes());
            is_it.then(|| std::str::from_utf8(&line[at + 1..]).unwrap_or_default().trim())
        })
    }
}

/// What ends at this connection (RFC 9110, 7.6.1). `Connection` itself goes on, since a connection behind lives and ends
/// with the client's; nothing is upgraded, so what would ask for it stays. Transfer-Encoding frames bytes that are passed
/// on as they are.
fn stays_here(name: &str, listed: &[String]) -> bool {
    const ALWAYS: &[&str] = &["upgrade", "proxy-connection", "proxy-authorization", "keep-alive", "te"];
    const NEVER: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "close"];
    ALWAYS.contains(&name) || (listed.iter().any(|given| given == name) && !NEVER.contains(&name))
}

fn folded(word: &str) -> String {
    word.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, Refused> {
        parsed(text.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for framing in [
            "Content-Length: 3\nTransfer-Encoding: chunked",
            "Content-Length: 3\nContent-Length: 4",
            "Content-Length: +3",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: xchunked",
        ] {
            let head = head(&format!("POST / HTTP/1.1\nHost: mail.contoso.com\n{framing}\n\n")).unwrap();
            assert_eq!(head.asked(), Err(Refused::Ambiguous), "{framing}");
        }
        for line in ["Content-Length : 3", " folded", "no colon", "X: a\rb"] {
            let head = head(&format!("POST / HTTP/1.1\nHost: mail.contoso.com\n{line}\n\n"));
            assert_eq!(head.err(), Some(Refused::Malformed), "{line}");
        }
        for host in ["Host: a.contoso.com\nHost: b.contoso.com", "X-None: 1"] {
            let head = head(&format!("GET / HTTP/1.1\n{host}\n\n")).unwrap();
            assert_eq!(head.asked(), Err(Refused::NoHost), "{host}");
        }
    }

    #[test]
    fn lines_go_on_as_they_were_written_and_those_of_a_connection_or_a_front_end_do_not() {
        let head = head(
            "RPC_IN_DATA /rpc/rpcproxy.dll?a:6001 HTTP/1.1\nhOsT: mail.contoso.com\nX-Odd:  two  \nx-isfromcafe: 1\n\
             Connection: close, X-Private\nX-Private: 1\nTE: trailers\nCookie: a=1\nCookie: b=2\n\n",
        )
        .unwrap();
        let wanted = "RPC_IN_DATA /rpc/rpcproxy.dll?a:6001 HTTP/1.1\nhOsT: mail.contoso.com\nX-Odd:  two  \n\
                      Connection: close, X-Private\nCookie: a=1\nCookie: b=2\n\n";
        assert_eq!(String::from_utf8(head.onward(true)).unwrap(), wanted.replace('\n', "\r\n"));
        assert!(head.asked().unwrap().closes);
    }

    #[test]
    fn an_answer_without_a_length_ends_with_its_connection_unless_it_has_no_body() {
        let answer = head("HTTP/1.1 200 Success\nServer: x\n\n").unwrap();
        assert_eq!(answer.answered("GET").unwrap().length, Length::UntilClosed);
        assert_eq!(answer.answered("HEAD").unwrap().length, Length::Bytes(0));
        let none = head("HTTP/1.1 451\nX-MS-Location: x\nContent-Length: 0\n\n").unwrap();
        assert_eq!(
            none.answered("POST").unwrap(),
            Answered { status: 451, length: Length::Bytes(0), closes: false }
        );
    }
}

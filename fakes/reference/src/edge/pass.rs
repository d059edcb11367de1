//! Bodies on their way: bytes go on as they come, and only where they end is looked for.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

use super::head::Length;
use crate::clock;

/// The longest line of a chunked body: a size and its extensions, or a trailer.
const LONGEST_LINE: usize = 8 * 1024;
/// The most bytes of trailers.
const MOST_TRAILERS: usize = 64 * 1024;

/// Which side ended an exchange early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The one that sends the body.
    #[error("what sends the body broke off: {0}")]
    From(io::Error),
    /// The one that takes it.
    #[error("what takes the body broke off: {0}")]
    To(io::Error),
}

/// Passes one body on, each piece as soon as it has come.
pub(super) async fn body(
    length: Length,
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Broken> {
    match length {
        Length::Bytes(bytes) => exactly(bytes, from, to).await,
        Length::Chunked => chunks(from, to).await,
        Length::UntilClosed => {
            while pieces(usize::MAX, from, to).await? > 0 {}
            Ok(())
        }
    }
}

async fn exactly(
    mut bytes: u64,
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Broken> {
    while bytes > 0 {
        match pieces(usize::try_from(bytes).unwrap_or(usize::MAX), from, to).await? {
            0 => return Err(Broken::From(io::ErrorKind::UnexpectedEof.into())),
            passed => bytes -= passed as u64,
        }
    }
    Ok(())
}

/// Passes on what is there, at most so much; 0 is the end.
async fn pieces(
    most: usize,
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<usize, Broken> {
    let piece = quiet(from.fill_buf()).await?;
    let passed = piece.len().min(most);
    send(&piece[..passed], to).await?;
    from.consume(passed);
    Ok(passed)
}

/// RFC 9112, 7.1: what declares a chunk is passed on byte for byte, and read only to know where it ends.
async fn chunks(
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Broken> {
    loop {
        let line = line(from).await?;
        let digits = line.split(|byte| matches!(byte, b';' | b'\r' | b'\n' | b' ' | b'\t')).next();
        let digits = std::str::from_utf8(digits.unwrap_or_default()).unwrap_or_default();
        let is_size = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = is_size.then(|| u64::from_str_radix(digits, 16).ok()).flatten().ok_or_else(malformed)?;
        send(&line, to).await?;
        if size == 0 {
            return trailers(from, to).await;
        }
        exactly(size, from, to).await?;
        let end = self::line(from).await?;
        if end != b"\r\n" {
            return Err(malformed());
        }
        send(&end, to).await?;
    }
}

async fn trailers(
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Broken> {
    let mut all = 0;
    loop {
        let line = line(from).await?;
        all += line.len();
        if all > MOST_TRAILERS {
            return Err(malformed());
        }
        send(&line, to).await?;
        if line == b"\r\n" {
            return Ok(());
        }
    }
}

/// One line with its end, which is CR LF.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Vec<u8>, Broken> {
    let mut line = Vec::new();
    loop {
        let piece = quiet(from.fill_buf()).await?;
        if piece.is_empty() {
            return Err(Broken::From(io::ErrorKind::UnexpectedEof.into()));
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(piece.len(), |at| at + 1);
        line.extend_from_slice(&piece[..taken]);
        from.consume(taken);
        if line.len() > LONGEST_LINE {
            return Err(malformed());
        }
        if end.is_some() {
            return if line.ends_with(b"\r\n") { Ok(line) } else { Err(malformed()) };
        }
    }
}

/// A silence that is longer than any protocol's own ends the exchange (X-WIRE-6).
pub(super) async fn quiet<T>(reading: impl Future<Output = io::Result<T>>) -> Result<T, Broken> {
    let read = clock::within(clock::QUIET, reading).await;
    read.map_err(|late| io::Error::new(io::ErrorKind::TimedOut, late)).flatten().map_err(Broken::From)
}

pub(super) async fn send(bytes: &[u8], to: &mut (impl AsyncWrite + Unpin)) -> Result<(), Broken> {
    to.write_all(bytes).await.map_err(Broken::To)?;
    to.flush().await.map_err(Broken::To)
}

fn malformed() -> Broken {
    Broken::From(io::Error::new(io::ErrorKind::InvalidData, "this is no chunked body (RFC 9112, 7.1)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(length: Length, bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Broken> {
        let mut from = bytes;
        let mut to = Vec::new();
        body(length, &mut from, &mut to).await?;
        Ok((to, from.to_vec()))
    }

    #[tokio::test]
    async fn a_chunked_body_is_passed_on_byte_for_byte_and_no_further() {
        let body = b"5;x=\"y\"\r\nhello\r\n000\r\nTrailer: 1\r\n\r\n";
        let next = b"GET / HTTP/1.1";
        let (whole, left) = passed(Length::Chunked, &[&body[..], next].concat()).await.unwrap();
        assert_eq!((whole, left), (body.to_vec(), next.to_vec()));
    }

    #[tokio::test]
    async fn what_is_no_chunk_ends_the_exchange() {
        for bytes in ["-1\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "\r\n", "5\r\nhel"] {
            assert!(passed(Length::Chunked, bytes.as_bytes()).await.is_err(), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_body_of_known_length_ends_there_and_a_shorter_one_is_an_error() {
        assert_eq!(passed(Length::Bytes(2), b"abc").await.unwrap(), (b"ab".to_vec(), b"c".to_vec()));
        assert!(passed(Length::Bytes(4), b"abc").await.is_err());
    }
}

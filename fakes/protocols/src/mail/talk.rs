//! A connection by lines: bounded in what is read, and heard for the ledger without passwords.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest line that is read, in bytes. A message of NTLM in base64 fits.
const MOST_LINE: usize = 8 * 1024;
/// The longest literal that is read: what a command carries; nobody stores a message here.
const MOST_LITERAL: usize = 64 * 1024;
/// The most that is kept of what was said.
const MOST_HEARD: usize = 2 * 1024;
/// How much is read at once. Small, since thousands of connections may be open and quiet.
const PIECE: usize = 512;

/// Why a conversation is over.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The other side has gone.
    #[error("the connection was closed")]
    Closed,
    /// It broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The other side wrote more than is read.
    #[error("{0} is too long")]
    TooLong(&'static str),
}

/// A connection by lines.
pub struct Talk<IO> {
    io: IO,
    /// What was read and is no whole line yet, or is behind the one that was taken.
    ahead: Vec<u8>,
    heard: String,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Talk<IO> {
    /// On a connection.
    pub fn new(io: IO) -> Talk<IO> {
        Talk { io, ahead: Vec::new(), heard: String::new() }
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// A connection that ended or broke, and a line of more than 8 KiB.
    pub async fn line(&mut self) -> Result<Vec<u8>, Ended> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.ahead[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.ahead.drain(..=seen + at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                if self.ahead.is_empty() {
                    self.ahead = Vec::new();
                }
                return Ok(line);
            }
            seen = self.ahead.len();
            if seen > MOST_LINE {
                return Err(Ended::TooLong("a line"));
            }
            self.more().await?;
        }
    }

    /// A literal of so many bytes, which the client has been told to send.
    ///
    /// # Errors
    /// As for a line, and a literal of more than 64 KiB, of which nothing is read.
    pub async fn literal(&mut self, length: u64) -> Result<Vec<u8>, Ended> {
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST_LITERAL);
        let length = length.ok_or(Ended::TooLong("a literal"))?;
        while self.ahead.len() < length {
            self.more().await?;
        }
        Ok(self.ahead.drain(..length).collect())
    }

    /// Whether a literal of this length is read at all.
    pub fn takes(length: u64) -> bool {
        length <= MOST_LITERAL as u64
    }

    /// Writes, and sends what was written.
    ///
    /// # Errors
    /// A connection that broke.
    pub async fn say(&mut self, text: impl AsRef<[u8]>) -> Result<(), Ended> {
        self.io.write_all(text.as_ref()).await?;
        Ok(self.io.flush().await?)
    }

    /// Says that nothing more comes; whoever has gone already need not hear it.
    pub async fn close(&mut self) {
        drop(self.io.shutdown().await);
    }

    /// Notes what the other side said, in words that hold no password.
    pub fn hears(&mut self, said: &str) {
        if self.heard.len() + said.len() + 2 <= MOST_HEARD {
            self.heard.push_str(said);
            self.heard.push_str("\r\n");
        }
    }

    /// What was heard so far.
    pub fn heard(&self) -> &str {
        &self.heard
    }

    /// Drops what was written behind the last line, as it must be where TLS begins (rule X-SEC-7), notes that, and says how
    /// many bytes it was.
    pub fn drop_early(&mut self) -> usize {
        let early = std::mem::take(&mut self.ahead).len();
        if early > 0 {
            self.hears(&format!("({early} bytes written before TLS, dropped)"));
        }
        early
    }

    /// The connection, what was read ahead of it, and what was heard.
    pub fn into_parts(self) -> (IO, Vec<u8>, String) {
        (self.io, self.ahead, self.heard)
    }

    /// Goes on over another connection, such as the same one within TLS; nothing that was read before is carried over.
    pub fn over<O>(io: O, heard: String) -> Talk<O> {
        Talk { io, ahead: Vec::new(), heard }
    }

    async fn more(&mut self) -> Result<(), Ended> {
        let mut piece = [0; PIECE];
        match self.io.read(&mut piece).await? {
            0 => Err(Ended::Closed),
            read => {
                self.ahead.extend_from_slice(&piece[..read]);
                Ok(())
            }
        }
    }
}

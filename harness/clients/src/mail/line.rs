//! A server's lines: bounded, and kept for the journal without passwords.

use model::HostName;
use model::journal::Heads;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::PATIENCE;
use crate::clock::within;
use crate::wire::Broken;

/// The longest line that is read, in bytes.
const MOST_LINE: usize = 16 * 1024;
/// The longest message and the longest answer that are read, in bytes, and the most lines of one answer.
pub(super) const MOST_TEXT: usize = 1024 * 1024;
pub(super) const MOST_LINES: usize = 10_000;
/// The most that is kept of a session in one direction.
const MOST_KEPT: usize = 2048;

/// Why a session came to nothing.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The server said no, in these words.
    Refused(String),
    /// It said what is of no use.
    Useless(String),
    /// There was no connection, or no TLS.
    Broken(Broken),
    /// The connection ended before it had said so.
    Gone(String),
}

impl From<Broken> for Wrong {
    fn from(broken: Broken) -> Wrong {
        Wrong::Broken(broken)
    }
}

/// A connection by lines.
pub(super) struct Line<IO> {
    io: IO,
    /// Whom the client takes the other side for.
    host: HostName,
    ahead: Vec<u8>,
    heads: Heads,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Line<IO> {
    pub(super) fn new(io: IO, host: &HostName) -> Line<IO> {
        Line { io, host: host.clone(), ahead: vec![], heads: Heads::default() }
    }

    /// In what way the server's answer is no use.
    pub(super) fn useless(&self, says: &str) -> Wrong {
        Wrong::Useless(format!("{} {says}", self.host))
    }

    /// Writes; `shown` is what the journal has of it.
    pub(super) async fn say(&mut self, text: &str, shown: &str) -> Result<(), Wrong> {
        keep(&mut self.heads.sent, shown);
        let written = async {
            self.io.write_all(text.as_bytes()).await?;
            self.io.flush().await
        };
        written.await.map_err(|error| self.broke(&error))
    }

    /// Writes a line.
    pub(super) async fn command(&mut self, line: &str) -> Result<(), Wrong> {
        let line = format!("{line}\r\n");
        self.say(&line, &line).await
    }

    /// The next line without its end.
    pub(super) async fn next(&mut self) -> Result<String, Wrong> {
        loop {
            if let Some(at) = self.ahead.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.ahead.drain(..=at).collect();
                let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                keep(&mut self.heads.received, &format!("{line}\r\n"));
                return Ok(line);
            }
            if self.ahead.len() > MOST_LINE {
                return Err(self.useless(&format!("wrote a line of more than {MOST_LINE} bytes")));
            }
            self.more().await?;
        }
    }

    /// So many bytes.
    pub(super) async fn bytes(&mut self, length: usize) -> Result<String, Wrong> {
        if length > MOST_TEXT {
            return Err(self.useless(&format!("announced a text of {length} bytes")));
        }
        while self.ahead.len() < length {
            self.more().await?;
        }
        let bytes: Vec<u8> = self.ahead.drain(..length).collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        keep(&mut self.heads.received, &text);
        Ok(text)
    }

    /// What was said, each side.
    pub(super) fn heads(&mut self) -> Heads {
        std::mem::take(&mut self.heads)
    }

    /// The connection. What was read ahead is forgotten: within TLS it is nobody's (rule X-SEC-7).
    pub(super) fn into_inner(self) -> IO {
        self.io
    }

    async fn more(&mut self) -> Result<(), Wrong> {
        self.ahead.reserve(4096);
        match within(PATIENCE, self.io.read_buf(&mut self.ahead)).await {
            None => Err(Broken::Silent(self.host.clone(), PATIENCE).into()),
            Some(Ok(0)) => Err(Wrong::Gone(format!("{} closed the connection without a word", self.host))),
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(self.broke(&error)),
        }
    }

    fn broke(&self, error: &std::io::Error) -> Wrong {
        Wrong::Gone(format!("the connection to {} broke: {error}", self.host))
    }
}

fn keep(kept: &mut String, text: &str) {
    if kept.len() + text.len() <= MOST_KEPT {
        kept.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_answer_has_its_own_patience() {
        let (client, mut server) = tokio::io::duplex(64);
        let mut line = Line::new(client, &"mail.contoso.com".parse().unwrap());
        let slowly = async {
            for _ in 0..3 {
                within(PATIENCE * 4 / 5, std::future::pending::<()>()).await;
                server.write_all(b"* OK Still here.\r\n").await.unwrap();
            }
            std::future::pending::<()>().await
        };
        let asks = async {
            for _ in 0..3 {
                assert_eq!(line.next().await.unwrap(), "* OK Still here.");
            }
            line.next().await.unwrap_err()
        };
        let silent = within(PATIENCE * 10, async {
            tokio::select! {
                silent = asks => silent,
                () = slowly => unreachable!("it is open for ever"),
            }
        });
        let silent = silent.await.expect("given up");
        assert!(matches!(silent, Wrong::Broken(Broken::Silent(_, PATIENCE))), "{silent:?}");
    }
}

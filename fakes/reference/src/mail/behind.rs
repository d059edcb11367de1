//! A session at a server behind: the connection, and the user's credentials replayed there.

use std::io;

use model::Protocol;
use model::case::Over;
use protocols::mail::{Ended, Given, Talk, plain};
use rustls::pki_types::ServerName;

use super::{Line, MailFront};
use crate::clock::TooLate;
use crate::order::MailTarget;
use crate::ports::{BackError, Client, Stream};

/// As many lines as a server may say before its answer.
const MOST_LINES: usize = 64;

/// Why there is no session behind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSignedIn {
    #[error(transparent)]
    Unreachable(#[from] BackError),
    #[error("TLS failed: {0}")]
    Tls(#[from] io::Error),
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("it answered: {0}")]
    Refused(String),
    #[error(transparent)]
    TooLate(#[from] TooLate),
}

/// Connects to a target and signs in there as the user.
pub(super) async fn sign_in(
    front: &MailFront,
    client: Client,
    protocol: Protocol,
    target: &MailTarget,
    given: &Given,
) -> Result<Line, NotSignedIn> {
    let to = front.ports.back.address(client, &target.host, target.port).await?;
    let stream: Box<dyn Stream> = Box::new(front.dial.connect(client, &target.host, to).await?);
    let dialogue = Dialogue { front, protocol, target };
    let mut line = match target.over {
        Over::Tls => Talk::new(dialogue.within_tls(stream).await?),
        Over::Starttls | Over::Plain => Talk::new(stream),
    };
    dialogue.greeted(&mut line).await?;
    if target.over == Over::Starttls {
        line = dialogue.upgraded(line).await?;
    }
    dialogue.signs_in(&mut line, given).await?;
    Ok(line)
}

struct Dialogue<'f> {
    front: &'f MailFront,
    protocol: Protocol,
    target: &'f MailTarget,
}

impl Dialogue<'_> {
    async fn within_tls(&self, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, NotSignedIn> {
        let name = ServerName::try_from(self.target.host.to_string()).map_err(io::Error::other)?;
        Ok(Box::new(self.front.connector.connect(name, stream).await?))
    }

    async fn greeted(&self, line: &mut Line) -> Result<(), NotSignedIn> {
        let greeting = text(line).await?;
        let wanted = if self.protocol == Protocol::Imap { "* OK" } else { "+OK" };
        match greeting.starts_with(wanted) {
            true => Ok(()),
            false => Err(NotSignedIn::Refused(greeting)),
        }
    }

    async fn upgraded(&self, mut line: Line) -> Result<Line, NotSignedIn> {
        match self.protocol {
            Protocol::Imap => self.asks(&mut line, "P1 STARTTLS\r\n", "P1").await?,
            _ => self.asks(&mut line, "STLS\r\n", "").await?,
        }
        // What the server wrote before TLS is not believed within (X-SEC-7).
        let (stream, _, heard) = line.into_parts();
        Ok(Line::over(self.within_tls(stream).await?, heard))
    }

    async fn signs_in(&self, line: &mut Line, given: &Given) -> Result<(), NotSignedIn> {
        let (user, password) = (&given.user, &given.password);
        if self.protocol == Protocol::Imap {
            if let (Some(user), Some(password)) = (quoted(user), quoted(password)) {
                return self.asks(line, &format!("P2 LOGIN {user} {password}\r\n"), "P2").await;
            }
            line.say("P2 AUTHENTICATE PLAIN\r\n").await?;
            let asked = text(line).await?;
            if !asked.starts_with('+') {
                return Err(NotSignedIn::Refused(asked));
            }
            return self.asks(line, &format!("{}\r\n", plain(user, password)), "P2").await;
        }
        // A line's end in a name or password would be a command of its own.
        if [user, password].iter().any(|text| text.contains(['\r', '\n', '\0'])) {
            return Err(NotSignedIn::Refused("a name or password that POP cannot hold".to_owned()));
        }
        self.asks(line, &format!("USER {user}\r\n"), "").await?;
        self.asks(line, &format!("PASS {password}\r\n"), "").await
    }

    /// Asks, and waits for the line that answers: with this tag in IMAP.
    async fn asks(&self, line: &mut Line, command: &str, tag: &str) -> Result<(), NotSignedIn> {
        line.say(command).await?;
        for _ in 0..MOST_LINES {
            let said = text(line).await?;
            if self.protocol != Protocol::Imap {
                return if said.starts_with("+OK") { Ok(()) } else { Err(NotSignedIn::Refused(said)) };
            }
            if let Some(status) = said.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                return if status.starts_with("OK") { Ok(()) } else { Err(NotSignedIn::Refused(said)) };
            }
        }
        Err(NotSignedIn::Refused("more lines than anybody waits for".to_owned()))
    }
}

async fn text(line: &mut Line) -> Result<String, Ended> {
    Ok(String::from_utf8_lossy(&line.line().await?).into_owned())
}

/// As a quoted string of IMAP, where it can be one.
fn quoted(text: &str) -> Option<String> {
    let fits = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    fits.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

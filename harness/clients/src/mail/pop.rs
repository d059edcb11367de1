//! POP3 as a mail program uses it (RFC 1939).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncWrite};

use super::line::{Line, MOST_LINES, MOST_TEXT, Wrong};
use super::{Session, owner_of};

/// Greets, and asks for TLS. What is written behind may not be run: the answer to CAPA has more lines than one.
pub(super) async fn asks_for_tls<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    pipelines: bool,
) -> Result<(), Wrong> {
    positive(line).await?;
    match pipelines {
        true => line.say("STLS\r\nCAPA\r\n", "STLS\r\nCAPA\r\n").await?,
        false => line.command("STLS").await?,
    }
    positive(line).await
}

/// Signs in, reads the first message, and comes to the address of whose mailbox it is.
pub(super) async fn reads<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    session: Session<'_>,
    upgraded: bool,
) -> Result<String, Wrong> {
    if !upgraded {
        positive(line).await?;
    }
    let (by, user, password) = session.credentials();
    if by == "PLAIN" {
        line.command("AUTH PLAIN").await?;
        let asked = line.next().await?;
        if !asked.starts_with("+ ") && asked != "+" {
            return Err(Wrong::Refused(asked));
        }
        let message = STANDARD.encode(format!("\0{user}\0{password}"));
        line.say(&format!("{message}\r\n"), "(redacted)\r\n").await?;
    } else {
        line.command(&format!("USER {user}")).await?;
        positive(line).await?;
        line.say(&format!("PASS {password}\r\n"), "PASS (redacted)\r\n").await?;
    }
    positive(line).await?;
    line.command("STAT").await?;
    positive(line).await?;
    line.command("RETR 1").await?;
    positive(line).await?;
    let message = text(line).await?;
    let owner = owner_of(&message);
    let owner = owner.ok_or_else(|| line.useless("showed no message with a To line"))?;
    line.command("QUIT").await?;
    positive(line).await.map(|()| owner)
}

/// `+OK`, and nothing else: what was written before TLS is answered by nobody (rule X-SEC-7).
async fn positive<IO: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<IO>) -> Result<(), Wrong> {
    let said = line.next().await?;
    match () {
        () if said.starts_with("+OK") => Ok(()),
        () if said.starts_with("-ERR") => Err(Wrong::Refused(said)),
        () => Err(line.useless(&format!("said what answers nothing that was asked: {said}"))),
    }
}

/// Lines up to the single dot.
async fn text<IO: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<IO>) -> Result<String, Wrong> {
    let mut text = String::new();
    for _ in 0..MOST_LINES {
        let next = line.next().await?;
        if next == "." {
            return Ok(text);
        }
        text.push_str(next.strip_prefix('.').unwrap_or(&next));
        text.push_str("\r\n");
        if text.len() > MOST_TEXT {
            break;
        }
    }
    Err(line.useless("sent a message that does not end"))
}

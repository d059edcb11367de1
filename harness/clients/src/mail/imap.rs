//! IMAP4rev1 as a mail program uses it (RFC 3501).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncWrite};

use super::line::{Line, MOST_LINES, MOST_TEXT, Wrong};
use super::{Session, owner_of};

/// What is written behind STARTTLS in one piece, and may not be run.
const EARLY: &str = "c9 NOOP";

/// Greets, and asks for TLS.
pub(super) async fn asks_for_tls<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    pipelines: bool,
) -> Result<(), Wrong> {
    greeted(line).await?;
    if !capabilities(line, "c1").await?.iter().any(|word| word == "STARTTLS") {
        return Err(Wrong::Refused("it does not offer STARTTLS".to_owned()));
    }
    match pipelines {
        true => {
            let both = format!("c2 STARTTLS\r\n{EARLY}\r\n");
            line.say(&both, &both).await?;
        }
        false => line.command("c2 STARTTLS").await?,
    }
    answered(line, "c2").await.map(drop)
}

/// Signs in, opens the inbox, reads its first message, and comes to the address of whose mailbox it is.
pub(super) async fn reads<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    session: Session<'_>,
    upgraded: bool,
) -> Result<String, Wrong> {
    enter(line, session, upgraded).await?;
    select(line).await?;
    let message = fetch(line, 1).await?;
    let owner = owner_of(&message).ok_or_else(|| line.useless("showed no message with a To line"))?;
    leave(line).await.map(|()| owner)
}

/// Signs in on a connection that was just opened.
pub(super) async fn enter<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    session: Session<'_>,
    upgraded: bool,
) -> Result<(), Wrong> {
    if !upgraded {
        greeted(line).await?;
    }
    let offered = capabilities(line, "c3").await?;
    sign_in(line, session, &offered).await
}

/// Opens the inbox; how many messages it holds, where the server says so.
pub(super) async fn select<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
) -> Result<Option<u32>, Wrong> {
    line.command("c5 SELECT INBOX").await?;
    let opened = answered(line, "c5").await?;
    Ok(opened.lines.iter().find_map(|line| exists(line)))
}

/// A message whole; nothing where the server shows none.
pub(super) async fn fetch<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    number: u32,
) -> Result<String, Wrong> {
    line.command(&format!("c6 FETCH {number} BODY.PEEK[]")).await?;
    let fetched = answered(line, "c6").await?;
    Ok(fetched.literals.into_iter().find(|text| owner_of(text).is_some()).unwrap_or_default())
}

/// Takes its leave. How the server says goodbye is its own affair, as long as it does.
pub(super) async fn leave<IO: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<IO>) -> Result<(), Wrong> {
    line.command("c7 LOGOUT").await?;
    answered(line, "c7").await.map(drop)
}

/// How many messages there are, where a line says so.
pub(super) fn exists(line: &str) -> Option<u32> {
    let (number, word) = line.strip_prefix("* ")?.split_once(' ')?;
    word.trim().eq_ignore_ascii_case("EXISTS").then(|| number.parse().ok())?
}

async fn sign_in<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    session: Session<'_>,
    offered: &[String],
) -> Result<(), Wrong> {
    let (by, user, password) = session.credentials();
    if by == "PLAIN" {
        line.command("c4 AUTHENTICATE PLAIN").await?;
        let asked = line.next().await?;
        if !asked.starts_with('+') {
            return Err(Wrong::Refused(asked));
        }
        let message = STANDARD.encode(format!("\0{user}\0{password}"));
        line.say(&format!("{message}\r\n"), "(redacted)\r\n").await?;
    } else {
        if offered.iter().any(|word| word == "LOGINDISABLED") {
            return Err(Wrong::Refused("it takes no password here: LOGINDISABLED".to_owned()));
        }
        let command = format!("c4 LOGIN {} {}\r\n", quoted(&user), quoted(&password));
        line.say(&command, &format!("c4 LOGIN {} (redacted)\r\n", quoted(&user))).await?;
    }
    answered(line, "c4").await.map(drop)
}

async fn greeted<IO: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<IO>) -> Result<(), Wrong> {
    let greeting = line.next().await?;
    match greeting.get(..4).map(str::to_ascii_uppercase).as_deref() {
        Some("* OK") => Ok(()),
        Some("* BY") => Err(Wrong::Refused(greeting)),
        _ => Err(line.useless(&format!("greeted with no greeting: {greeting}"))),
    }
}

async fn capabilities<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    tag: &str,
) -> Result<Vec<String>, Wrong> {
    line.command(&format!("{tag} CAPABILITY")).await?;
    let answer = answered(line, tag).await?;
    let words = answer.lines.iter().filter_map(|line| line.strip_prefix("* CAPABILITY "));
    Ok(words.flat_map(str::split_whitespace).map(str::to_ascii_uppercase).collect())
}

/// What came before a command's own line.
pub(super) struct Answer {
    lines: Vec<String>,
    literals: Vec<String>,
}

/// Everything up to the line that answers a command. What was written before TLS is answered by nobody (rule X-SEC-7).
pub(super) async fn answered<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    tag: &str,
) -> Result<Answer, Wrong> {
    let mut answer = Answer { lines: vec![], literals: vec![] };
    let mut length = 0;
    for _ in 0..MOST_LINES {
        let said = line.next().await?;
        let early = EARLY.split(' ').next().unwrap_or_default();
        if said.strip_prefix(early).is_some_and(|rest| rest.starts_with(' ')) {
            return Err(line.useless(&format!("ran what was written before TLS: {said}")));
        }
        if let Some(status) = said.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
            return match status.get(..2).is_some_and(|status| status.eq_ignore_ascii_case("OK")) {
                true => Ok(answer),
                false => Err(Wrong::Refused(said)),
            };
        }
        // A farewell is none where it was asked for.
        if said.to_ascii_uppercase().starts_with("* BYE") && tag != "c7" {
            return Err(Wrong::Refused(said));
        }
        length += said.len();
        if let Some(announced) = literal(&said) {
            answer.literals.push(line.bytes(announced).await?);
            length += announced;
        }
        if length > MOST_TEXT {
            return Err(line.useless(&format!("gave an answer of more than {MOST_TEXT} bytes")));
        }
        answer.lines.push(said);
    }
    Err(line.useless(&format!("gave an answer of more than {MOST_LINES} lines")))
}

/// The length of the literal that a line announces; more digits than fit are a length all the same.
fn literal(line: &str) -> Option<usize> {
    let (_, digits) = line.strip_suffix('}')?.rsplit_once('{')?;
    let is_length = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_length.then(|| digits.parse().unwrap_or(usize::MAX))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

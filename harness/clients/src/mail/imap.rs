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
    if !upgraded {
        greeted(line).await?;
    }
    let offered = capabilities(line, "c3").await?;
    sign_in(line, session, &offered).await?;
    line.command("c5 SELECT INBOX").await?;
    answered(line, "c5").await?;
    line.command("c6 FETCH 1 BODY.PEEK[]").await?;
    let fetched = answered(line, "c6").await?;
    let owner = fetched.literals.iter().find_map(|text| owner_of(text));
    let owner = owner.ok_or_else(|| line.useless("showed no message with a To line"))?;
    line.command("c7 LOGOUT").await?;
    // It has been read: how the server says goodbye is its own affair, as long as it does.
    answered(line, "c7").await.map(|_| owner)
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
struct Answer {
    lines: Vec<String>,
    literals: Vec<String>,
}

/// Everything up to the line that answers a command. What was written before TLS is answered by nobody (rule X-SEC-7).
async fn answered<IO: AsyncRead + AsyncWrite + Unpin>(
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

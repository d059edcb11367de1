//! A command: its tag, its name, and its arguments with quoted strings and literals put together.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::mail::{Ended, Talk};

/// As many literals as one command may hold.
const MOST_LITERALS: usize = 8;

/// A command as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// Its tag; `*` where none could be read.
    pub(super) tag: String,
    /// Its name in capitals.
    pub(super) name: String,
    /// Its arguments: atoms, strings, and what stands in brackets as it is written.
    pub(super) arguments: Vec<String>,
    /// The arguments as they are written, where no literal is among them.
    pub(super) written: String,
}

/// What was read instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Command(Command),
    /// Not a command: under which tag to say so.
    Bad(String),
}

/// Reads the next command, asking for its literals.
pub(super) async fn read<IO: AsyncRead + AsyncWrite + Unpin>(talk: &mut Talk<IO>) -> Result<Read, Ended> {
    let mut pieces: Vec<Piece> = vec![];
    loop {
        let line = talk.line().await?;
        let (line, literal) = split_literal(&line);
        pieces.push(Piece::Text(String::from_utf8_lossy(line).into_owned()));
        let Some(Literal { length, waits }) = literal else { break };
        let tag = || tag_of(&pieces);
        if !Talk::<IO>::takes(length) || pieces.len() > 2 * MOST_LITERALS {
            talk.hears(&format!("(a literal of {length} bytes, refused)"));
            if !waits {
                // What follows unasked is no command, and nobody reads so much of it.
                talk.say(format!(
                    "{} BAD Command Argument Error. 12\r\n* BYE Connection is closed. 14\r\n",
                    tag()
                ))
                .await?;
                return Err(Ended::TooLong("a literal"));
            }
            return Ok(Read::Bad(tag()));
        }
        if waits {
            talk.say("+ Ready for additional command text.\r\n").await?;
        }
        let literal = talk.literal(length).await?;
        pieces.push(Piece::Literal(String::from_utf8_lossy(&literal).into_owned()));
    }
    Ok(parse(&pieces))
}

enum Piece {
    Text(String),
    Literal(String),
}

struct Literal {
    length: u64,
    /// Whether the client waits to be asked for it; one with a plus (RFC 7888) does not.
    waits: bool,
}

/// A line without the literal that it announces, and that literal.
fn split_literal(line: &[u8]) -> (&[u8], Option<Literal>) {
    let announced = || {
        let inner = line.strip_suffix(b"}")?;
        let at = inner.iter().rposition(|byte| *byte == b'{')?;
        let number = std::str::from_utf8(&inner[at + 1..]).ok()?;
        let (number, waits) = match number.strip_suffix('+') {
            Some(number) => (number, false),
            None => (number, true),
        };
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than fit are a length all the same.
        let length = if digits { number.parse().unwrap_or(u64::MAX) } else { return None };
        Some((&line[..at], Literal { length, waits }))
    };
    match announced() {
        Some((line, literal)) => (line, Some(literal)),
        None => (line, None),
    }
}

fn tag_of(pieces: &[Piece]) -> String {
    let Some(Piece::Text(first)) = pieces.first() else { return "*".to_owned() };
    let tag = first.split(' ').next().unwrap_or_default();
    match is_tag(tag) {
        true => tag.to_owned(),
        false => "*".to_owned(),
    }
}

fn is_tag(tag: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(&byte);
    (1..=64).contains(&tag.len()) && tag.bytes().all(fits)
}

fn parse(pieces: &[Piece]) -> Read {
    let tag = tag_of(pieces);
    let bad = || Read::Bad(tag.clone());
    let Some(Piece::Text(first)) = pieces.first() else { return bad() };
    let Some((written_tag, rest)) = first.split_once(' ') else { return bad() };
    if !is_tag(written_tag) {
        return bad();
    }
    let (name, written) = rest.split_once(' ').unwrap_or((rest, ""));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return bad();
    }
    let mut arguments = vec![];
    let mut texts = vec![written];
    for piece in &pieces[1..] {
        match piece {
            Piece::Text(text) => texts.push(text),
            Piece::Literal(literal) => {
                let Some(before) = texts.pop().map(words) else { return bad() };
                let Some(before) = before else { return bad() };
                arguments.extend(before);
                arguments.push(literal.clone());
            }
        }
    }
    for text in texts {
        let Some(words) = words(text) else { return bad() };
        arguments.extend(words);
    }
    Read::Command(Command { tag, name: name.to_ascii_uppercase(), arguments, written: written.to_owned() })
}

/// Atoms, quoted strings, and what stands in brackets as one; `None` for what does not close.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = vec![];
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.peek().copied() {
        let mut word = String::new();
        match first {
            ' ' => {
                chars.next();
                continue;
            }
            '"' => {
                chars.next();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => word.push(chars.next()?),
                        other => word.push(other),
                    }
                }
            }
            _ => {
                let mut depth = 0;
                while let Some(next) = chars.peek().copied() {
                    match next {
                        '(' | '[' => depth += 1,
                        ')' | ']' if depth == 0 => return None,
                        ')' | ']' => depth -= 1,
                        ' ' if depth == 0 => break,
                        _ => {}
                    }
                    word.push(next);
                    chars.next();
                }
                if depth > 0 {
                    return None;
                }
            }
        }
        words.push(word);
    }
    Some(words)
}

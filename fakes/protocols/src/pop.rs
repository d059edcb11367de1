//! POP3 (RFC 1939) as Exchange speaks it: what comes before signing in, which a front end says too, and the session that
//! reads a mailbox. A message that is deleted is gone for the session alone.

use model::Version;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::mail::{Ended, Given, Letter, Offers, Talk, Wants, sasl_plain};

/// As many wrong commands as a client may say.
const MOST_WRONG: u32 = 16;

/// What a client is told that has signed in.
pub const SIGNED_IN: &str = "+OK User successfully logged on.\r\n";
/// What it is told whose name or password is wrong.
pub const REFUSED: &str = "-ERR Logon failure: unknown user name or bad password.\r\n";
/// What it is told where nobody behind can be reached: POP's form of IMAP's words.
pub const UNAVAILABLE: &str = "-ERR Server Unavailable. 15\r\n";

/// The greeting.
pub fn greeting(offers: &Offers) -> String {
    match &offers.banner {
        Some(banner) => format!("+OK {banner}\r\n"),
        None => "+OK The Microsoft Exchange POP3 service is ready.\r\n".to_owned(),
    }
}

fn capabilities(offers: &Offers, tls: bool) -> String {
    let mut lines = vec!["+OK".to_owned(), "TOP".to_owned(), "UIDL".to_owned()];
    let plain = offers.takes_passwords(tls).then_some("PLAIN");
    let schemes: Vec<&str> = offers.ntlm.then_some("NTLM").into_iter().chain(plain).collect();
    if !schemes.is_empty() {
        lines.push(format!("SASL {}", schemes.join(" ")));
    }
    if offers.takes_passwords(tls) {
        lines.push("USER".to_owned());
    }
    if !tls {
        lines.push("STLS".to_owned());
    }
    // Wire facts 10 have no more of any version; the 2013 back end is told apart by what it adds in IMAP alone.
    debug_assert!(offers.version >= Version::Exchange2007);
    lines.push(".".to_owned());
    lines.join("\r\n") + "\r\n"
}

/// Answers a client until it wants TLS, wants to sign in, or has had enough.
///
/// # Errors
/// A connection that ended, broke, or said more than is read.
pub async fn until_signed_in<IO: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<IO>,
    offers: &Offers,
    tls: bool,
) -> Result<Wants, Ended> {
    let mut wrong = 0;
    let mut user = None;
    while wrong < MOST_WRONG {
        let line = talk.line().await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let (name, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let name = name.to_ascii_uppercase();
        match name.as_str() {
            "USER" => talk.hears(&format!("USER {argument}")),
            "AUTH" => talk.hears(&format!("AUTH {}", argument.split(' ').next().unwrap_or_default())),
            "PASS" => talk.hears("PASS (redacted)"),
            "CAPA" | "NOOP" | "QUIT" | "STLS" => talk.hears(&name),
            _ => talk.hears("(no command)"),
        }
        match (name.as_str(), argument) {
            ("CAPA", "") => talk.say(capabilities(offers, tls)).await?,
            ("NOOP", "") => talk.say("+OK\r\n").await?,
            ("QUIT", "") => {
                talk.say("+OK Microsoft Exchange Server POP3 server signing off.\r\n").await?;
                return Ok(Wants::Nothing);
            }
            ("STLS", "") if !tls => {
                talk.say("+OK Begin TLS negotiation.\r\n").await?;
                return Ok(Wants::Tls);
            }
            ("USER", "") => {
                wrong += 1;
                talk.say("-ERR Protocol error. 18\r\n").await?;
            }
            ("USER", _) if !offers.takes_passwords(tls) => {
                wrong += 1;
                talk.say("-ERR Command is not valid in this state.\r\n").await?;
            }
            ("USER", name) => {
                user = Some(name.to_owned());
                talk.say("+OK\r\n").await?;
            }
            ("PASS", password) if user.is_some() => {
                let user = user.take().unwrap_or_default();
                let password = password.to_owned();
                return Ok(Wants::SignIn(Given { user, password, by: "PASS", tag: String::new() }));
            }
            ("AUTH", mechanism) => match authenticate(talk, offers, tls, mechanism).await? {
                Some(wants) => return Ok(wants),
                None => wrong += 1,
            },
            _ => {
                wrong += 1;
                talk.say("-ERR Command is not valid in this state.\r\n").await?;
            }
        }
    }
    talk.say("-ERR Connection is closed. 21\r\n").await?;
    Ok(Wants::Nothing)
}

async fn authenticate<IO: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<IO>,
    offers: &Offers,
    tls: bool,
    asked: &str,
) -> Result<Option<Wants>, Ended> {
    let (mechanism, initial) = asked.split_once(' ').unwrap_or((asked, ""));
    if mechanism.eq_ignore_ascii_case("NTLM") && offers.ntlm && initial.is_empty() {
        return Ok(Some(Wants::Ntlm(String::new())));
    }
    if !mechanism.eq_ignore_ascii_case("PLAIN") || !offers.takes_passwords(tls) {
        talk.say("-ERR Authentication failure: unsupported mechanism.\r\n").await?;
        return Ok(None);
    }
    let message = match initial {
        "" => {
            talk.say("+ \r\n").await?;
            talk.line().await?
        }
        initial => initial.as_bytes().to_vec(),
    };
    match sasl_plain(&message) {
        Some((user, password)) => {
            Ok(Some(Wants::SignIn(Given { user, password, by: "AUTH PLAIN", tag: String::new() })))
        }
        None => {
            talk.say(REFUSED).await?;
            Ok(None)
        }
    }
}

/// Serves a session until the client takes its leave.
///
/// # Errors
/// A connection that ended, broke, or said more than is read.
pub async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<IO>,
    letters: &[Letter],
) -> Result<(), Ended> {
    let mut deleted = vec![false; letters.len()];
    let mut wrong = 0;
    while wrong < MOST_WRONG {
        let line = talk.line().await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default().to_ascii_uppercase();
        let numbers: Option<Vec<usize>> = words.map(|word| word.parse().ok()).collect();
        let there: Vec<(usize, &Letter)> =
            (1..).zip(letters).filter(|(number, _)| !deleted[number - 1]).collect();
        let letter =
            |number: usize| there.iter().find(|(known, _)| *known == number).map(|(_, letter)| *letter);
        let size: usize = there.iter().map(|(_, letter)| letter.size()).sum();
        let answer = match (name.as_str(), numbers.as_deref()) {
            ("CAPA", Some([])) => Some("+OK\r\nTOP\r\nUIDL\r\n.\r\n".to_owned()),
            ("NOOP", Some([])) => Some("+OK\r\n".to_owned()),
            ("STAT", Some([])) => Some(format!("+OK {} {size}\r\n", there.len())),
            ("LIST", Some([])) => {
                let lines: String =
                    there.iter().map(|(number, letter)| format!("{number} {}\r\n", letter.size())).collect();
                Some(format!("+OK {} {size}\r\n{lines}.\r\n", there.len()))
            }
            ("LIST", Some([number])) => {
                letter(*number).map(|letter| format!("+OK {number} {}\r\n", letter.size()))
            }
            ("UIDL", Some([])) => {
                let lines: String =
                    there.iter().map(|(number, letter)| format!("{number} {}\r\n", uid(letter))).collect();
                Some(format!("+OK\r\n{lines}.\r\n"))
            }
            ("UIDL", Some([number])) => {
                letter(*number).map(|letter| format!("+OK {number} {}\r\n", uid(letter)))
            }
            ("RETR", Some([number])) => {
                letter(*number).map(|letter| format!("+OK\r\n{}.\r\n", stuffed(&letter.whole())))
            }
            ("TOP", Some([number, lines])) => letter(*number).map(|letter| {
                let text: String = letter.text.split_inclusive('\n').take(*lines).collect();
                format!("+OK\r\n{}{}.\r\n", stuffed(&letter.head), stuffed(&text))
            }),
            ("DELE", Some([number])) => {
                let is_there = letter(*number).is_some();
                if is_there {
                    deleted[number - 1] = true;
                }
                is_there.then(|| "+OK\r\n".to_owned())
            }
            ("RSET", Some([])) => {
                deleted.fill(false);
                Some("+OK\r\n".to_owned())
            }
            ("QUIT", Some([])) => {
                return talk.say("+OK Microsoft Exchange Server POP3 server signing off.\r\n").await;
            }
            _ => None,
        };
        match answer {
            Some(answer) => talk.say(answer).await?,
            None => {
                wrong += 1;
                talk.say("-ERR The specified message is not there, or the command is not known.\r\n").await?;
            }
        }
    }
    talk.say("-ERR Connection is closed. 21\r\n").await
}

fn uid(letter: &Letter) -> String {
    letter.id.bytes().filter(u8::is_ascii_alphanumeric).map(char::from).collect()
}

/// A line that begins with a dot is given another one (RFC 1939, section 3).
fn stuffed(text: &str) -> String {
    let stuffed = |line: &str| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() };
    text.split_inclusive('\n').map(stuffed).collect()
}

#[cfg(test)]
mod tests;

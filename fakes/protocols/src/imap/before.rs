//! Before signing in: the greeting, capabilities, STARTTLS, LOGIN and AUTHENTICATE (wire facts 10).

use model::Version;
use tokio::io::{AsyncRead, AsyncWrite};

use super::command::{Command, Read, read};
use crate::mail::{Ended, Given, Offers, Talk, Wants, sasl_plain};

/// The greeting.
pub fn greeting(offers: &Offers) -> String {
    let words = match &offers.banner {
        Some(banner) => banner.as_str(),
        None => "The Microsoft Exchange IMAP4 service is ready.",
    };
    format!("* OK {words}\r\n")
}

/// A command's success.
pub fn ok(tag: &str, says: &str) -> String {
    format!("{tag} OK {says}\r\n")
}

/// A command's failure.
pub fn no(tag: &str, says: &str) -> String {
    format!("{tag} NO {says}\r\n")
}

/// What a server can do, on a connection with TLS or without.
pub(super) fn capabilities(offers: &Offers, tls: bool, signed_in: bool) -> String {
    let mut words = vec!["IMAP4", "IMAP4rev1"];
    if !signed_in {
        if offers.takes_passwords(tls) {
            words.push("AUTH=PLAIN");
        }
        if offers.ntlm {
            words.push("AUTH=NTLM");
        }
        if !offers.takes_passwords(tls) {
            words.push("LOGINDISABLED");
        }
        if !tls {
            words.push("STARTTLS");
        }
    }
    if offers.version == Version::Exchange2013 {
        words.extend(["UIDPLUS", "MOVE", "ID"]);
        // Said by the back end alone, and so by whoever passes a session on to it (wire facts 10).
        if offers.back_end {
            words.push("XPROXY3");
        }
        words.push("CHILDREN");
    }
    words.extend(["IDLE", "NAMESPACE", "LITERAL+"]);
    format!("* CAPABILITY {}\r\n", words.join(" "))
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
    while wrong < MOST_WRONG {
        let Command { tag, name, arguments, .. } = match read(talk).await? {
            Read::Command(command) => command,
            Read::Bad(tag) => {
                wrong += 1;
                talk.hears(&format!("{tag} (no command)"));
                talk.say(format!("{tag} BAD Protocol Error. 10\r\n")).await?;
                continue;
            }
        };
        let first = arguments.first().map(String::as_str).unwrap_or_default();
        match (name.as_str(), arguments.len()) {
            ("LOGIN", 2) => talk.hears(&format!("{tag} LOGIN {first} (redacted)")),
            ("AUTHENTICATE", 1..) => talk.hears(&format!("{tag} AUTHENTICATE {first}")),
            _ => talk.hears(&format!("{tag} {name}")),
        }
        match (name.as_str(), &arguments[..]) {
            ("CAPABILITY", []) => {
                talk.say(capabilities(offers, tls, false)).await?;
                talk.say(ok(&tag, "CAPABILITY completed.")).await?;
            }
            ("NOOP", []) => talk.say(ok(&tag, "NOOP completed.")).await?,
            ("ID", [_, ..]) if offers.version == Version::Exchange2013 => {
                talk.say(format!("* ID NIL\r\n{}", ok(&tag, "ID completed."))).await?;
            }
            ("LOGOUT", []) => {
                talk.say("* BYE Microsoft Exchange Server IMAP4 server signing off.\r\n").await?;
                talk.say(ok(&tag, "LOGOUT completed.")).await?;
                return Ok(Wants::Nothing);
            }
            ("STARTTLS", []) if !tls => {
                talk.say(ok(&tag, "Begin TLS negotiation now.")).await?;
                return Ok(Wants::Tls);
            }
            ("LOGIN", [_, _]) if !offers.takes_passwords(tls) => {
                wrong += 1;
                talk.say(no(&tag, "LOGIN failed.")).await?;
            }
            ("LOGIN", [user, password]) => {
                let (user, password) = (user.clone(), password.clone());
                return Ok(Wants::SignIn(Given { user, password, by: "LOGIN", tag }));
            }
            ("AUTHENTICATE", [mechanism, initial @ ..]) if initial.len() < 2 => {
                let initial = initial.first().cloned();
                match authenticate(talk, offers, tls, &tag, mechanism, initial).await? {
                    Some(wants) => return Ok(wants),
                    None => wrong += 1,
                }
            }
            _ => {
                wrong += 1;
                talk.say(format!("{tag} BAD Command received in Invalid state.\r\n")).await?;
            }
        }
    }
    talk.say("* BYE Connection is closed. 14\r\n").await?;
    Ok(Wants::Nothing)
}

/// As many wrong commands as a client may say.
const MOST_WRONG: u32 = 16;

async fn authenticate<IO: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<IO>,
    offers: &Offers,
    tls: bool,
    tag: &str,
    mechanism: &str,
    initial: Option<String>,
) -> Result<Option<Wants>, Ended> {
    let failed = no(tag, "AUTHENTICATE failed.");
    if mechanism.eq_ignore_ascii_case("NTLM") && offers.ntlm && initial.is_none() {
        return Ok(Some(Wants::Ntlm(tag.to_owned())));
    }
    if !mechanism.eq_ignore_ascii_case("PLAIN") || !offers.takes_passwords(tls) {
        talk.say(failed).await?;
        return Ok(None);
    }
    let message = match initial {
        Some(initial) => initial.into_bytes(),
        None => {
            talk.say("+ \r\n").await?;
            talk.line().await?
        }
    };
    if message == b"*" {
        talk.say(format!("{tag} BAD AUTHENTICATE was given up.\r\n")).await?;
        return Ok(None);
    }
    let Some((user, password)) = sasl_plain(&message) else {
        talk.say(failed).await?;
        return Ok(None);
    };
    let given = Given { user, password, by: "AUTHENTICATE PLAIN", tag: tag.to_owned() };
    Ok(Some(Wants::SignIn(given)))
}

//! A session that reads a mailbox: one folder, INBOX, as it was when the session began or when the client was last told of
//! more.

use tokio::io::{AsyncRead, AsyncWrite};

use super::before::{capabilities, ok};
use super::command::{Command, Read, read};
use super::news::{self, Opens, exists};
use super::{fetch, no};
use crate::mail::{Ended, Letter, Offers, Talk};

/// As many wrong commands as a client may say.
const MOST_WRONG: u32 = 64;
/// The folder's UIDVALIDITY.
const VALIDITY: u32 = 14;

/// Serves a session until the client takes its leave: what the mailbox holds now, and where it can be opened again.
///
/// # Errors
/// A connection that ended, broke, or said more than is read.
pub async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<IO>,
    offers: &Offers,
    mut letters: Vec<Letter>,
    opens: &impl Opens,
) -> Result<(), Ended> {
    let mut selected = false;
    let mut wrong = 0;
    while wrong < MOST_WRONG {
        let command = match read(talk).await? {
            Read::Command(command) => command,
            Read::Bad(tag) => {
                wrong += 1;
                talk.say(format!("{tag} BAD Protocol Error. 10\r\n")).await?;
                continue;
            }
        };
        let Command { tag, name, arguments, written } = &command;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = |says: &str| ok(tag, says);
        let answer = match (name.as_str(), &arguments[..]) {
            ("CAPABILITY", []) => capabilities(offers, true, true) + &done("CAPABILITY completed."),
            ("NOOP", []) => done("NOOP completed."),
            ("CHECK", []) if selected => done("CHECK completed."),
            ("ID", [_, ..]) => format!("* ID NIL\r\n{}", done("ID completed.")),
            ("NAMESPACE", []) => {
                format!("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n{}", done("NAMESPACE completed."))
            }
            ("LIST" | "LSUB" | "XLIST", [_, pattern]) => {
                let listed = match *pattern {
                    "" => format!("* {name} (\\Noselect) \"/\" \"\"\r\n"),
                    pattern if admits_inbox(pattern) => {
                        format!("* {name} (\\HasNoChildren) \"/\" INBOX\r\n")
                    }
                    _ => String::new(),
                };
                listed + &done(&format!("{name} completed."))
            }
            ("STATUS", [folder, _]) if is_inbox(folder) => {
                let all = letters.len();
                let says = format!(
                    "* STATUS INBOX (MESSAGES {all} RECENT 0 UIDNEXT {} UIDVALIDITY {VALIDITY} UNSEEN {all})\r\n",
                    all + 1
                );
                says + &done("STATUS completed.")
            }
            ("SELECT" | "EXAMINE", [folder]) if is_inbox(folder) => {
                selected = true;
                let mode = if name == "SELECT" { "READ-WRITE" } else { "READ-ONLY" };
                opened(letters.len()) + &done(&format!("[{mode}] {name} completed."))
            }
            ("APPEND", [folder, .., message]) if is_inbox(folder) => match news::append(opens, message).await
            {
                Some(all) => {
                    let told = if selected { exists(all.len()) } else { String::new() };
                    letters = all;
                    told + &done("APPEND completed.")
                }
                None => no(tag, "APPEND failed."),
            },
            ("SELECT" | "EXAMINE" | "STATUS" | "APPEND", [_, ..]) => {
                wrong += 1;
                format!("{tag} NO {} doesn't exist.\r\n", arguments[0].replace(['\r', '\n'], " "))
            }
            ("CLOSE" | "UNSELECT", []) if selected => {
                selected = false;
                done(&format!("{name} completed."))
            }
            ("SEARCH", [..]) if selected => {
                format!("* SEARCH{}\r\n{}", numbers(letters.len()), done("SEARCH completed."))
            }
            ("UID", ["SEARCH" | "search", ..]) if selected => {
                format!("* SEARCH{}\r\n{}", numbers(letters.len()), done("UID SEARCH completed."))
            }
            ("FETCH", [set, ..]) if selected => {
                let items = written.strip_prefix(set).unwrap_or_default();
                match fetch::fetched(&letters, set, items, false) {
                    Some(fetched) => fetched + &done("FETCH completed."),
                    None => format!("{tag} BAD Command Argument Error. 12\r\n"),
                }
            }
            ("UID", [fetch, set, ..]) if selected && fetch.eq_ignore_ascii_case("FETCH") => {
                let behind = written.get(fetch.len()..).unwrap_or_default().trim_start();
                let items = behind.strip_prefix(set).unwrap_or_default();
                match fetch::fetched(&letters, set, items, true) {
                    Some(fetched) => fetched + &done("UID FETCH completed."),
                    None => format!("{tag} BAD Command Argument Error. 12\r\n"),
                }
            }
            ("IDLE", []) if selected => {
                match news::idle(talk, opens, &mut letters).await?.eq_ignore_ascii_case(b"DONE") {
                    true => done("IDLE completed."),
                    false => format!("{tag} BAD Command Argument Error. 12\r\n"),
                }
            }
            ("LOGOUT", []) => {
                talk.say("* BYE Microsoft Exchange Server IMAP4 server signing off.\r\n").await?;
                return talk.say(done("LOGOUT completed.")).await;
            }
            _ => {
                wrong += 1;
                format!("{tag} BAD Command received in Invalid state.\r\n")
            }
        };
        talk.say(answer).await?;
    }
    talk.say("* BYE Connection is closed. 14\r\n").await
}

fn opened(all: usize) -> String {
    exists(all)
        + &format!(
            "* 0 RECENT\r\n* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n\
         * OK [PERMANENTFLAGS ()] Permanent flags\r\n* OK [UIDVALIDITY {VALIDITY}] UIDVALIDITY value\r\n\
         * OK [UIDNEXT {}] The next unique identifier value\r\n",
            all + 1
        )
}

fn is_inbox(folder: &str) -> bool {
    folder.eq_ignore_ascii_case("INBOX")
}

/// Whether a pattern of LIST admits INBOX: the folder itself, or one with a star or percent sign at its end.
fn admits_inbox(pattern: &str) -> bool {
    let begin = pattern.trim_end_matches(['*', '%']);
    let whole = begin.len() == pattern.len();
    match whole {
        true => is_inbox(pattern),
        false => "INBOX".get(..begin.len()).is_some_and(|inbox| inbox.eq_ignore_ascii_case(begin)),
    }
}

fn numbers(all: usize) -> String {
    (1..=all).map(|number| format!(" {number}")).collect()
}

//! What comes into the folder while a session lasts: what the client puts there (APPEND), and what it is told of while it
//! is idle (RFC 2177).

use std::future::Future;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::mail::{Ended, Letter, Talk};
use crate::mailbox::{Mailbox, Message};

/// The mailbox behind a session, opened whenever it is needed and let go again: most sessions are quiet most of the time.
pub trait Opens: Sync {
    /// The mailbox.
    type Mailbox: Mailbox;
    /// Opens it; none where it cannot be reached.
    fn open(&self) -> impl Future<Output = Option<Self::Mailbox>> + Send;
}

/// Says that the client may be idle, and whenever the folder has grown. Comes to the line that ends it. A mailbox that
/// cannot be reached any more has no news.
pub(super) async fn idle<IO: AsyncRead + AsyncWrite + Unpin>(
    talk: &mut Talk<IO>,
    opens: &impl Opens,
    letters: &mut Vec<Letter>,
) -> Result<Vec<u8>, Ended> {
    let mut mailbox = opens.open().await;
    talk.say("+ IDLE accepted, awaiting DONE command.\r\n").await?;
    loop {
        let Some(open) = &mut mailbox else { return talk.line().await };
        let grown = tokio::select! {
            biased;
            line = talk.line() => return line,
            grown = grown(open, letters.len()) => grown,
        };
        match grown {
            Some(all) => {
                *letters = all;
                talk.say(exists(letters.len())).await?;
            }
            None => mailbox = None,
        }
    }
}

async fn grown(mailbox: &mut impl Mailbox, seen: usize) -> Option<Vec<Letter>> {
    mailbox.more_than(seen).await.ok()?;
    Letter::read(mailbox).await.ok()
}

/// Puts a message into the inbox; gives all that it holds then, or nothing where it was not taken.
pub(super) async fn append(opens: &impl Opens, written: &str) -> Option<Vec<Letter>> {
    let mut mailbox = opens.open().await?;
    mailbox.deliver(message(written)).await.ok()?;
    Letter::read(&mut mailbox).await.ok()
}

/// How many messages there are.
pub(super) fn exists(all: usize) -> String {
    format!("* {all} EXISTS\r\n")
}

/// A message as a client writes it (RFC 5322): of its head this inbox keeps subject and sender.
fn message(written: &str) -> Message {
    let (head, text) = written.split_once("\r\n\r\n").unwrap_or((written, ""));
    let field = |wanted: &str| {
        let fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
        let found =
            fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim());
        found.last().unwrap_or_default().to_owned()
    };
    let from = field("from");
    let address = from.rsplit_once('<').and_then(|(_, address)| address.split_once('>'));
    let from = address.map(|(address, _)| address.to_owned()).unwrap_or(from);
    Message { subject: field("subject"), from, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_message_subject_sender_and_text_are_kept() {
        // RFC 3501, 6.3.11, with a sender that has a name.
        let written = "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\r\nFrom: Fred Foobar <foobar@Blurdybloop.COM>\r\n\
                       Subject: afternoon meeting\r\n\r\nHello Joe\r\n";
        let kept = message(written);
        assert_eq!((&*kept.subject, &*kept.from), ("afternoon meeting", "foobar@Blurdybloop.COM"));
        assert_eq!(kept.text, "Hello Joe\r\n");
        for nothing in ["", "\r\n\r\n", "no head", ":", "From: <"] {
            assert_eq!(message(nothing).subject, "");
        }
    }
}

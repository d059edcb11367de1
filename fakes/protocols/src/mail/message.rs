//! A message of the inbox as mail programs see it: RFC 5322, with whose mailbox it was read from.

use crate::mailbox::{Mailbox, Message, Owner, Unreachable};

/// When every message came. A lab has no yesterday.
const DATE: &str = "Thu, 13 Mar 2014 09:00:00 +0000";
/// The same, as IMAP writes it.
pub(crate) fn internal_date() -> &'static str {
    "13-Mar-2014 09:00:00 +0000"
}

/// A message as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it was made of.
    pub(crate) subject: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) id: String,
    /// Header lines, with the empty line behind them.
    pub(crate) head: String,
    /// What follows, each line with its end.
    pub(crate) text: String,
}

impl Letter {
    /// The n-th message of a mailbox, from 1.
    pub fn new(number: usize, message: &Message, owner: &Owner) -> Letter {
        let one_line = |text: &str| text.replace(['\r', '\n', '\0'], " ");
        let (subject, from) = (one_line(&message.subject), one_line(&message.from));
        let to = owner.address.clone();
        let id = format!("<{number}.{}@contoso.com>", owner.guid);
        let head = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {DATE}\r\nMessage-ID: {id}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        );
        let mut text: String = message.text.lines().map(|line| format!("{line}\r\n")).collect();
        if text.is_empty() {
            text.push_str("\r\n");
        }
        Letter { subject, from, to, id, head, text }
    }

    /// All messages of a mailbox.
    pub fn all(messages: &[Message], owner: &Owner) -> Vec<Letter> {
        messages.iter().zip(1..).map(|(message, number)| Letter::new(number, message, owner)).collect()
    }

    /// All messages of a mailbox, read now.
    ///
    /// # Errors
    /// A mailbox that cannot be reached.
    pub async fn read(mailbox: &mut impl Mailbox) -> Result<Vec<Letter>, Unreachable> {
        let owner = mailbox.owner().await?;
        Ok(Letter::all(&mailbox.messages().await?, &owner))
    }

    pub(crate) fn whole(&self) -> String {
        format!("{}{}", self.head, self.text)
    }

    pub(crate) fn size(&self) -> usize {
        self.head.len() + self.text.len()
    }

    pub(crate) fn date(&self) -> &'static str {
        DATE
    }
}

//! A mailbox in memory: what a Mailbox server holds, and what a server reads that holds its mailboxes itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{RpcError, ec};
use crate::mailbox::{Mailbox, Message, Owner, Unreachable};

/// As many messages as one holds; the next is refused.
const MAX_MESSAGES: usize = 4096;
/// The longest message, in bytes of UTF-16: with it a row of a table still fits in one ROP buffer.
const MAX_MESSAGE: usize = 28 * 1024;

/// One mailbox: its owner and its inbox. Every reader and writer shares it.
#[derive(Debug)]
pub struct Inbox {
    owner: Owner,
    messages: Mutex<Vec<Message>>,
    count: watch::Sender<usize>,
}

impl Inbox {
    /// A mailbox that holds these messages, oldest first.
    pub fn new(owner: Owner, messages: Vec<Message>) -> Inbox {
        Inbox { owner, count: watch::Sender::new(messages.len()), messages: Mutex::new(messages) }
    }

    /// Whose it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// What it holds now, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.held().clone()
    }

    /// How many messages it holds, now and after every change.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Puts a message at the end.
    ///
    /// # Errors
    /// A full mailbox, a message of more than 28 KiB in UTF-16.
    pub fn deliver(&self, message: Message) -> Result<(), RpcError> {
        let texts = [&message.subject, &message.from, &message.text];
        if texts.iter().map(|text| 2 * text.encode_utf16().count()).sum::<usize>() > MAX_MESSAGE {
            return Err(RpcError::TooLong { what: "a message", limit: MAX_MESSAGE });
        }
        let mut held = self.held();
        if held.len() >= MAX_MESSAGES {
            return Err(RpcError::Failed { what: "delivery", code: ec::QUOTA_EXCEEDED });
        }
        held.push(message);
        self.count.send_replace(held.len());
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A mailbox reached on the server that holds it.
#[derive(Debug, Clone)]
pub struct Local(pub Arc<Inbox>);

impl Mailbox for Local {
    async fn owner(&mut self) -> Result<Owner, Unreachable> {
        Ok(self.0.owner().clone())
    }

    async fn messages(&mut self) -> Result<Vec<Message>, Unreachable> {
        Ok(self.0.messages())
    }

    async fn deliver(&mut self, message: Message) -> Result<(), Unreachable> {
        Ok(self.0.deliver(message)?)
    }

    async fn more_than(&mut self, seen: usize) -> Result<(), Unreachable> {
        // The sender lives in `self`: waiting cannot fail.
        let _ = self.0.count().wait_for(|count| *count > seen).await;
        Ok(())
    }
}

//! A mailbox in memory: what a Mailbox server holds, and what a server reads that holds its mailboxes itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{RpcError, ec};
use crate::mailbox::{Mailbox, Message, Owner, Unreachable};

/// As many messages as one holds; the next is refused.
const MAX_MESSAGES: usize = 4096;

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
    /// A full mailbox.
    pub fn deliver(&self, message: Message) -> Result<(), RpcError> {
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

impl Mailbox for Arc<Inbox> {
    async fn owner(&mut self) -> Result<Owner, Unreachable> {
        Ok(Inbox::owner(self).clone())
    }

    async fn messages(&mut self) -> Result<Vec<Message>, Unreachable> {
        Ok(Inbox::messages(self))
    }

    async fn deliver(&mut self, message: Message) -> Result<(), Unreachable> {
        Ok(Inbox::deliver(self, message)?)
    }

    async fn more_than(&mut self, seen: usize) -> Result<(), Unreachable> {
        // The sender lives in `self`: waiting cannot fail.
        let _ = self.count().wait_for(|count| *count > seen).await;
        Ok(())
    }
}

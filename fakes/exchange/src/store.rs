//! What Mailbox servers hold: one inbox a mailbox, made when it is first opened, with a little content.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use directory::Account;
use model::MailboxName;
use protocols::mailbox::{Message, Owner};
use protocols::msrpc::Inbox;

/// The inboxes of a lab, by mailbox: none belongs to a server, since an active copy moves, and a mailbox too.
#[derive(Default)]
pub struct Stores(Mutex<HashMap<MailboxName, Arc<Inbox>>>);

impl Stores {
    /// A mailbox's inbox.
    pub fn inbox(&self, account: &Account) -> Arc<Inbox> {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores
            .entry(account.name.clone())
            .or_insert_with(|| {
                let owner = Owner { address: account.address.clone(), guid: account.guid.clone() };
                Arc::new(Inbox::new(owner, vec![welcome(account)]))
            })
            .clone()
    }
}

fn welcome(account: &Account) -> Message {
    Message {
        subject: format!("Welcome, {}", account.address),
        from: "postmaster@contoso.com".to_owned(),
        text: format!("This is the mailbox of {}.", account.display_name),
    }
}

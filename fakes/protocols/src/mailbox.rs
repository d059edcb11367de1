//! A mailbox as whoever serves it reaches it: in memory on its own server, by MS-RPC from a Client Access server.

use std::future::Future;

use crate::msrpc;

/// Whose mailbox it is, as the store itself says: the proof of which one was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its primary address, `purple@contoso.com`.
    pub address: String,
    /// Its GUID, 32 hexadecimal digits in the usual five groups.
    pub guid: String,
}

/// A message in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its subject.
    pub subject: String,
    /// Its sender's address.
    pub from: String,
    /// Its text.
    pub text: String,
}

/// Why a mailbox could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The conversation with the Mailbox server failed.
    #[error("the Mailbox server did not answer as MS-RPC asks: {0}")]
    Rpc(#[from] msrpc::RpcError),
    /// The server holds no such mailbox.
    #[error("the Mailbox server holds no mailbox of this name")]
    Unknown,
}

/// An open mailbox.
pub trait Mailbox: Send + 'static {
    /// Whose it is.
    fn owner(&mut self) -> impl Future<Output = Result<Owner, Unreachable>> + Send;
    /// The inbox, oldest first.
    fn messages(&mut self) -> impl Future<Output = Result<Vec<Message>, Unreachable>> + Send;
    /// Puts a message into the inbox.
    fn deliver(&mut self, message: Message) -> impl Future<Output = Result<(), Unreachable>> + Send;
    /// Waits until the inbox holds more than `seen` messages.
    fn more_than(&mut self, seen: usize) -> impl Future<Output = Result<(), Unreachable>> + Send;
}

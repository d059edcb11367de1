//! IMAP4rev1 (RFC 3501) as Exchange speaks it: the greeting and what comes before signing in, which a front end says too
//! (`before`), and the session that reads a mailbox (`session`), puts a message into it and waits for one (`news`).
//!
//! Absent: everything else that changes a mailbox, and being told of new mail otherwise than while idle.

mod before;
mod command;
mod fetch;
mod news;
mod session;
#[cfg(test)]
mod tests;

pub use before::{greeting, no, ok, until_signed_in};
pub use news::Opens;
pub use session::serve;

/// The words with which Exchange 2013 says that nobody behind can be reached (wire facts 10).
pub const UNAVAILABLE: &str = "Server Unavailable. 15";

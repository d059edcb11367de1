//! IMAP4rev1 (RFC 3501) as Exchange speaks it: the greeting and what comes before signing in, which a front end says too
//! (`before`), and the session that reads a mailbox (`session`).
//!
//! Absent: everything that changes a mailbox, and being told of new mail while idle.

mod before;
mod command;
mod fetch;
mod session;
#[cfg(test)]
mod tests;

pub use before::{greeting, no, ok, until_signed_in};
pub use session::serve;

/// The words with which Exchange 2013 says that nobody behind can be reached (wire facts 10).
pub const UNAVAILABLE: &str = "Server Unavailable. 15";

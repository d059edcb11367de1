//! MS-RPC over TCP to a Mailbox server: how every mailbox is reached that is not on the server itself.
//!
//! Connection-oriented DCE/RPC ([C706] chapter 12, [MS-RPCE] 2.2.2) carries the calls of EMSMDB ([MS-OXCRPC]), and those
//! carry ROP buffers ([MS-OXCROPS]), as MAPI over HTTP does too. Absent: authentication (nothing here signs in: the caller did), big endian,
//! compressed or obscured ROP buffers, context handles used from a second connection, RopNotify (a client told of a
//! change reads the table again). Bytes are bounded here; time limits are the caller's.

mod client;
mod emsmdb;
mod endpoints;
mod inbox;
pub(crate) mod ndr;
pub(crate) mod pdu;
mod relay;
mod rop;
mod server;
mod session;
#[cfg(test)]
mod tests;
mod transport;

pub(crate) use emsmdb::{NO_HANDLE, extended, payload};
pub(crate) use ndr::{Reader, Writer};
pub(crate) use session::Session as RopSession;

pub use client::Session;
pub use endpoints::{Endpoint, serve_endpoints};
pub use inbox::{Inbox, Local};
pub use relay::pass_on;
pub use server::{Store, serve};

/// Why a conversation in MS-RPC failed.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The other side closed in the middle.
    #[error("the connection was closed before {0} was complete")]
    Closed(&'static str),
    /// Something is longer than this side takes.
    #[error("{what} is longer than {limit} bytes")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Bytes that are not what the specification says.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A PDU that has no place here.
    #[error("a PDU of type {0} has no place here")]
    Unexpected(u8),
    /// The server refused the bind; the reason as in [C706] 12.6.3.1, `p_reject_reason_t`.
    #[error("the server refused to bind, reason {0}")]
    Refused(u16),
    /// The server speaks no such interface.
    #[error("the server does not offer the interface of mailboxes")]
    Rejected,
    /// The server answered with a fault.
    #[error("the server answered with fault {0:#010x}")]
    Fault(u32),
    /// A call or ROP was answered with an error code of [MS-OXCDATA] 2.4.
    #[error("{what} was answered with error {code:#x}")]
    Failed {
        /// The call or ROP.
        what: &'static str,
        /// The code.
        code: u32,
    },
    /// An earlier call was given up while its bytes were being sent.
    #[error("an earlier call was given up in the middle of its request")]
    Interrupted,
}

/// Error codes, [MS-OXCDATA] 2.4.
pub(crate) mod ec {
    pub(crate) const UNKNOWN_USER: u32 = 0x0000_03EB;
    pub(crate) const RPC_FORMAT: u32 = 0x0000_04B6;
    pub(super) const NULL_OBJECT: u32 = 0x0000_04B9;
    pub(super) const QUOTA_EXCEEDED: u32 = 0x0000_04D9;
    pub(crate) const NOT_SUPPORTED: u32 = 0x8004_0102;
    pub(crate) const NOT_FOUND: u32 = 0x8004_010F;
    pub(crate) const ACCESS_DENIED: u32 = 0x8007_0005;
    pub(super) const OUT_OF_MEMORY: u32 = 0x8007_000E;
}

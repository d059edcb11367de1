//! What a subject says of itself. Where a rule speaks of it, the suite holds the subject to its word.

use serde::{Deserialize, Serialize};

use super::span::{Size, Span};
use crate::protocol::words;
use crate::topology::Devices451;

/// What a subject declares; what it leaves out is not asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Declares {
    /// How it speaks for a user to a server behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_servers: Option<ToServers>,
    /// Whom it answers 451 by itself, whatever its virtual directory is set to (rule X-EAS-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eas_451: Option<Devices451>,
    /// Which site it takes for the local one of a mailbox elsewhere (rule CX-OAB-3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oab_local_site: Option<LocalSite>,
    /// How it spreads load over servers that would all do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balancing: Option<Balancing>,
    /// Between two health rounds (rule CX-HLT-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_interval: Option<Span>,
    /// When forms-based sign-in ends (rule CX-OWA-7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owa_timeout: Option<Span>,
    /// How late it may learn of a changed fact (rule X-OOS-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_ttl: Option<Span>,
    /// How long an exchange may be quiet before it is cut (rule X-WIRE-6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Span>,
    /// The largest head that passes (rule X-WIRE-13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_limit: Option<Size>,
    /// The largest body that passes (rule X-WIRE-13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_limit: Option<Size>,
    /// What becomes of a mail session whose first candidate fails (rule CX-IMAP-6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_retry: Option<MailRetry>,
}

words! {
    /// How a subject speaks for a user.
    ToServers, "way to speak for a user", "basic (or pass-through, ticket, token)";
    /// Basic, as the client wrote it.
    Basic = "basic",
    /// The client's own NTLM or Negotiate legs, on one connection.
    PassThrough = "pass-through",
    /// The lab's stand-in for Kerberos delegation.
    Ticket = "ticket",
    /// `X-CommonAccessToken`, towards MBX2013.
    Token = "token",
}

words! {
    /// A reading of "the local site".
    LocalSite, "reading of the local site", "seat (or mailbox)";
    /// The subject's own, as the article writes.
    Seat = "seat",
    /// That of the mailbox.
    Mailbox = "mailbox",
}

words! {
    /// How load is spread.
    Balancing, "way to balance", "round-robin (or random, least-connections, affinity, none)";
    /// Each in turn.
    RoundRobin = "round-robin",
    /// By chance.
    Random = "random",
    /// Whoever has the fewest connections.
    LeastConnections = "least-connections",
    /// One server for one user.
    Affinity = "affinity",
    /// The first that is up.
    None = "none",
}

words! {
    /// What becomes of a mail session whose first candidate fails.
    MailRetry, "answer to a failed mail server", "next (or none)";
    /// The next candidate is tried.
    Next = "next",
    /// The session ends in an error.
    None = "none",
}

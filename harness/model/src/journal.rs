//! What a client saw, leg by leg: written by the clients, judged beside the ledger.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::case::{AnswerFraming, CertificateFault, Computer, Reached, SignsIn, Told};
use crate::digest::Digest;
use crate::names::HostName;

/// A place in the ledger's order: arrivals before it were recorded before the moment it marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Order(pub u64);

/// Everything one client saw in one step of a case.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Journal {
    /// Its legs in order.
    pub legs: Vec<ClientLeg>,
}

/// One conversation with one namespace, as the client saw it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientLeg {
    /// The namespace.
    pub dials: HostName,
    /// How it came to it.
    pub reached: Reached,
    /// Its requests in order.
    pub exchanges: Vec<Exchange>,
    /// Times that a person had to give credentials.
    pub credential_prompts: u8,
    /// What a person was asked about certificates.
    pub certificate_prompts: Vec<CertificateFault>,
    /// How it signed in, in the end, or tried to: who was refused has given a password away too.
    pub signed_in: SignsIn,
    /// Whose computer the last logon page took it for, or a form that submitted itself; none where there was neither.
    pub computer: Option<Computer>,
    /// What it was told at the end; `by` of an Autodiscover answer is left empty, the ledger knows it.
    pub told: Told,
    /// Why it ended so, where a sentence helps: `FolderSync answered with WBXML that ends early`.
    pub note: Option<String>,
}

/// One request and what came back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exchange {
    /// Where in the ledger's order it began.
    pub began: Order,
    /// Where it ended; arrivals of this case between the two belong to it.
    pub ended: Order,
    /// `GET`
    pub verb: String,
    /// Path and query as sent, with passwords left out.
    pub target: String,
    /// The address dialled; none where the name did not resolve.
    pub dialled: Option<SocketAddr>,
    /// The status, 0 where no answer came.
    pub status: u16,
    /// The reason phrase as sent.
    pub reason: String,
    /// `Location` or `X-MS-Location` as sent.
    pub location: Option<String>,
    /// What stood on the wire.
    pub heads: Heads,
    /// Cookies that it brought along though another host had set them; browsers alone keep cookies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cookies_of_others: Vec<CookieOfAnother>,
    /// The answer to the byte: written by raw clients alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<RawAnswer>>,
}

/// A cookie that went to another host than the one that set it, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CookieOfAnother {
    /// Its name.
    pub name: String,
    /// The host that set it.
    pub set_by: HostName,
    /// Whether it was set in answer to a form: where that one was the logon page's, it stands for what was typed.
    pub answers_form: bool,
}

/// The heads of an exchange as they stood on the wire, each bounded, with passwords, tickets and cookies left out. Empty
/// where nothing was sent, or nothing came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Heads {
    /// The request's.
    pub sent: String,
    /// The answer's, or whatever came instead of one.
    pub received: String,
}

/// What a raw client saw of an answer, and of what it waited for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RawAnswer {
    /// Status code and reason phrase as they came, without the protocol's version; empty where no answer came.
    pub status: String,
    /// Header lines as they came.
    pub lines: Vec<String>,
    /// What was read of the body, without its framing.
    pub body: Digest,
    /// How the body's end was told; none where there is none to tell.
    pub framing: Option<AnswerFraming>,
    /// Whether its end came.
    pub whole: bool,
    /// Whether the connection could be asked on again when the answer had ended.
    pub kept: bool,
    /// What the client waited for in vain, in a sentence each.
    pub missed: Vec<String>,
}

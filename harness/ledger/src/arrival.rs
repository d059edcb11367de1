//! One request, or one connection for MS-RPC, IMAP and POP, as a server saw it.

use std::net::SocketAddr;

use model::digest::Digest;
use model::journal::Order;
use model::{CaseId, MailboxName, Protocol, ServerName};
use serde::{Deserialize, Serialize};

use crate::Opener;

/// The most that is kept of a request's head.
pub const MOST_HEAD_BYTES: usize = 8 * 1024;

/// The most that a line of `ledger.jsonl` shows of it.
const MOST_WRITTEN_BYTES: usize = 1024;

/// A header line longer than this is kept by its beginning, length and digest.
const MOST_LINE_BYTES: usize = 512;

/// An arrival as a server hands it to the ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Draft {
    /// Where it arrived.
    pub server: ServerName,
    /// What it speaks.
    pub protocol: Protocol,
    /// `GET`; `connect` for MS-RPC.
    pub verb: String,
    /// Path and query as they came; the mailbox's DN for MS-RPC.
    pub target: String,
    /// The Host header.
    pub host: Option<String>,
    /// The name in the TLS greeting.
    pub sni: Option<String>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whether that TLS began by a command: IMAP and POP.
    pub starttls: bool,
    /// The far end of the connection.
    pub peer: SocketAddr,
    /// Every form of a mailbox's name that the request holds, the one that signs in first.
    pub asked: Vec<String>,
    /// Whom the server authenticated.
    pub believed_to_be: Option<MailboxName>,
    /// How it was told who asks.
    pub conveyed: Conveyed,
    /// The head as bytes, passwords and tickets redacted.
    #[serde(with = "as_text")]
    pub head: Vec<u8>,
    /// What was read of the body; none where nothing looks at it.
    pub body: Option<Digest>,
    /// Which connection.
    pub connection: u64,
    /// Which request on it, from 1.
    pub request: u32,
    /// Who opened the socket at the far end, asked once when the connection was accepted.
    pub opener: Option<Opener>,
}

/// An arrival in the ledger.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Arrival {
    /// Its place in the lab's order.
    pub order: Order,
    /// Milliseconds since the ledger was opened.
    pub time: u64,
    /// Where it arrived.
    pub server: ServerName,
    /// What it speaks.
    pub protocol: Protocol,
    /// `GET`; `connect` for MS-RPC.
    pub verb: String,
    /// Path and query; the mailbox's DN for MS-RPC.
    pub target: String,
    /// The Host header.
    pub host: Option<String>,
    /// The name in the TLS greeting.
    pub sni: Option<String>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whether that TLS began by a command: IMAP and POP.
    pub starttls: bool,
    /// The far end of the connection.
    pub peer: SocketAddr,
    /// Who asked, and whom the server believed it to be.
    pub identity: Identity,
    /// The head, redacted and capped.
    #[serde(serialize_with = "shortly")]
    pub head: String,
    /// What was read of the body so far; none where nothing looks at it.
    pub body: Option<Digest>,
    /// Which connection.
    pub connection: u64,
    /// Which request on it, from 1.
    pub request: u32,
    /// The arrival because of which a fake opened the connection.
    pub parent: Option<Order>,
    /// The case it belongs to.
    pub case: Option<CaseId>,
    /// By what that is known.
    pub claimed_by: Claim,
    /// What was answered, once it stood on the wire; none where nothing says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answered>,
}

impl Arrival {
    /// Whether nobody's client can be seen to have asked for it: it came from the subject, only asks, and names and signs in
    /// nobody. So health is asked for.
    pub fn is_of_nobody(&self) -> bool {
        matches!(self.claimed_by, Claim::Nobody | Claim::Connection)
            && matches!(self.verb.as_str(), "GET" | "HEAD")
            && self.identity.believed_to_be.is_none()
            && self.identity.conveyed == Conveyed::Nothing
            && self.identity.asked_by.is_none()
    }

    /// Whether that is all that it asks for: a virtual directory itself (wire facts 9), or the page of managed availability.
    pub fn asks_for_health(&self) -> bool {
        let path =
            self.target.split('?').next().unwrap_or_default().trim_end_matches('/').to_ascii_lowercase();
        let of_directory = ["", "default.eas", "healthcheck.htm"]
            .contains(&path.trim_start_matches('/').split_once('/').map_or("", |(_, file)| file));
        self.is_of_nobody() && of_directory && Protocol::of_path(&path).is_some()
    }
}

/// An answer, as a server's own log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// IIS's finer one: 2 in 401.2.
    pub substatus: u16,
    /// The code of Windows that goes with it: 5 is "access is denied".
    pub win32: u32,
    /// Bytes sent since the request began, head and body.
    pub sent: u64,
    /// Bytes read for it.
    pub received: u64,
    /// Milliseconds that it took.
    pub took: u64,
}

/// Two answers kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    /// The leased mailbox that the request names, where it names one.
    pub asked_by: Option<MailboxName>,
    /// Whom the server authenticated.
    pub believed_to_be: Option<MailboxName>,
    /// How it was told.
    pub conveyed: Conveyed,
}

/// How a server was told who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conveyed {
    /// Not at all.
    Nothing,
    /// Basic
    Basic,
    /// A logon form.
    Form,
    /// A session cookie of forms-based sign-in.
    Cookie,
    /// The lab's stand-in for Kerberos delegation.
    Ticket,
    /// An NTLM response, on this request or before it on the connection.
    Ntlm,
    /// An NTLM response to a challenge that this connection did not give: two sign-ins were mixed up.
    NtlmAstray,
    /// By a server of the lab that signed the user in, as Exchange servers trust one another.
    Trusted,
    /// The mailbox's DN in an MS-RPC connect.
    Rpc,
}

/// By what it is known whose an arrival is; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// Its far end is a socket that a client of ours announced.
    Socket,
    /// Its far end is a socket that a fake announced.
    Parent,
    /// It names a leased mailbox.
    AskedBy,
    /// Everything asked on its connection was asked by one case.
    Connection,
    /// By none of these.
    Nobody,
}

/// A header line as the ledger keeps it: a very long one by its beginning, its length and its digest, in which the letter
/// case of its name does not count.
pub fn kept_line(line: &str) -> String {
    if line.len() <= MOST_LINE_BYTES {
        return line.to_owned();
    }
    let beginning: String = line.chars().take(64).collect();
    let (name, value) = line.split_at(line.find(':').unwrap_or(0));
    let mut digest = Digest::of(name.to_ascii_lowercase().as_bytes());
    digest.add(value.as_bytes());
    let Digest { bytes, fnv } = digest;
    format!("{beginning}… ({bytes} bytes, {fnv:016x})")
}

/// A head on its way to a ledger elsewhere: as the text that is kept of it.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(head: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&String::from_utf8_lossy(head))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        String::deserialize(from).map(String::into_bytes)
    }
}

fn shortly<S: serde::Serializer>(head: &str, to: S) -> Result<S::Ok, S::Error> {
    let end = (0..=MOST_WRITTEN_BYTES.min(head.len())).rfind(|at| head.is_char_boundary(*at)).unwrap_or(0);
    to.serialize_str(&head[..end])
}

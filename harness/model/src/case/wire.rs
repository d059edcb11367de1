//! Traffic to the byte: what a raw client sends, what a server behind is told to answer, what of both must arrive as sent.

use serde::{Deserialize, Serialize};

use super::{Action, ClientKind, Step};
use crate::digest::Digest;
use crate::names::ServerName;
use crate::protocol::words;

/// One request of a raw client, as it is written. In header lines and targets `{basic}` stands for what Basic makes of the
/// user and password, `{account}`, `{address}`, `{device}` and `{password}` for what they say, percent-encoded in a target;
/// and in every line of a case `{x*12288}` for so many letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Send {
    /// The verb: `POST`.
    pub verb: String,
    /// The request target, byte for byte: `/ews/exchange.asmx?a=%41`.
    pub target: String,
    /// Header lines as text, in this order. `Host` comes first by itself unless a line here names it.
    pub lines: Vec<String>,
    /// The body; none where it is left out.
    pub body: Option<Payload>,
    /// How the body's end is told: where there is a body.
    pub framing: Option<Framing>,
    /// Where the client stops in its body, and until what has happened.
    #[serde(default)]
    pub waits: Vec<Wait>,
    /// Whether it comes on the connection of the request before.
    #[serde(default)]
    pub connection: Connection,
    /// The server name in the TLS greeting, where a connection is opened.
    #[serde(default)]
    pub sni: Sni,
    /// After how many bytes of the answer's body the client goes away, and expects the server behind to be told of it.
    pub leaves_after: Option<u64>,
    /// Whether it goes away once the body is written, without an answer, and expects the same.
    #[serde(default)]
    pub leaves_unanswered: bool,
}

impl Send {
    /// Whether the client goes away before an answer has come to its end.
    pub fn leaves(&self) -> bool {
        self.leaves_unanswered || self.leaves_after.is_some()
    }
}

/// What a body holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Payload {
    /// This many bytes of a pattern of which no part repeats another.
    Bytes(u64),
    /// This text.
    Text(String),
}

/// The most that a body holds.
pub const MOST_PAYLOAD_BYTES: u64 = 1024 * 1024;

impl Payload {
    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Payload::Text(text) => text.clone().into_bytes(),
            Payload::Bytes(_) => counted(self.size() as usize),
        }
    }

    /// How many bytes.
    pub fn size(&self) -> u64 {
        match self {
            Payload::Bytes(count) => (*count).min(MOST_PAYLOAD_BYTES),
            Payload::Text(text) => text.len() as u64,
        }
    }

    /// Their length and digest.
    pub fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        digest.add(&self.bytes());
        digest
    }
}

/// Eight bytes hold their own number, in digits from `a` to `p`, so that a lost, doubled or moved part shows.
fn counted(size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 8);
    let mut eight = *b"aaaaaaa\n";
    while bytes.len() < size {
        bytes.extend_from_slice(&eight);
        for digit in eight[..7].iter_mut().rev() {
            if *digit < b'p' {
                *digit += 1;
                break;
            }
            *digit = b'a';
        }
    }
    bytes.truncate(size);
    bytes
}

/// A line with `{x*12288}` as so many letters: bounded as bodies are.
pub fn spelled_out(line: &str) -> String {
    let put = || {
        let (before, rest) = line.split_once("{x*")?;
        let (count, after) = rest.split_once('}')?;
        let count = count.parse::<usize>().ok().filter(|count| *count as u64 <= MOST_PAYLOAD_BYTES)?;
        Some(format!("{before}{}{after}", "x".repeat(count)))
    };
    put().unwrap_or_else(|| line.to_owned())
}

words! {
    /// How the end of a body is told.
    Framing, "framing", "length (or chunked, as-written)";
    /// Content-Length
    Length = "length",
    /// Transfer-Encoding: chunked
    Chunked = "chunked",
    /// No line is added: the header lines say it, rightly or wrongly.
    AsWritten = "as-written",
}

/// A barrier: the client stops there until something has happened, and what did not happen fails the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wait {
    /// After how many bytes of the body.
    pub after: u64,
    /// What must have happened.
    pub until: Until,
}

words! {
    /// What a client waits for while its body is held.
    Until, "event to wait for", "heard (or arrived, continue, answered, other-answered)";
    /// A server behind has the head.
    Arrived = "arrived",
    /// A server behind has read every byte of the body that was written so far.
    Heard = "heard",
    /// 100 (Continue), or an answer.
    Continue = "continue",
    /// The head of the answer is there.
    Answered = "answered",
    /// The head of the answer to the request beside this one is there.
    OtherAnswered = "other-answered",
}

words! {
    /// The connection of a request.
    #[derive(Default)]
    Connection, "connection", "same (or new, beside)";
    /// The one of the request before; the first opens one.
    #[default]
    Same = "same",
    /// Another.
    New = "new",
    /// Another, opened once the request before has arrived behind, and used beside it, as the two channels of Outlook
    /// Anywhere are: when the client leaves the one, the other ends too.
    Beside = "beside",
}

words! {
    /// The server name in a TLS greeting.
    #[derive(Default)]
    Sni, "server name in the greeting", "present (or absent, upper-case)";
    /// The host.
    #[default]
    Present = "present",
    /// None.
    Absent = "absent",
    /// The host in capitals.
    UpperCase = "upper-case",
}

/// What a server behind answers to the case's own user, instead of what it would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answering {
    /// Status code and reason phrase: `503 RPC Error: 6ba`; `451` has no phrase.
    pub status: String,
    /// Header lines as text, in this order, beside the one that frames the body.
    pub lines: Vec<String>,
    /// The body; none where it is left out.
    pub body: Option<Payload>,
    /// `length` unless it says `chunked`.
    #[serde(default)]
    pub framing: AnswerFraming,
    /// In how many pieces the body is sent, each once the client has read the one before.
    #[serde(default = "one")]
    pub pieces: u16,
    /// When it is sent.
    #[serde(default)]
    pub sent: Sent,
    /// How it ends.
    #[serde(default)]
    pub ends: Ends,
}

fn one() -> u16 {
    1
}

words! {
    /// How the end of an answer's body is told.
    #[derive(Default)]
    AnswerFraming, "framing of an answer", "length (or chunked, close)";
    /// Content-Length: of what the body holds, unless a header line declares another.
    #[default]
    Length = "length",
    /// Transfer-Encoding: chunked
    Chunked = "chunked",
    /// An answer of HTTP/1.0, whose end is the connection's.
    Close = "close",
}

words! {
    /// When an answer is sent.
    #[derive(Default)]
    Sent, "moment of an answer", "after-the-body (or at-once, after-quiet)";
    /// Once the request's body is read.
    #[default]
    AfterTheBody = "after-the-body",
    /// As soon as the head is there; the body is read all the same.
    AtOnce = "at-once",
    /// After the request, and as long a silence as the subject declares not to cut (`quiet`).
    AfterQuiet = "after-quiet",
}

words! {
    /// How an answer ends.
    #[derive(Default)]
    Ends, "end of an answer", "whole (or cut-before, cut-within, with-the-other)";
    /// As it should.
    #[default]
    Whole = "whole",
    /// The connection is closed before a byte of it.
    CutBefore = "cut-before",
    /// The connection is closed after half of the body.
    CutWithin = "cut-within",
    /// The connection stays open when all is sent, and is closed once the user's other one here has ended, as a server ends
    /// the two channels of Outlook Anywhere. A request that has not ended by then gets no answer.
    WithTheOther = "with-the-other",
}

/// What of one request and its answer must arrive as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Carried {
    /// The request at a server behind; nothing where it may reach none.
    pub request: Option<CarriedRequest>,
    /// The answer at the client; nothing where there is none.
    pub answer: Option<CarriedAnswer>,
}

/// A request as a server behind must see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CarriedRequest {
    /// Which server: the second hop unless it is said.
    pub at: Option<ServerName>,
    /// The request line, without the protocol's version: `POST /ews/exchange.asmx`.
    pub line: String,
    /// How often it came, over all servers.
    pub times: u16,
    /// Header lines: those of these names are these, in this order; the letter case of a name does not matter.
    #[serde(default)]
    pub lines: Vec<String>,
    /// The same, in this very letter case.
    #[serde(default)]
    pub spelled: Vec<String>,
    /// Text that stands nowhere in the head.
    #[serde(default)]
    pub without: Vec<String>,
    /// The body that was read: `sent` is what the client sent.
    pub body: Option<CarriedBody>,
    /// Ways to frame it that are right.
    #[serde(default)]
    pub framing: Vec<Framing>,
}

words! {
    /// What must have come of a body.
    CarriedBody, "body", "sent (or empty)";
    /// What the other side sent, byte for byte.
    Sent = "sent",
    /// No byte.
    Empty = "empty",
}

/// An answer as the client must see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CarriedAnswer {
    /// Status code and reason phrase: `503 RPC Error: 6ba`, or `451`.
    pub status: Option<String>,
    /// Header lines: those of these names are these, in this order; the letter case of a name does not matter.
    #[serde(default)]
    pub lines: Vec<String>,
    /// The same, in this very letter case.
    #[serde(default)]
    pub spelled: Vec<String>,
    /// Text that stands nowhere in the head.
    #[serde(default)]
    pub without: Vec<String>,
    /// The body that was read.
    pub body: Option<Payload>,
    /// Ways to frame it that are right.
    #[serde(default)]
    pub framing: Vec<AnswerFraming>,
    /// Whether it came to its end, or broke off.
    #[serde(default)]
    pub ends: Arrives,
    /// What becomes of the connection; left out where it does not matter.
    pub connection: Option<After>,
}

words! {
    /// Whether an answer came to its end.
    #[derive(Default)]
    Arrives, "end of an answer", "whole (or cut)";
    /// It did.
    #[default]
    Whole = "whole",
    /// It broke off, and the client was told at once.
    Cut = "cut",
}

words! {
    /// What becomes of a connection.
    After, "fate of a connection", "kept (or closed)";
    /// It can be asked on again.
    Kept = "kept",
    /// It ends.
    Closed = "closed",
}

/// What is wrong about a step's traffic to the byte: a key to blame, a sentence, a right example.
pub(super) fn wrong(step: &Step) -> Option<(&'static [&'static str], String, &'static str)> {
    let when = &step.when;
    let raw = when.client == ClientKind::Raw;
    let say = |key: &'static [&'static str], says: &str, help| Some((key, says.to_owned(), help));
    if raw != (when.does == Action::Send) || raw == when.sends.is_empty() {
        const HELP: &str = "does = \"send\"\n[[when.sends]]\nverb = \"GET\"\ntarget = \"/ews/exchange.asmx\"\nlines = [\"Authorization: {basic}\"]";
        return say(&["when", "client"], "a raw client sends, and only that, what [[when.sends]] says", HELP);
    }
    for send in &when.sends {
        if send.body.is_some() != send.framing.is_some() {
            return say(&["when", "sends"], "a body has a framing, and only that", "framing = \"length\"");
        }
        let length = send.body.as_ref().map_or(0, Payload::size);
        if send.waits.iter().any(|wait| wait.after > length) {
            let says = format!("the body has {length} bytes: nobody waits after more");
            return Some((&["when", "sends"], says, "waits = [{ after = 0, until = \"continue\" }]"));
        }
        if send.leaves_unanswered && send.leaves_after.is_some() {
            return say(&["when", "sends"], "a client leaves once", "leaves-unanswered = true");
        }
        if send.lines.iter().any(|line| !line.contains(':')) {
            return say(&["when", "sends"], "a header line has a colon", "lines = [\"Accept: */*\"]");
        }
    }
    let beside = |at: usize| when.sends.get(at).is_some_and(|send| send.connection == Connection::Beside);
    if (0..when.sends.len()).any(|at| beside(at) && (at == 0 || beside(at - 1))) {
        const HELP: &str = "the first: connection = \"new\", the second: connection = \"beside\"";
        return say(&["when", "sends"], "a request is beside one other, which stands before it", HELP);
    }
    let wanted = if raw { when.sends.len() } else { 0 };
    if step.then.iter().any(|leg| leg.carried.len() != wanted) {
        let says = format!("{} sent, so each leg has as many [[then.carried]]", when.sends.len());
        return Some((&["then"], says, CARRIED));
    }
    None
}

const CARRIED: &str = "[[then.carried]]\nrequest = { line = \"GET /ews/exchange.asmx\", times = 1 }\nanswer = { status = \"200 OK\" }";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::problem::Source;

    #[test]
    fn letters_are_spelled_out() {
        assert_eq!(spelled_out("A: {x*3}!"), "A: xxx!");
        assert_eq!(spelled_out("A: {x*9999999999}"), "A: {x*9999999999}");
    }

    #[test]
    fn no_part_of_the_pattern_repeats_another() {
        let bytes = Payload::Bytes(4096).bytes();
        assert_eq!(&bytes[..16], b"aaaaaaa\naaaaaab\n");
        assert_eq!(&bytes[15 * 8..17 * 8], b"aaaaaap\naaaaaba\n");
        assert_eq!(&bytes[511 * 8..], b"aaaabpp\n");
        assert_eq!(Payload::Bytes(11).bytes(), b"aaaaaaa\naaa");
        assert_eq!(Payload::Bytes(0).bytes(), b"");
        let mut parts: Vec<&[u8]> = bytes.chunks(8).collect();
        parts.sort_unstable();
        parts.dedup();
        assert_eq!(parts.len(), 512);
    }

    const RAW: &str = r#"
title  = "A"
rules  = ["X-WIRE-9"]
source = "RFC 9112"
needs  = []

[when]
mailbox = "red"
client  = "raw"
view    = "external"
opens   = "https://mail.contoso.com/EWS/Exchange.asmx"
does    = "send"

[[when.sends]]
verb    = "POST"
target  = "/EWS/Exchange.asmx"
lines   = ["Authorization: {basic}"]
body    = { text = "abc" }
framing = "{framing}"

[[then]]
dials   = "mail.contoso.com"
reached = "typed"
hops    = ["cas2013-s1"]
prompts = { credentials = 0, certificate = 0 }
told    = { answered = [200] }

[[then.carried]]
answer = { status = "200 OK" }

[each]
framing = ["length", "chunked"]
"#;

    fn read(from: &str, to: &str) -> Result<Vec<String>, String> {
        assert!(RAW.contains(from), "{from}");
        let source = Source::new("a.toml", RAW.replace(from, to));
        let made = Case::read_each(&"coexistence/wire/a".parse().unwrap(), &source);
        let made = made.map_err(|problem| problem.picture().to_string())?;
        Ok(made.into_iter().map(|(case, _)| case.id.to_string()).collect())
    }

    #[test]
    fn one_file_makes_a_case_a_value() {
        let ids = read("abc", "abc").unwrap();
        assert_eq!(ids, ["coexistence/wire/a[length]", "coexistence/wire/a[chunked]"]);
    }

    #[track_caller]
    fn is_refused(from: &str, to: &str, line: &str, says: &str) {
        let picture = read(from, to).unwrap_err();
        assert!(picture.starts_with(&format!("a.toml:{line}")) && picture.contains(says), "{picture}");
    }

    #[test]
    fn what_is_wrong_is_refused_at_its_place_with_a_right_value() {
        is_refused("client  = \"raw\"", "client  = \"outlook\"", "9:", "a raw client sends");
        is_refused("framing = \"{framing}\"", "# {framing}", "14:", "a body has a framing");
        is_refused("{basic}", "x\", \"nothing", "14:", "a header line has a colon");
        is_refused(
            "framing = \"{",
            "waits = [{ after = 4, until = \"heard\" }]\nframing = \"{",
            "14:",
            "the body has 3 bytes",
        );
        is_refused("framing = \"{", "connection = \"beside\"\nframing = \"{", "14:", "beside one other");
        is_refused("[[then.carried]]\nanswer", "# answer", "21:", "as many [[then.carried]]");
        is_refused("[\"length\", \"chunked\"]", "[\"gzip\"]", "19:", "a right one looks like `length");
        is_refused("answer = { status", "answer = { state", "", "state");
    }
}

//! One request and its answer that pass, and what every fault of their carriage makes of them.
//!
//! ```text
//! raw  -> cas2013-s1 (seat) -> cas2010-s1        POST with a body, answered with two cookies
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::{Conveyed, Identity};
use model::Case;
use model::digest::Digest;
use model::journal::Order;
use model::problem::Source;
use model::topology::TopologyFiles;

use super::*;

const CASE: &str = r#"
title  = "Made up"
rules  = ["X-WIRE-9"]
source = "made by hand"
needs  = ["ews"]

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
body    = { text = "<Envelope/>" }
framing = "length"

[[then]]
dials   = "mail.contoso.com"
reached = "typed"
hops    = ["cas2013-s1", "cas2010-s1"]
prompts = { credentials = 0, certificate = 0 }
told    = { answered = [200] }

[[then.carried]]
request = { line = "POST /EWS/Exchange.asmx", times = 1, lines = ["Host: cas2010-s1.contoso.com", "X-A: 1", "X-A: 2"], spelled = ["SOAPAction: x"], without = ["forged"], body = "sent", framing = ["length"] }
answer  = { status = "200 Success", lines = ["Set-Cookie: a=1; path=/", "Set-Cookie: b=2; path=/owa"], spelled = ["X-MS-Location: y"], without = ["gzip"], body = { text = "<Answer/>" }, framing = ["chunked"], connection = "kept" }
"#;

const HEAD: &str = "POST /EWS/Exchange.asmx HTTP/1.1\r\nhost: cas2010-s1.contoso.com\r\nX-A: 1\r\nSOAPAction: x\r\nx-a: 2\r\nContent-Length: 11\r\n\r\n";

struct Made {
    case: Case,
    seen: ClientLeg,
    trace: Trace,
}

impl Made {
    fn up() -> Made {
        let case = Case::read("coexistence/made/up".parse().unwrap(), &Source::new("up.toml", CASE)).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/coexistence.toml");
        let file = Source::new(path, std::fs::read_to_string(path).unwrap());
        let answer = RawAnswer {
            status: "200 Success".into(),
            lines: ["set-cookie: a=1; path=/", "X-MS-Location: y", "Set-Cookie: b=2; path=/owa"]
                .map(String::from)
                .into(),
            body: Digest::of(b"<Answer/>"),
            framing: Some(AnswerFraming::Chunked),
            whole: true,
            kept: true,
            missed: vec![],
        };
        let exchange = Exchange {
            began: Order(0),
            ended: Order(9),
            verb: "POST".into(),
            target: "/EWS/Exchange.asmx".into(),
            dialled: None,
            status: 200,
            reason: "Success".into(),
            location: None,
            heads: Default::default(),
            cookies_of_others: vec![],
            answer: Some(Box::new(answer)),
        };
        let red: model::MailboxName = "red-1a2b3c".parse().unwrap();
        let arrival = Arrival {
            order: Order(1),
            time: 0,
            server: "cas2010-s1".parse().unwrap(),
            protocol: model::Protocol::Ews,
            verb: "POST".into(),
            target: "/EWS/Exchange.asmx".into(),
            host: None,
            sni: None,
            tls: true,
            starttls: false,
            peer: "127.0.0.6:11000".parse().unwrap(),
            identity: Identity {
                asked_by: Some(red.clone()),
                believed_to_be: Some(red),
                conveyed: Conveyed::Ticket,
            },
            head: HEAD.into(),
            body: Some(Digest::of(b"<Envelope/>")),
            connection: 1,
            request: 1,
            parent: None,
            case: Some(case.id.clone()),
            claimed_by: Claim::AskedBy,
            answer: None,
        };
        Made {
            seen: ClientLeg {
                dials: "mail.contoso.com".parse().unwrap(),
                reached: model::Reached::Typed,
                exchanges: vec![exchange],
                credential_prompts: 0,
                certificate_prompts: vec![],
                signed_in: model::case::SignsIn::None,
                computer: None,
                told: Told::Answered(vec![200]),
                note: None,
            },
            trace: Trace {
                topology: TopologyFiles::base(file).build(&BTreeMap::new()).unwrap().into(),
                positions: BTreeMap::new(),
                journals: vec![],
                arrivals: vec![Arc::new(arrival)],
                strangers: vec![],
                pings: vec![],
                interval: std::time::Duration::ZERO,
                outlived: vec![],
            },
            case,
        }
    }

    fn says(&self) -> Vec<String> {
        let (mut says, step) = (vec![], &self.case.steps[0]);
        compare(&step.then[0], &self.seen, &step.when.sends, &self.trace, &mut |_, what| says.push(what));
        says
    }
}

#[track_caller]
fn arriving(change: impl FnOnce(&mut Arrival), says: &str) {
    let mut made = Made::up();
    change(Arc::make_mut(&mut made.trace.arrivals[0]));
    assert_eq!(made.says(), [format!("POST /EWS/Exchange.asmx: {says}")]);
}

#[track_caller]
fn written(from: &str, to: &str, says: &str) {
    assert!(HEAD.contains(from), "{from}");
    arriving(|arrival| arrival.head = HEAD.replace(from, to), says);
}

#[track_caller]
fn answered(change: impl FnOnce(&mut RawAnswer), says: &str) {
    let mut made = Made::up();
    change(made.seen.exchanges[0].answer.as_mut().unwrap());
    assert_eq!(made.says(), [format!("POST /EWS/Exchange.asmx: of the answer {says}")]);
}

#[test]
fn what_arrived_as_sent_passes() {
    assert_eq!(Made::up().says(), [""; 0]);
}

#[test]
fn a_request_that_came_otherwise_is_noticed() {
    let doubled = "at cas2010-s1 of `X-A` there was X-A: 1 | X-A: 3 | x-a: 2, expected X-A: 1 | X-A: 2";
    written("SOAPAction: x", "SOAPAction: x\r\nX-A: 3", doubled);
    written("X-A: 1\r\n", "", "at cas2010-s1 of `X-A` there was x-a: 2, expected X-A: 1 | X-A: 2");
    written(
        "SOAPAction",
        "soapaction",
        "at cas2010-s1 of `SOAPAction` there was soapaction: x, expected SOAPAction: x",
    );
    let forged = "at cas2010-s1 `forged` stands in `X-B: Forged-1`, and may stand nowhere";
    written("SOAPAction: x", "SOAPAction: x\r\nX-B: Forged-1", forged);
    let both = "at cas2010-s1 the body's end was told by neither or by both lines, expected length";
    written("Content-Length: 11", "Content-Length: 11\r\nTransfer-Encoding: chunked", both);
    written(
        "POST /EWS",
        "POST /ews",
        "at cas2010-s1 it was `POST /ews/Exchange.asmx`, expected `POST /EWS/Exchange.asmx`",
    );
    let cut = "at cas2010-s1 the head is longer than is kept: nothing can be said of it";
    written("11\r\n\r\n", "11", cut);
    let short = "at cas2010-s1 the body was 10 bytes long, expected 11";
    arriving(|arrival| arrival.body = Some(Digest::of(b"<Envelope>")), short);
    let other = "at cas2010-s1 the body was another one of the same 11 bytes";
    arriving(|arrival| arrival.body = Some(Digest::of(b"<Envelopes>")), other);
}

#[test]
fn a_request_that_came_never_or_twice_is_noticed() {
    let mut made = Made::up();
    made.trace.arrivals.push(made.trace.arrivals[0].clone());
    assert_eq!(made.says(), ["POST /EWS/Exchange.asmx: it came to servers behind 2 times, expected 1"]);
    made.trace.arrivals.clear();
    assert_eq!(made.says(), ["POST /EWS/Exchange.asmx: it came to servers behind 0 times, expected 1"]);
}

/// A second request out of one is noticed though nobody signed it (rule X-SEC-6); a sign-in leg is no delivery.
#[test]
fn a_smuggled_request_counts_and_a_challenged_one_does_not() {
    let mut made = Made::up();
    let mut second = Arrival::clone(&made.trace.arrivals[0]);
    second.identity.believed_to_be = None;
    made.trace.arrivals.push(Arc::new(second.clone()));
    assert_eq!(made.says(), [""; 0]);
    second.head = "GET /EWS/smuggled HTTP/1.1\r\n\r\n".into();
    made.trace.arrivals[1] = Arc::new(second);
    assert!(made.says()[0].ends_with("it came to servers behind 2 times, expected 1"), "{:?}", made.says());
}

#[test]
fn an_answer_that_came_otherwise_is_noticed() {
    let phrase = "the status line was `200 OK`, expected `200 Success`";
    answered(|answer| answer.status = "200 OK".into(), phrase);
    let folded = "of `Set-Cookie` there was set-cookie: a=1; path=/, expected Set-Cookie: a=1; path=/ | Set-Cookie: b=2; path=/owa";
    answered(|answer| drop(answer.lines.remove(2)), folded);
    let lowered = "of `X-MS-Location` there was x-ms-location: y, expected X-MS-Location: y";
    answered(|answer| answer.lines[1] = "x-ms-location: y".into(), lowered);
    let encoded = "`gzip` stands in `Content-Encoding: gzip`, and may stand nowhere";
    answered(|answer| answer.lines.push("Content-Encoding: gzip".into()), encoded);
    answered(|answer| answer.body = Digest::of(b"<Answer>"), "the body was 8 bytes long, expected 9");
    let framed = "the body's end was told by length, expected chunked";
    answered(|answer| answer.framing = Some(AnswerFraming::Length), framed);
    answered(|answer| answer.whole = false, "the body broke off after 9 bytes, expected whole");
    answered(|answer| answer.kept = false, "the connection was closed, expected kept");
}

#[test]
fn what_a_client_waited_for_in_vain_is_noticed() {
    let mut made = Made::up();
    made.seen.exchanges[0].answer.as_mut().unwrap().missed.push("heard had not happened".into());
    assert_eq!(made.says(), ["POST /EWS/Exchange.asmx: heard had not happened"]);
}

/// The client holds two requests open at once, as the channels of Outlook Anywhere are.
#[test]
fn of_two_that_were_open_at_once_their_verbs_tell_whose_an_arrival_is() {
    let mut made = Made::up();
    let mut beside = made.seen.exchanges[0].clone();
    beside.verb = "RPC_OUT_DATA".into();
    made.seen.exchanges.push(beside.clone());
    let mut arrival = (*made.trace.arrivals[0]).clone();
    (arrival.order, arrival.verb) = (Order(2), "RPC_OUT_DATA".into());
    let arrival = Arc::new(arrival);
    let came = |exchange: &Exchange| came_of(exchange, &made.seen.exchanges, &arrival);
    assert!(!came(&made.seen.exchanges[0]) && came(&beside));
    // What a subject made of a verb is still told of the request that it was.
    let alone = &made.seen.exchanges[..1];
    assert!(came_of(&alone[0], alone, &arrival));
}

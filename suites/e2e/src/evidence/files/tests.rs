//! Evidence as text: bounded, told to be cut, and harmless to look at.

use model::case::{Reached, SignsIn, Told};
use model::journal::{Heads, Order};

use super::*;

fn exchange(received: &str) -> Exchange {
    Exchange {
        began: Order(3),
        ended: Order(7),
        verb: "GET".to_owned(),
        target: "/owa/".to_owned(),
        dialled: Some("127.0.0.10:443".parse().unwrap()),
        status: 302,
        reason: "Found".to_owned(),
        location: None,
        heads: Heads {
            sent: "GET /owa/ HTTP/1.1\r\nHost: mail.contoso.com\r\n\r\n".to_owned(),
            received: received.to_owned(),
        },
        cookies_of_others: vec![],
        answer: None,
    }
}

fn journal(received: &str) -> Journal {
    let leg = ClientLeg {
        dials: "mail.contoso.com".parse().unwrap(),
        reached: Reached::Typed,
        exchanges: vec![exchange(received)],
        credential_prompts: 1,
        certificate_prompts: vec![],
        signed_in: SignsIn::Forms,
        computer: None,
        told: Told::Failed(302),
        note: None,
    };
    Journal { legs: vec![leg] }
}

#[test]
fn the_shares_are_one_mebibyte() {
    assert_eq!(Share::ALL.iter().map(|share| share.bytes()).sum::<usize>(), 1024 * 1024);
}

#[test]
fn what_is_cut_says_so_and_stays_in_its_share() {
    let text = "twelve bytes\n".repeat(40_000);
    let cut = Share::Heads.cut(&text);
    assert!(cut.len() <= Share::Heads.bytes());
    let last = cut.lines().last().unwrap();
    assert!(last.ends_with("bytes more were cut: a case's evidence is at most 1 MiB)"), "{last}");
    assert_eq!(cut.lines().rev().nth(1), Some("twelve bytes"));

    let line = Share::Dns.cut(&text).lines().last().unwrap().to_owned();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert!(line["cut"].as_str().unwrap().starts_with("454"), "{line}");
}

#[test]
fn heads_are_printed_request_by_request_and_steer_no_terminal() {
    let text = heads(&[journal("HTTP/1.1 302 Found\r\nX: \u{1b}[2J\u{202e}evil\r\n\r\n")]);
    let wanted = "
== leg 1, mail.contoso.com, request 1 to 127.0.0.10:443: answered 302 Found; what it caused is in the ledger from 3 and before 7
> GET /owa/ HTTP/1.1
> Host: mail.contoso.com
< HTTP/1.1 302 Found
< X: \\u{1b}[2J\\u{202e}evil
";
    assert!(text.ends_with(wanted), "{text}");
}

#[test]
fn the_log_says_who_else_may_have_caused_its_lines() {
    let alone = log(&[], 0, "a line\n");
    assert_eq!(
        alone,
        "# what the subject wrote while this case ran; no other case ran in this lab then\na line\n"
    );
    let beside: Vec<String> = (0..15).map(|n| format!("case-{n}")).collect();
    let first = log(&beside, 7, "").lines().next().unwrap().to_owned();
    assert!(
        first.contains("at the same time ran case-0, case-1, ") && first.ends_with("and 3 more"),
        "{first}"
    );
    assert!(log(&beside, 7, "").contains("(7 bytes before these were cut"));
}

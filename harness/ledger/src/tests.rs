//! What a ledger keeps, whose it takes it for, and what it forgets.

use super::*;
use arrival::Draft;
use model::Protocol;

fn draft(asked: &[&str], connection: u64) -> Draft {
    Draft {
        server: "cas2010-s1".parse().unwrap(),
        protocol: Protocol::Owa,
        verb: "GET".into(),
        target: "/owa/".into(),
        host: None,
        sni: None,
        tls: true,
        starttls: false,
        peer: "127.0.0.1:5000".parse().unwrap(),
        asked: asked.iter().map(|form| (*form).to_owned()).collect(),
        believed_to_be: None,
        conveyed: Conveyed::Nothing,
        head: vec![],
        body: None,
        connection,
        request: 1,
        opener: None,
    }
}

fn leased() -> (Ledger, CaseId) {
    let ledger = Ledger::default();
    let case: CaseId = "coexistence/owa/red".parse().unwrap();
    let mailbox: MailboxName = "red-1a2b3c".parse().unwrap();
    ledger.lease(Lease { case: case.clone(), mailbox, forms: vec!["red-1a2b3c@contoso.com".into()] });
    (ledger, case)
}

#[test]
fn an_arrival_belongs_to_the_case_whose_lease_it_names_in_any_letter_case() {
    let (ledger, case) = leased();
    ledger.record(draft(&["RED-1A2B3C@Contoso.com"], 1));
    let of_case = ledger.of_case(&case);
    assert_eq!(of_case.len(), 1);
    assert_eq!(of_case[0].claimed_by, Claim::AskedBy);
}

#[test]
fn a_request_of_one_case_that_is_served_as_the_user_of_another_is_known_to_both() {
    let (ledger, case) = leased();
    let other: CaseId = "coexistence/owa/blue".parse().unwrap();
    // It carries nothing but came from a socket of the other case.
    let served = Draft {
        opener: Some(Opener::Client(other.clone())),
        believed_to_be: Some("red-1a2b3c".parse().unwrap()),
        ..draft(&[], 1)
    };
    ledger.record(served.clone());
    ledger.record(Draft { opener: Some(Opener::Client(case.clone())), ..served });
    assert_eq!(ledger.served_as_users_of(&case).len(), 1);
    assert_eq!(ledger.served_as_users_of(&case)[0].case, Some(other.clone()));
    assert!(ledger.served_as_users_of(&other).is_empty());
}

#[test]
fn an_announced_socket_is_believed_before_any_name() {
    let (ledger, case) = leased();
    let other: CaseId = "coexistence/owa/blue".parse().unwrap();
    let mut arrival = draft(&["red-1a2b3c@contoso.com"], 1);
    arrival.opener = Some(Opener::Client(other.clone()));
    ledger.record(arrival);
    assert!(ledger.of_case(&case).is_empty());
    assert_eq!(ledger.of_case(&other)[0].claimed_by, Claim::Socket);
}

#[test]
fn a_nameless_arrival_goes_with_its_connection_only_while_one_case_asked_on_it() {
    let (ledger, case) = leased();
    ledger.record(draft(&[], 7));
    ledger.record(draft(&["red-1a2b3c@contoso.com"], 7));
    assert_eq!(ledger.of_case(&case).len(), 2);
    let mut stranger = draft(&[], 7);
    stranger.opener = Some(Opener::Client("coexistence/owa/blue".parse().unwrap()));
    ledger.record(stranger);
    assert_eq!(ledger.of_case(&case).len(), 1);
}

#[test]
fn a_child_belongs_to_its_parents_case() {
    let (ledger, case) = leased();
    let parent = ledger.record(draft(&["red-1a2b3c@contoso.com"], 1));
    let mut child = draft(&[], 2);
    child.opener = Some(Opener::Arrival(parent));
    ledger.record(child);
    let of_case = ledger.of_case(&case);
    assert_eq!(of_case.len(), 2);
    assert_eq!(of_case[1].parent, Some(parent));
}

#[test]
fn what_was_done_because_of_a_nameless_arrival_goes_with_it() {
    let (ledger, case) = leased();
    ledger.record(draft(&["red-1a2b3c@contoso.com"], 7));
    // Signed in for the connection's life, the second request names nobody.
    let nameless = ledger.record(draft(&[], 7));
    let mut child = draft(&["red-1a2b3c@contoso.com"], 8);
    child.opener = Some(Opener::Arrival(nameless));
    ledger.record(child);
    let claims: Vec<Claim> = ledger.of_case(&case).iter().map(|arrival| arrival.claimed_by).collect();
    assert_eq!(claims, [Claim::AskedBy, Claim::Connection, Claim::Parent]);
}

#[test]
fn a_ledger_that_keeps_so_many_forgets_the_oldest_and_numbers_go_on() {
    let ledger = Ledger::keeping(3);
    let orders: Vec<Order> = (0..5).map(|at| ledger.record(draft(&[], at))).collect();
    let kept = |all: Vec<Arc<Arrival>>| all.iter().map(|arrival| arrival.order.0).collect::<Vec<_>>();
    assert_eq!(kept(ledger.all()), [2, 3, 4]);
    assert_eq!(kept(ledger.between(Order(0), Order(4))), [2, 3]);
    assert_eq!(kept(ledger.between(Order(0), Order(1))), [0; 0]);
    assert_eq!(kept(ledger.between(Order(3), ledger.mark())), [3, 4]);
    // What is answered late is told of the one that it belongs to, or of nobody any more.
    let answer = |status| Answered { status, substatus: 0, win32: 0, sent: 1, received: 1, took: 1 };
    ledger.answered(orders[1], answer(401));
    ledger.answered(orders[3], answer(200));
    let statuses: Vec<_> = ledger.all().iter().map(|it| it.answer.map(|answer| answer.status)).collect();
    assert_eq!(statuses, [None, Some(200), None]);
    let peer: SocketAddr = "127.0.0.1:53".parse().unwrap();
    (0..5).for_each(|at| ledger.record_query(View::External, at.to_string(), "A".into(), peer, 0));
    let names: Vec<String> = ledger.queries().into_iter().map(|query| query.name).collect();
    assert_eq!(names, ["2", "3", "4"]);
    // One that was told nothing keeps all.
    let whole = Ledger::default();
    (0..5).for_each(|at| {
        whole.record(draft(&[], at));
    });
    assert_eq!(kept(whole.all()), [0, 1, 2, 3, 4]);
}

#[test]
fn a_ping_on_a_users_connection_is_not_the_users() {
    let (ledger, case) = leased();
    ledger.record(draft(&["red-1a2b3c@contoso.com"], 7));
    let mut ping = draft(&[], 7);
    ping.target = "/OWA/healthcheck.htm?round=1".into();
    ledger.record(ping);
    assert_eq!(ledger.of_case(&case).len(), 1);
}

//! One mailbox and one server, asked without a network: what a client sends, byte by byte, and what it hears.

use std::sync::Mutex;

use super::*;
use crate::mailbox::{Message, Owner};

const GREEN: &str = "7d0e0000-0000-4000-8000-000000000001";
const DN: &str = "/o=Contoso/ou=Lab/cn=Recipients/cn=green";

fn green() -> Entry {
    entry("green", DN)
}

fn entry(name: &str, dn: &str) -> Entry {
    Entry {
        address: format!("{name}@contoso.com"),
        display_name: name.to_uppercase(),
        legacy_dn: dn.to_owned(),
    }
}

struct Book;

impl AddressBook for Book {
    fn find(&self, name: &str) -> Option<Entry> {
        let red = entry("red", "/o=Contoso/ou=Lab/cn=Recipients/cn=red");
        [green(), red]
            .into_iter()
            .find(|entry| [&entry.address, &entry.legacy_dn].into_iter().any(|own| own == name))
    }
}

/// A server, and a client that keeps its cookies.
struct Lab {
    sessions: Sessions,
    inbox: Arc<Inbox>,
    cookies: Mutex<Vec<String>>,
}

impl Lab {
    fn new() -> Lab {
        let owner = Owner { address: "green@contoso.com".to_owned(), guid: GREEN.to_owned() };
        let inbox = Arc::new(Inbox::new(owner, vec![message("Welcome")]));
        Lab { sessions: Sessions::default(), inbox, cookies: Mutex::default() }
    }

    fn place(&self) -> Place<'_> {
        Place {
            build: "15.0.847.32".parse().unwrap(),
            owner: green(),
            inbox: self.inbox.clone(),
            domain: "contoso.com",
            sessions: &self.sessions,
            pending_period: Duration::from_secs(15),
        }
    }

    fn request(&self, path: &str, kind: &str, body: &[u8]) -> Request {
        let mut request = http::Request::builder()
            .method("POST")
            .uri(path)
            .header("content-type", "application/mapi-http")
            .header("x-requesttype", kind)
            .header("x-requestid", "{1}:7")
            .header("x-clientinfo", "{2}-5");
        for cookie in self.cookies.lock().unwrap().iter() {
            request = request.header("cookie", cookie);
        }
        request.body(Bytes::copy_from_slice(body)).unwrap()
    }

    fn ask(&self, request: &Request) -> Answer {
        let answer = serve(&self.place(), &Book, request);
        let set = answer.headers().get_all("set-cookie").iter();
        let set: Vec<String> =
            set.map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned()).collect();
        if !set.is_empty() {
            *self.cookies.lock().unwrap() = set;
        }
        answer
    }

    /// X-ResponseCode, and the body with its meta-tags.
    async fn told(&self, path: &str, kind: &str, body: &[u8]) -> (String, Vec<u8>) {
        let answer = self.ask(&self.request(path, kind, body));
        (code(&answer), heard(answer).await)
    }

    async fn mail(&self, kind: &str, body: &[u8]) -> (String, Vec<u8>) {
        self.told("/mapi/emsmdb/", kind, body).await
    }

    async fn book(&self, kind: &str, body: &[u8]) -> (String, Vec<u8>) {
        self.told("/mapi/nspi/", kind, body).await
    }
}

fn message(subject: &str) -> Message {
    Message { subject: subject.to_owned(), from: "a@contoso.com".to_owned(), text: String::new() }
}

fn code(answer: &Answer) -> String {
    answer.headers()["x-responsecode"].to_str().unwrap().to_owned()
}

async fn heard(answer: Answer) -> Vec<u8> {
    match answer.into_body() {
        Body::Whole(whole) => whole.to_vec(),
        Body::Pieces { mut pieces, work } => {
            let mut all = vec![];
            let read = async {
                while let Some(piece) = pieces.recv().await {
                    all.extend_from_slice(&piece);
                }
            };
            tokio::join!(work, read);
            all
        }
    }
}

/// The binary body behind the lines of a whole answer.
fn body(heard: &[u8]) -> &[u8] {
    assert!(heard.starts_with(b"PROCESSING\r\n"), "{}", String::from_utf8_lossy(heard));
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    &heard[end + 4..]
}

/// DN, Flags, DefaultCodePage, LcidSort, LcidString, AuxiliaryBufferSize.
fn connect(dn: &str) -> Vec<u8> {
    [dn.as_bytes(), &[0], &[0; 20]].concat()
}

/// Flags, RopBufferSize, RopBuffer, MaxRopOut, AuxiliaryBufferSize.
fn execute(buffer: &[u8], most: u32) -> Vec<u8> {
    let size = u32::try_from(buffer.len()).unwrap().to_le_bytes();
    [&[0; 4], &size[..], buffer, &most.to_le_bytes(), &[0; 4]].concat()
}

/// RopLogon in an extended buffer.
fn log_on() -> Vec<u8> {
    let dn = [DN.as_bytes(), &[0]].concat();
    let mut rop = vec![0xFE, 0, 0, 1, 0x0C, 4, 0, 1, 0, 0, 0, 0, u8::try_from(dn.len()).unwrap(), 0];
    rop.extend(dn);
    let mut payload = u16::try_from(rop.len() + 2).unwrap().to_le_bytes().to_vec();
    payload.extend(rop);
    payload.extend([0xFF; 4]);
    let size = u16::try_from(payload.len()).unwrap().to_le_bytes();
    [&[0, 0, 4, 0], &size[..], &size[..], &payload[..]].concat()
}

#[tokio::test(start_paused = true)]
async fn a_session_is_connected_used_and_left() {
    let lab = Lab::new();
    let (code, heard) = lab.mail("Connect", &connect(DN)).await;
    assert_eq!(code, "0");
    let name: Vec<u8> = "GREEN\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wanted = [
        &[0; 8][..],
        &60_000_u32.to_le_bytes(),
        &6_u32.to_le_bytes(),
        &10_000_u32.to_le_bytes(),
        &[0],
        &name,
        &[0; 4],
    ];
    assert_eq!(body(&heard), wanted.concat());
    let (code, heard) = lab.mail("Execute", &execute(&log_on(), 0x8008)).await;
    assert_eq!(code, "0");
    // StatusCode, ErrorCode, Flags; then the size of the buffer that holds the answer to RopLogon.
    let answer = body(&heard);
    assert_eq!(answer[..12], [0; 12]);
    assert_eq!(answer[16 + 8 + 2..][..6], [0xFE, 0, 0, 0, 0, 0]);
    assert_eq!(lab.mail("PING", &[]).await.0, "0");
    let (code, heard) = lab.mail("Disconnect", &[0; 4]).await;
    assert_eq!((code.as_str(), body(&heard)), ("0", &[0; 12][..]));
    assert_eq!(lab.mail("Execute", &execute(&log_on(), 0x8008)).await.0, "10");
    assert_eq!(lab.sessions.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_repeats_what_its_request_says_of_itself_and_sets_each_cookie_on_a_line() {
    let lab = Lab::new();
    let answer = lab.ask(&lab.request(
        "/MAPI/emsmdb?MailboxId=7D0E0000-0000-4000-8000-000000000001@contoso.com",
        "Connect",
        &connect(DN),
    ));
    let line = |name: &str| answer.headers()[name].to_str().unwrap();
    for (name, is) in [
        ("content-type", "application/mapi-http"),
        ("x-requesttype", "Connect"),
        ("x-requestid", "{1}:7"),
        ("x-clientinfo", "{2}-5"),
        ("x-pendingperiod", "15000"),
        ("x-expirationinfo", "900000"),
        ("x-serverapplication", "Exchange/15.00.0847.032"),
        ("cache-control", "private"),
    ] {
        assert_eq!(line(name), is);
    }
    let set: Vec<_> =
        answer.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    assert!(
        set[0].starts_with("MapiContext=MAPIAAAA") && set[0].ends_with("; path=/mapi/; secure; HttpOnly")
    );
    assert!(set[1].starts_with("MapiSequence=471-") && set.len() == 2, "{set:?}");
}

#[tokio::test(start_paused = true)]
async fn the_sequence_moves_on_with_each_turn_and_an_old_one_is_refused() {
    let lab = Lab::new();
    lab.mail("Connect", &connect(DN)).await;
    let old = lab.cookies.lock().unwrap().clone();
    assert_eq!(lab.mail("Execute", &execute(&log_on(), 0x8008)).await.0, "0");
    let new = lab.cookies.lock().unwrap().clone();
    assert!(old[0] == new[0] && old[1] != new[1]);
    // What another client of the session would bring; a wait needs no turn.
    *lab.cookies.lock().unwrap() = old;
    assert_eq!(lab.mail("Execute", &execute(&log_on(), 0x8008)).await.0, "15");
    assert_eq!(lab.mail("PING", &[]).await.0, "0");
    // On one line, in another order, between others: still the same cookies.
    *lab.cookies.lock().unwrap() = vec![format!("a=b; {};{} ; c", new[1], new[0])];
    assert_eq!(lab.mail("Execute", &execute(&log_on(), 0x8008)).await.0, "0");
    // Joined by a comma they are others.
    let now = lab.cookies.lock().unwrap().clone();
    *lab.cookies.lock().unwrap() = vec![now.join(", ")];
    assert_eq!(lab.mail("Execute", &execute(&log_on(), 0x8008)).await.0, "10");
}

#[tokio::test(start_paused = true)]
async fn a_wait_says_every_period_that_it_is_pending_and_ends_when_something_happens() {
    let lab = Lab::new();
    lab.mail("Connect", &connect(DN)).await;
    let answer = lab.ask(&lab.request("/mapi/emsmdb/", "NotificationWait", &[0; 8]));
    let Body::Pieces { mut pieces, work } = answer.into_body() else { panic!() };
    let reading = async {
        assert_eq!(pieces.recv().await.unwrap(), PROCESSING);
        for _ in 0..3 {
            let before = clock::now();
            assert_eq!(pieces.recv().await.unwrap(), PENDING);
            assert_eq!(clock::now() - before, Duration::from_secs(15));
        }
        lab.inbox.deliver(message("News")).unwrap();
        let done = pieces.recv().await.unwrap();
        assert!(done.starts_with(b"DONE\r\nX-ResponseCode: 0\r\nX-ElapsedTime: 45000\r\n"));
        assert_eq!(done[done.len() - 16..], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(pieces.recv().await, None);
    };
    tokio::join!(work, reading);
    // What was not looked at since is told at once.
    let (_, heard) = lab.mail("NotificationWait", &[0; 8]).await;
    assert_eq!(body(&heard)[8], 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_after_five_minutes_and_with_its_session() {
    let lab = Lab::new();
    lab.mail("Connect", &connect(DN)).await;
    let began = clock::now();
    let (_, heard) = lab.mail("NotificationWait", &[0; 8]).await;
    assert_eq!(clock::now() - began, Duration::from_secs(300));
    assert_eq!(String::from_utf8_lossy(&heard).matches("PENDING\r\n").count(), 19);
    let end = heard.len() - 16;
    assert_eq!(heard[end..], [0; 16]);
    let waits = lab.ask(&lab.request("/mapi/emsmdb/", "NotificationWait", &[0; 8]));
    let began = clock::now();
    let (heard, left) = tokio::join!(super::tests::heard(waits), lab.mail("Disconnect", &[0; 4]));
    assert_eq!((left.0.as_str(), clock::now() - began), ("0", Duration::ZERO));
    assert!(String::from_utf8_lossy(&heard).contains("DONE"));
}

#[tokio::test(start_paused = true)]
async fn the_address_book_resolves_names_and_dns() {
    let lab = Lab::new();
    let state = [&[0xFF][..], &[0; 36]].concat();
    let none = [0; 4];
    let bound = lab.book("Bind", &[&[0; 4], &state[..], &none].concat()).await;
    assert_eq!(bound.0, "0");
    let text = |text: &str| text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let names = [
        &[0; 4][..],
        &state,
        &[0xFF, 2, 0, 0, 0, 0x1F, 0, 0xFE, 0x39, 0x1F, 0, 3, 0x30],
        &[0xFF, 2, 0, 0, 0],
        &text("=SMTP:green@contoso.com"),
        &text("nobody"),
        &none,
    ];
    let (code, heard) = lab.book("ResolveNames", &names.concat()).await;
    assert_eq!(code, "0");
    let wanted = [
        &[0; 8][..],
        &[0xB0, 4, 0, 0],
        &[0xFF, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
        &[0xFF, 2, 0, 0, 0, 0x1F, 0, 0xFE, 0x39, 0x1F, 0, 3, 0x30],
        &[1, 0, 0, 0],
        &[0, 0xFF],
        &text("green@contoso.com"),
        &[0xFF],
        &text(DN),
        &none,
    ];
    assert_eq!(body(&heard), wanted.concat());
    let dns = [&[0; 4][..], &[0xFF, 2, 0, 0, 0], DN.as_bytes(), &[0], b"/o=None\0", &none];
    let (_, heard) = lab.book("DNToMId", &dns.concat()).await;
    let ids = &body(&heard)[8..];
    assert_eq!((ids[..5].to_vec(), ids[9..].to_vec()), (vec![0xFF, 2, 0, 0, 0], vec![0; 8]));
    assert!(u32::from_le_bytes(ids[5..9].try_into().unwrap()) >= 0x10);
    let (_, heard) = lab.book("GetSpecialTable", &[&[0; 4], &state[..], &[0], &none].concat()).await;
    assert_eq!(body(&heard)[12..18], [0, 0xFF, 1, 0, 0, 0]);
    // What is known of the protocol and not done here is an error of it.
    let (code, heard) = lab.book("QueryRows", &[]).await;
    assert_eq!((code.as_str(), &body(&heard)[4..8]), ("0", &0x8004_0102_u32.to_le_bytes()[..]));
    let (_, heard) = lab.book("Unbind", &[0; 8]).await;
    assert_eq!(body(&heard), [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(lab.book("DNToMId", &[&[0; 5], &none[..]].concat()).await.0, "10");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_served_says_why_by_its_number() {
    let lab = Lab::new();
    let of = |change: &dyn Fn(&mut Request)| {
        let mut request = lab.request("/mapi/emsmdb/", "Connect", &connect(DN));
        change(&mut request);
        let answer = serve(&lab.place(), &Book, &request);
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].as_bytes()),
            (200, &b"text/html"[..])
        );
        code(&answer)
    };
    let without = |name: &'static str| move |request: &mut Request| drop(request.headers_mut().remove(name));
    assert_eq!(of(&|request| *request.method_mut() = Method::GET), "2");
    assert_eq!(of(&without("content-type")), "4");
    assert_eq!(of(&without("x-requesttype")), "7");
    assert_eq!(of(&without("x-requestid")), "7");
    assert_eq!(
        of(&|request| drop(request.headers_mut().insert("x-requesttype", "Bind".parse().unwrap()))),
        "5"
    );
    assert_eq!(
        of(&|request| drop(request.headers_mut().insert("x-requesttype", "Execute".parse().unwrap()))),
        "12"
    );
    assert_eq!(
        of(&|request| *request.uri_mut() = "/mapi/emsmdb/?MailboxId=other@contoso.com".parse().unwrap()),
        "11"
    );
    for (kind, body) in
        [("Execute", execute(&log_on(), 9)), ("NotificationWait", vec![0; 8]), ("PING", vec![])]
    {
        assert_eq!(lab.mail(kind, &body).await.0, "13", "{kind}");
    }
    let elsewhere = serve(&lab.place(), &Book, &lab.request("/mapi/other", "Connect", &[]));
    assert_eq!(elsewhere.status(), 404);
    // Somebody who is nobody, and somebody else: the session is refused inside a successful answer.
    for (dn, error) in [("/o=None", 0x3EB_u32), ("/o=Contoso/ou=Lab/cn=Recipients/cn=red", 0x8007_0005)] {
        let (code, heard) = lab.mail("Connect", &connect(dn)).await;
        assert_eq!((code.as_str(), &body(&heard)[4..8]), ("0", &error.to_le_bytes()[..]));
    }
    assert_eq!(lab.sessions.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_its_owners_and_its_endpoints_alone() {
    let lab = Lab::new();
    lab.mail("Connect", &connect(DN)).await;
    assert_eq!(lab.book("Unbind", &[0; 8]).await.0, "10");
    let request = lab.request("/mapi/emsmdb/", "PING", &[]);
    let owner = Owner { address: "red@contoso.com".to_owned(), guid: "other".to_owned() };
    let red = Place { inbox: Arc::new(Inbox::new(owner, vec![])), ..lab.place() };
    assert_eq!(code(&serve(&red, &Book, &request)), "11");
}

#[tokio::test(start_paused = true)]
async fn of_too_many_sessions_the_oldest_goes_and_its_wait_ends() {
    let lab = Lab::new();
    lab.mail("Connect", &connect(DN)).await;
    let waits = lab.ask(&lab.request("/mapi/emsmdb/", "NotificationWait", &[0; 8]));
    for _ in 0..10_000 {
        lab.ask(&lab.request("/mapi/nspi/", "Bind", &[0; 9]));
    }
    assert_eq!(lab.sessions.len(), 10_000);
    let began = clock::now();
    heard(waits).await;
    assert_eq!(clock::now(), began);
}

#[tokio::test(start_paused = true)]
async fn hostile_bodies_are_refused_and_cost_nothing() {
    let lab = Lab::new();
    lab.mail("Connect", &connect(DN)).await;
    let huge = u32::MAX.to_le_bytes();
    let long = [vec![b'x'; 100_000], vec![0; 21]].concat();
    for (kind, body) in [
        ("Connect", vec![]),
        ("Connect", vec![b'x'; 10]),
        ("Connect", long),
        ("Connect", [connect(DN), vec![1]].concat()),
        ("Connect", [DN.as_bytes(), &[0; 17], &huge].concat()),
        ("Execute", [&[0; 4], &huge[..], &[0; 8]].concat()),
        ("Execute", [execute(&log_on(), 0x8008), vec![0]].concat()),
        ("NotificationWait", vec![0; 3]),
        ("Disconnect", vec![]),
    ] {
        assert_eq!(lab.mail(kind, &body).await.0, "12", "{kind}");
    }
    // Of a right form outside and a wrong one within, ecRpcFormat.
    let mut within = log_on();
    within[10] = 0x77;
    for buffer in [vec![], vec![0; 8], within, log_on()[..20].to_vec()] {
        let (code, heard) = lab.mail("Execute", &execute(&buffer, 0x8008)).await;
        assert_eq!((code.as_str(), &body(&heard)[4..8]), ("0", &0x4B6_u32.to_le_bytes()[..]));
    }
    // An answer that has no room.
    let (_, heard) = lab.mail("Execute", &execute(&log_on(), 20)).await;
    assert_eq!(body(&heard)[4..8], 0x47D_u32.to_le_bytes());
    lab.book("Bind", &[0; 9]).await;
    let state = [&[0xFF][..], &[0; 36]].concat();
    for (kind, body) in [
        ("Bind", vec![0xFF; 20]),
        ("ResolveNames", [&[0; 4], &state[..], &[0xFF], &huge].concat()),
        ("ResolveNames", [&[0; 4], &state[..], &[0, 0xFF, 1, 0, 0, 0], b"a\0b\0"].concat()),
        ("DNToMId", [&[0; 4][..], &[0xFF, 1, 0, 0, 0], &[b'x'; 2000], &[0; 5]].concat()),
        ("GetSpecialTable", [&[0; 4], &state[..], &[1, 0, 0]].concat()),
    ] {
        assert_eq!(lab.book(kind, &body).await.0, "12", "{kind}");
    }
}

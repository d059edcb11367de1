//! MAPI over HTTP: requests in a session of either endpoint. The first byte says which request, the rest is its body.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use libfuzzer_sys::fuzz_target;
use protocols::answer::Answer;
use protocols::mailbox::{Message, Owner};
use protocols::mapi::{AddressBook, Entry, Place, Sessions, serve};
use protocols::msrpc::Inbox;

const KINDS: [&str; 9] = [
    "Connect", "Execute", "NotificationWait", "Disconnect", "PING", "Bind", "ResolveNames", "DNToMId", "GetSpecialTable",
];
const GUID: &str = "7d0e0000-0000-4000-8000-000000000001";
const DN: &str = "/o=a";

fn entry() -> Entry {
    Entry { address: "a@b.c".to_owned(), display_name: "A".to_owned(), legacy_dn: DN.to_owned() }
}

struct Book;

impl AddressBook for Book {
    fn find(&self, name: &str) -> Option<Entry> {
        [DN, "a@b.c"].contains(&name).then(entry)
    }
}

fn asked(kind: &str, cookies: &[String], body: &[u8]) -> Request<Bytes> {
    let mail = KINDS[..5].contains(&kind);
    let mut request = Request::builder()
        .method("POST")
        .uri(if mail { "/mapi/emsmdb/" } else { "/mapi/nspi/" })
        .header("content-type", "application/mapi-http")
        .header("x-requesttype", kind)
        .header("x-requestid", "1");
    for cookie in cookies {
        request = request.header("cookie", cookie);
    }
    request.body(Bytes::copy_from_slice(body)).expect("its head is right")
}

fn cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers().get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    lines.map(|line| line.split(';').next().unwrap_or_default().to_owned()).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, body)) = bytes.split_first() else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let owner = Owner { address: "a@b.c".to_owned(), guid: GUID.to_owned() };
    let message = Message { subject: "s".to_owned(), from: "a@b.c".to_owned(), text: "t".to_owned() };
    let sessions = Sessions::default();
    let place = Place {
        build: model::Build { major: 15, minor: 0, build: 847, revision: 32 },
        owner: entry(),
        inbox: Arc::new(Inbox::new(owner, vec![message])),
        domain: "b.c",
        sessions: &sessions,
        pending_period: Duration::from_secs(15),
    };
    let first: (&str, &[u8]) = match KINDS[..5].contains(&kind) {
        true => ("Connect", b"/o=a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        false => ("Bind", &[0; 9]),
    };
    let session = cookies(&serve(&place, &Book, &asked(first.0, &[], first.1)));
    assert_eq!(session.len(), 2);
    assert_eq!(serve(&place, &Book, &asked(kind, &session, body)).status(), 200);
});

//! What is no LDAP ends the connection, and nothing else.

use proptest::prelude::{Strategy, any, prop};
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// A notice of disconnection with a protocol error, then the end (RFC 4511, section 4.4.1).
async fn refuses(bytes: &[u8]) {
    let door = door(&directory());
    let mut client = Client::of(&door);
    client.stream.write_all(bytes).await.unwrap();
    let Some(Told::Done { tag: 0x78, code: 2, .. }) = client.next().await else {
        panic!("no notice of disconnection")
    };
    assert_eq!(client.next().await, None);
    assert_eq!(client.served.await.unwrap().unwrap(), End::Closed);
}

#[tokio::test]
async fn garbage_is_refused_and_closed() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        // No definite length; more than a request may hold; a number that is none; no such request; more than belongs there.
        &[0x30, 0x80],
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        &[0x30, 0x05, 0x02, 0x01, 0x00, 0x42, 0x00],
        &[0x30, 0x05, 0x02, 0x01, 0x01, 0x7f, 0x00],
        &[0x30, 0x07, 0x02, 0x01, 0x01, 0x42, 0x00, 0x05, 0x00],
        &[0x30, 0x03, 0x02, 0x01, 0x01],
    ] {
        refuses(bytes).await;
    }
}

#[tokio::test]
async fn a_filter_that_is_too_deep_or_too_large_is_refused() {
    let search = |filter: Vec<u8>| {
        let mut message = Writer::default();
        message.within(SEQUENCE, |message| {
            message.number(INTEGER, 1);
            let mut search = Writer::default();
            Wanted::default().write(&mut search);
            // The filter and the attributes are written anew.
            let head = search.written();
            let head = &head[..head.len() - 2 - "objectClass".len() - 2 - 5];
            let body = [head, &filter, &[0x30, 0]].concat();
            message.octets(0x63, &body);
        });
        message.written()
    };
    let nested = |depth: usize| {
        (0..depth).fold(vec![0x87, 2, b'c', b'n'], |inner, _| {
            let mut outer = Writer::default();
            outer.octets(0xa2, &inner);
            outer.written()
        })
    };
    refuses(&search(nested(40))).await;
    refuses(&search(nested(10_000))).await;
    let mut many = Writer::default();
    many.octets(0xa0, &[0x87, 2, b'c', b'n'].repeat(2000));
    refuses(&search(many.written())).await;
    // One that is not is read: nobody may search, which is another answer.
    let door = door(&directory());
    let mut client = Client::of(&door);
    client.stream.write_all(&search(nested(10))).await.unwrap();
    assert_eq!(client.code().await, 1);
}

#[tokio::test]
async fn what_comes_in_clear_after_start_tls_is_never_read() {
    let door = door(&directory());
    let mut client = Client::of(&door);
    let mut both = vec![0x30, 0x1d, 2, 1, 1, 0x77, 0x18, 0x80, 0x16];
    both.extend(b"1.3.6.1.4.1.1466.20037");
    both.extend([0x30, 5, 2, 1, 2, 0x42, 0]);
    client.stream.write_all(&both).await.unwrap();
    assert_eq!(client.code().await, 0);
    assert_eq!(client.served.await.unwrap().unwrap(), End::Closed);
}

/// What a client sends, with some bytes changed, cut or added.
fn bent() -> impl Strategy<Value = Vec<u8>> {
    let whole = {
        let mut message = Writer::default();
        message.within(SEQUENCE, |message| {
            message.number(INTEGER, 1);
            let wanted = Wanted { filter: "cn=red", page: Some((2, b"")), ..Wanted::default() };
            message.within(0x63, |search| wanted.write(search));
            wanted.controls(message);
        });
        message.written()
    };
    let length = whole.len();
    (
        prop::collection::vec((0..length, any::<u8>()), 0..6),
        0..=length,
        prop::collection::vec(any::<u8>(), 0..8),
    )
        .prop_map(move |(changes, cut, more)| {
            let mut bytes = whole.clone();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(cut.max(length / 2));
            bytes.extend(more);
            bytes
        })
}

#[test]
fn whatever_comes_the_connection_ends_without_a_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let door = door(&directory());
    let any_bytes = prop::collection::vec(any::<u8>(), 0..200);
    let mut runner = TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    let bytes = proptest::prop_oneof![any_bytes, bent()];
    runner
        .run(&bytes, |bytes| {
            runtime.block_on(async {
                let mut client = Client::of(&door);
                client.stream.write_all(&bytes).await.unwrap();
                client.stream.shutdown().await.unwrap();
                let mut told = vec![];
                client.stream.read_to_end(&mut told).await.unwrap();
                client.served.await.unwrap().unwrap();
            });
            Ok(())
        })
        .unwrap();
}

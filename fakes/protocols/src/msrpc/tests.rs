//! The codec against published bytes, and client against server over a pipe in memory.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::emsmdb::Connect;
use super::ndr::{Reader, Writer};
use super::pdu::{ASYNC_EMSMDB, Bind, EMSMDB, Fragment, NDR, Offer, Pdu};
use super::rop::{self, Ask, Told};
use super::*;
use crate::mailbox::{Mailbox, Message, Owner, Unreachable};

const DN: &str = "/o=contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=purple";
const GUID: &str = "80d07a09-25c4-4a4c-9b1f-0123456789ab";

struct OneMailbox {
    inbox: Arc<Inbox>,
    asked: Mutex<Vec<String>>,
}

impl Store for OneMailbox {
    async fn open(&self, user_dn: &str) -> Option<Arc<Inbox>> {
        self.asked.lock().unwrap().push(user_dn.to_owned());
        user_dn.eq_ignore_ascii_case(DN).then(|| self.inbox.clone())
    }
}

fn store() -> Arc<OneMailbox> {
    let owner = Owner { address: "purple@contoso.com".to_owned(), guid: GUID.to_owned() };
    Arc::new(OneMailbox {
        inbox: Arc::new(Inbox::new(owner, vec![text("Welcome", "Hello")])),
        asked: Mutex::default(),
    })
}

fn text(subject: &str, text: &str) -> Message {
    Message { subject: subject.to_owned(), from: "red@contoso.com".to_owned(), text: text.to_owned() }
}

/// A client's end of a served connection, and how serving it ended.
fn served(store: &Arc<OneMailbox>) -> (DuplexStream, tokio::task::JoinHandle<Result<(), RpcError>>) {
    let (client, server) = duplex(1000);
    let store = store.clone();
    (client, tokio::spawn(async move { serve(server, &*store).await }))
}

/// [C706] 12.6.4.3 laid out by hand: header, sizes, two contexts; 12.6.4.4 for the answer.
#[test]
fn a_bind_lies_on_the_wire_as_c706_draws_it() {
    let mut wire = vec![5, 0, 11, 3, 0x10, 0, 0, 0, 116, 0, 0, 0, 1, 0, 0, 0];
    wire.extend([0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0, 2, 0, 0, 0]);
    let interfaces = [
        (0, "00dbf1a447ca6710b31f00dd010662da", [0, 0, 81, 0]),
        (1, "4a57615272456e20b2686b199213b4e4", [0, 0, 1, 0]),
    ];
    for (id, uuid, version) in interfaces {
        wire.extend([id, 0, 1, 0]);
        wire.extend(hex(uuid));
        wire.extend(version);
        wire.extend(hex("045d888aeb1cc9119fe808002b10486002000000"));
    }
    let offer = |id, interface| Offer { id, interface, encodings: vec![NDR] };
    let contexts = vec![offer(0, EMSMDB), offer(1, ASYNC_EMSMDB)];
    let pdu = Pdu::Bind(Bind { max_send: 5840, max_receive: 5840, contexts });
    let bind = Fragment { call: 1, first: true, last: true, pdu };
    assert_eq!(bind.encode(), wire);
    assert_eq!(Fragment::decode(&Bytes::from(wire)).unwrap(), bind);
}

/// The example of [MS-OXCPRPT], "Setting Properties".
#[test]
fn the_published_set_properties_is_understood() {
    let published = hex("0a0000240002001f003d0000001f001d0e480065006c006c006f00200057006f0072006c0064000000");
    let values = vec![(0x003D_001F, String::new()), (0x0E1D_001F, "Hello World".to_owned())];
    let ask = Ask::SetProperties { input: 0, values };
    assert_eq!(rop_bytes(&ask), published);
    assert_eq!(Ask::decode_all(&published).unwrap(), [ask]);
}

/// [MS-OXCTABL] 4.5.3.1 and [MS-OXCMSG] 4.8.1.
#[test]
fn query_rows_and_save_are_the_published_ones() {
    assert_eq!(rop_bytes(&Ask::QueryRows { input: 0, forward: true, rows: 50 }), hex("15000000013200"));
    assert_eq!(rop_bytes(&Ask::SaveChanges { response: 0, input: 1 }), hex("0c0000010a"));
}

/// [MS-OXORULE] 4.2.2: the answer to RopSetColumns, and the head of one to RopQueryRows with a row of one string.
#[test]
fn published_table_answers_are_understood() {
    let set = hex("12010000000000");
    let told = Told::decode(&mut Reader::new(&set, "test"), 0).unwrap();
    assert_eq!(told, Told::SetColumns { input: 1 });
    let rows = hex("150100000000020100005000720058000000");
    let told = Told::decode(&mut Reader::new(&rows, "test"), 1).unwrap();
    let row = vec![Ok("PrX".to_owned())];
    assert_eq!(told, Told::QueryRows { input: 1, origin: 2, rows: vec![row] });
}

/// [C706] 14.3.4: a string is its size, offset 0, its length with the NUL, its bytes; what follows is aligned.
#[test]
fn a_connect_starts_with_the_dn_as_a_varying_string() {
    let stub = Connect { user_dn: "/o=First".to_owned() }.encode();
    assert_eq!(stub[..12], [9, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0]);
    assert_eq!(&stub[12..24], b"/o=First\0\0\0\0");
    assert_eq!(Connect::decode(&stub).unwrap().user_dn, "/o=First");
}

#[tokio::test]
async fn a_mailbox_is_read_and_written_over_the_wire() {
    let store = store();
    let (io, serving) = served(&store);
    let mut session = Session::connect(io, DN).await.unwrap();
    let owner = Owner { address: "purple@contoso.com".to_owned(), guid: GUID.to_owned() };
    assert_eq!(session.owner().await.unwrap(), owner);
    // Longer than one fragment in either direction.
    let long = text("Grüße", &"0123456789".repeat(1200));
    session.deliver(long.clone()).await.unwrap();
    assert_eq!(session.messages().await.unwrap(), [text("Welcome", "Hello"), long]);
    session.close().await.unwrap();
    serving.await.unwrap().unwrap();
    assert_eq!(*store.asked.lock().unwrap(), [DN]);
}

#[tokio::test]
async fn an_inbox_larger_than_one_answer_is_read_whole() {
    let store = store();
    for number in 0..120 {
        store.inbox.deliver(text(&number.to_string(), &"x".repeat(1000))).unwrap();
    }
    let (io, _serving) = served(&store);
    let mut session = Session::connect(io, DN).await.unwrap();
    assert_eq!(session.messages().await.unwrap(), store.inbox.messages());
}

#[tokio::test]
async fn mail_that_comes_between_counting_and_waiting_ends_the_wait_at_once() {
    let store = store();
    let (io, _serving) = served(&store);
    let mut session = Session::connect(io, DN).await.unwrap();
    let notices = session.notices().await.unwrap();
    let (_, handles) = session.open_table().await.unwrap();
    store.inbox.deliver(text("New", "")).unwrap();
    session.release(handles).await.unwrap();
    let stub = emsmdb::handle_and(notices, 0);
    let told = session.call(client::NOTICES, emsmdb::EC_DO_ASYNC_WAIT_EX, stub);
    assert!(emsmdb::pending(&now(told).await.unwrap()).unwrap());
}

/// What comes without a change to wait for.
async fn now<T>(told: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(5), told).await.expect("nothing is waited for")
}

#[tokio::test]
async fn waiting_ends_with_new_mail_and_may_be_given_up() {
    let store = store();
    let (io, _serving) = served(&store);
    let mut session = Session::connect(io, DN).await.unwrap();
    session.more_than(0).await.unwrap();
    {
        let mut waiting = Box::pin(session.more_than(1));
        let other = async {
            // Enough turns for the wait to have reached the server.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { biased; _ = &mut waiting => panic!("nothing came"), () = other => {} }
    }
    assert_eq!(session.messages().await.unwrap().len(), 1);
    let inbox = store.inbox.clone();
    let deliver = async { inbox.deliver(text("New", "")).unwrap() };
    let (waited, ()) = tokio::join!(session.more_than(1), deliver);
    waited.unwrap();
    assert_eq!(session.messages().await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_unknown_dn_is_told_apart_and_was_asked_for() {
    let store = store();
    let (io, _serving) = served(&store);
    let refused = Session::connect(io, "/cn=nobody").await.err().unwrap();
    assert!(matches!(refused, Unreachable::Unknown), "{refused}");
    assert_eq!(*store.asked.lock().unwrap(), ["/cn=nobody"]);
}

#[tokio::test]
async fn an_interface_that_is_not_offered_is_rejected() {
    let store = store();
    let (mut io, _serving) = served(&store);
    let other = super::pdu::Syntax { minor: 82, ..EMSMDB };
    let contexts = vec![Offer { id: 0, interface: other, encodings: vec![NDR] }];
    let pdu = Pdu::Bind(Bind { max_send: 5840, max_receive: 5840, contexts });
    io.write_all(&Fragment { call: 1, first: true, last: true, pdu }.encode()).await.unwrap();
    let mut answer = vec![0; 56];
    io.read_exact(&mut answer).await.unwrap();
    // [C706] 12.6.4.4: provider rejection (2), abstract syntax not supported (1), no transfer syntax.
    assert_eq!(answer[28..], [&[1, 0, 0, 0, 2, 0, 1, 0][..], &[0; 20]].concat());
}

#[tokio::test]
async fn a_bind_of_a_later_version_is_refused_with_its_reason() {
    let (mut io, serving) = served(&store());
    io.write_all(&hex("05020b0310000000100000000100 0000")).await.unwrap();
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, hex("05000d03100000001500000001000000 0400 010500"));
    assert!(matches!(serving.await.unwrap(), Err(RpcError::Malformed(_))));
}

#[tokio::test]
async fn garbage_ends_the_connection_with_an_error() {
    let big_endian = "05000b0300000000004800000000 0001";
    let too_long = "0500000310000000ffff000001000000";
    let too_short = "05000003100000000f00000001000000";
    let cut = "05000003100000001800000001000000 0000";
    let http: String = b"GET / HTTP/1.1\r\n\r\n".iter().map(|byte| format!("{byte:02x}")).collect();
    let answer_from_client = "05000203100000001800000001000000 0000000000000000";
    let later_fragment_first = "05000002100000001800000001000000 0000000000000000";
    for garbage in [big_endian, too_long, too_short, cut, &http, answer_from_client, later_fragment_first] {
        let (mut io, serving) = served(&store());
        io.write_all(&hex(garbage)).await.unwrap();
        io.shutdown().await.unwrap();
        assert!(serving.await.unwrap().is_err(), "{garbage}");
    }
}

#[tokio::test]
async fn a_stub_without_end_is_cut_off() {
    let (mut io, serving) = served(&store());
    let pdu = Pdu::Request { context: 0, opnum: 10, stub: Bytes::from(vec![0; 5000]) };
    let fragment = |first| Fragment { call: 1, first, last: false, pdu: pdu.clone() }.encode();
    io.write_all(&fragment(true)).await.unwrap();
    while io.write_all(&fragment(false)).await.is_ok() {}
    assert!(matches!(serving.await.unwrap(), Err(RpcError::TooLong { what: "a stub", .. })));
}

#[tokio::test]
async fn a_call_before_any_bind_is_a_fault() {
    let (mut io, _serving) = served(&store());
    let pdu = Pdu::Request { context: 0, opnum: 10, stub: Bytes::new() };
    io.write_all(&Fragment { call: 7, first: true, last: true, pdu }.encode()).await.unwrap();
    let mut answer = vec![0; 32];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, hex("05000303100000002000000007000000 00000000 0000 0000 0300011c 00000000"));
}

/// Each byte of each request replaced by each other: whatever it becomes, the server answers or closes.
#[tokio::test]
async fn no_single_wrong_byte_brings_a_server_down() {
    let store = store();
    let stub = Connect { user_dn: DN.to_owned() }.encode();
    let rops = [
        Ask::Logon { output: 0, dn: DN.to_owned() },
        Ask::OpenFolder { input: 0, output: 1, folder: rop::INBOX },
        Ask::GetContentsTable { input: 1, output: 2 },
        Ask::SetColumns { input: 2, tags: vec![rop::SUBJECT, rop::BODY] },
        Ask::QueryRows { input: 2, forward: true, rows: 5 },
    ];
    let rops: Vec<u8> = rops.iter().flat_map(rop_bytes).collect();
    let payload = rop::Buffer { rops, handles: vec![rop::UNSET; 3] }.encode();
    let mut session = super::session::Session::new([0; 20], DN.to_owned(), store.inbox.clone());
    assert!(session.execute(&payload).is_ok());
    for (bytes, call) in [(&payload, false), (&stub, true)] {
        for place in 0..bytes.len() {
            for value in 0..=u8::MAX {
                let mut wrong = bytes.clone();
                wrong[place] = value;
                match call {
                    true => drop(Connect::decode(&wrong)),
                    false => drop(session.execute(&wrong)),
                }
            }
        }
    }
}

fn rop_bytes(ask: &Ask) -> Vec<u8> {
    let mut out = Writer::default();
    ask.encode(&mut out);
    out.done()
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn a_buffer_of_unknown_rops_is_refused() {
    assert!(Ask::decode_all(&hex("770000")).is_err());
    assert!(Ask::decode_all(&hex("1500")).is_err());
    assert!(rop::Buffer::decode(&hex("0100")).is_err());
}

/// ept_map as [C706] appendix O lays it out, by hand: no object, a tower of five floors for EMSMDB over TCP.
#[tokio::test]
async fn the_endpoint_mapper_says_where_mailboxes_are() {
    let endpoint = Endpoint { address: [127, 1, 2, 3].into(), port: 6001 };
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (mut client, server) = duplex(1000);
    let asked = heard.clone();
    let served = tokio::spawn(async move {
        serve_endpoints(server, endpoint, |what| asked.lock().unwrap().push(what.to_owned())).await
    });
    let bind = hex("05000b03 10000000 48000000 01000000 d016d016 00000000 01000000 \
         00000100 0883afe11f5dc91191a408002b14a0fa 03000000 045d888aeb1cc9119fe808002b104860 02000000");
    client.write_all(&bind).await.unwrap();
    assert_eq!(read_pdu(&mut client).await[2], 12, "bind_ack");
    let floors = |interface: &str, port: &str, address: &str| {
        format!(
            "0500 1300 0d {interface} 0200 5100 1300 0d 045d888aeb1cc9119fe808002b104860 0200 0200 0000 \
             0100 0b 0200 0000 0100 07 0200 {port} 0100 09 0400 {address}"
        )
    };
    let emsmdb = "00dbf1a447ca6710b31f00dd010662da 0000";
    let request = |interface: &str| {
        let tower = hex(&floors(interface, "0000", "00000000"));
        let length = u32::try_from(tower.len()).unwrap().to_le_bytes();
        let mut stub = hex("00000000 01000000");
        stub.extend([length, length].concat());
        stub.extend(tower);
        stub.resize(stub.len().next_multiple_of(4), 0);
        stub.extend([0; 20]);
        stub.extend(hex("01000000"));
        let mut pdu = hex("05000003 10000000 0000 0000 02000000 00000000 0000 0300");
        pdu.extend(stub);
        let length = u16::try_from(pdu.len()).unwrap().to_le_bytes();
        pdu[8..10].copy_from_slice(&length);
        pdu
    };
    client.write_all(&request(emsmdb)).await.unwrap();
    let tower = hex(&floors(emsmdb, "1771", "7f010203"));
    let answer = read_pdu(&mut client).await;
    assert_eq!(answer[44..48], [1, 0, 0, 0], "one tower");
    assert_eq!(answer[72..72 + tower.len()], tower);
    assert!(answer.ends_with(&[0; 4]), "and no error");
    client.write_all(&request("ffdbf1a447ca6710b31f00dd010662da 0000")).await.unwrap();
    assert!(read_pdu(&mut client).await.ends_with(&hex("d6a0c916")), "not registered");
    assert_eq!(*heard.lock().unwrap(), ["EMSMDB", "ffdbf1a447ca6710b31f00dd010662da"]);
    client.write_all(&hex("05000003 10000000 1c00 0000 03000000 00000000 0000 0300 ffffffff")).await.unwrap();
    assert_eq!(read_pdu(&mut client).await[2], 3, "a broken stub is a fault");
    drop(client);
    served.await.unwrap().unwrap();
}

async fn read_pdu(from: &mut DuplexStream) -> Vec<u8> {
    let mut pdu = vec![0; 16];
    from.read_exact(&mut pdu).await.unwrap();
    pdu.resize(usize::from(u16::from_le_bytes([pdu[8], pdu[9]])), 0);
    from.read_exact(&mut pdu[16..]).await.unwrap();
    pdu
}

/// client == pass_on == server: what only the connect says decides where everything goes.
#[tokio::test]
async fn a_client_access_server_passes_on_from_the_connect_on() {
    let store = store();
    let (client, between) = duplex(1000);
    let behind = store.clone();
    let passing = tokio::spawn(async move {
        let reach = |dn: String| {
            let behind = behind.clone();
            async move { dn.eq_ignore_ascii_case(DN).then(|| served(&behind).0) }
        };
        pass_on(between, reach).await
    });
    let mut session = Session::connect(client, DN).await.unwrap();
    assert_eq!(session.owner().await.unwrap().address, "purple@contoso.com");
    assert_eq!(session.messages().await.unwrap().len(), 1);
    session.close().await.unwrap();
    passing.await.unwrap().unwrap();
    let (client, between) = duplex(1000);
    let passing = tokio::spawn(async move { pass_on(between, |_| async { None::<DuplexStream> }).await });
    assert!(matches!(Session::connect(client, DN).await, Err(Unreachable::Unknown)));
    passing.await.unwrap().unwrap();
}

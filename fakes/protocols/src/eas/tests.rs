//! A device against a mailbox in memory; heads and bytes against published ones.

use std::sync::Arc;

use http::header::ALLOW;

use super::*;
use crate::mailbox::{Message, Owner};
use crate::msrpc::{Inbox, Local};
use crate::wbxml::{air_sync, compose_mail, folder_hierarchy, ping, provision};

const EXCHANGE_2007: (Version, Build) =
    (Version::Exchange2007, Build { major: 8, minor: 3, build: 83, revision: 6 });
const EXCHANGE_2010: (Version, Build) =
    (Version::Exchange2010, Build { major: 14, minor: 3, build: 123, revision: 4 });
const EXCHANGE_2013: (Version, Build) =
    (Version::Exchange2013, Build { major: 15, minor: 0, build: 775, revision: 38 });

struct Bench {
    server: (Version, Build),
    state: DeviceState,
    inbox: Arc<Inbox>,
    protocol: &'static str,
    policy_key: String,
}

impl Bench {
    fn new(server: (Version, Build), protocol: &'static str) -> Bench {
        let owner = Owner { address: "red@contoso.com".to_owned(), guid: String::new() };
        let message =
            Message { subject: "Welcome".to_owned(), from: "a@b".to_owned(), text: "Hello".to_owned() };
        let inbox = Arc::new(Inbox::new(owner, vec![message]));
        Bench { server, state: DeviceState::default(), inbox, protocol, policy_key: String::new() }
    }

    async fn ask(&self, command: &str, body: impl Into<Bytes>) -> Answer {
        let query = format!("Cmd={command}&User=CONTOSO%5Cred&DeviceId=v140Device&DeviceType=SmartPhone");
        let mut request = http::Request::post(format!("/Microsoft-Server-ActiveSync?{query}"))
            .header("MS-ASProtocolVersion", self.protocol);
        if !self.policy_key.is_empty() {
            request = request.header("X-MS-PolicyKey", &self.policy_key);
        }
        let request = request.body(body.into()).unwrap();
        serve(self.server.0, self.server.1, &request, Local(self.inbox.clone()), &self.state).await
    }

    async fn folder_sync(&self, key: &str) -> Answer {
        let key = Element::text(folder_hierarchy::SYNC_KEY, key);
        self.ask("FolderSync", Element::with(folder_hierarchy::FOLDER_SYNC, [key]).encode()).await
    }

    async fn sync(&self, key: &str) -> Element {
        use air_sync::{COLLECTION, COLLECTION_ID, COLLECTIONS, SYNC, SYNC_KEY};
        let asked = [Element::text(SYNC_KEY, key), Element::text(COLLECTION_ID, "1")];
        let root = Element::with(SYNC, [Element::with(COLLECTIONS, [Element::with(COLLECTION, asked)])]);
        let answer = document_of(self.ask("Sync", root.encode()).await);
        answer.children()[0].children()[0].clone()
    }

    async fn ping(&self, seconds: &str) -> Element {
        let heartbeat = Element::text(ping::HEARTBEAT_INTERVAL, seconds);
        document_of(self.ask("Ping", Element::with(ping::PING, [heartbeat]).encode()).await)
    }
}

/// The example of [MS-ASHTTP] 2.2.1.1.1.1.
#[test]
fn the_published_base64_query_is_understood() {
    let uri = "/Microsoft-Server-ActiveSync?jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l";
    let request = http::Request::post(uri).body(Bytes::new()).unwrap();
    let expected = EasRequest {
        command: Command::Sync,
        user: None,
        device_id: "v140Device".to_owned(),
        device_type: "SmartPhone".to_owned(),
        policy_key: None,
        protocol: Protocol { major: 14, minor: 0 },
    };
    assert_eq!(EasRequest::read(&request), Ok(expected));
}

/// Wire facts 2.1: version 121, FolderSync, locale, an id that is no text, a policy key, type, a parameter.
#[test]
fn a_base64_query_may_hold_a_policy_key_a_binary_id_and_a_user() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes = [&[121, 9, 9, 4, 2, 0x00, 0xFF, 4, 0xD2, 0x02, 0x96, 0x49, 2][..], b"SP\x08\x03red"].concat();
    let query = STANDARD.encode(bytes).replace('+', "%2B").replace('=', "%3D");
    let request = http::Request::post(format!("/x?{query}")).body(Bytes::new()).unwrap();
    let expected = EasRequest {
        command: Command::FolderSync,
        user: Some("red".to_owned()),
        device_id: "00FF".to_owned(),
        device_type: "SP".to_owned(),
        policy_key: Some(1_234_567_890),
        protocol: Protocol::V12_1,
    };
    assert_eq!(EasRequest::read(&request), Ok(expected));
}

#[test]
fn a_query_that_is_cut_or_lacks_something_is_refused() {
    let read = |query: &str| {
        let request = http::Request::post(format!("/x?{query}")).header("MS-ASProtocolVersion", "14.1");
        EasRequest::read(&request.body(Bytes::new()).unwrap()).unwrap_err()
    };
    for cut in ["jAAJBAp2MTQw", "jAAJ", "j", "jAAJBAp2MTQwRGV2aWNlAwpTbWFydFBob25l"] {
        assert_eq!(read(cut), EasError::Base64, "{cut}");
    }
    assert_eq!(read(""), EasError::Query);
    assert_eq!(read(&"x".repeat(3000)), EasError::Query);
    assert_eq!(read("User=red&DeviceId=1"), EasError::Parameter("Cmd"));
    assert_eq!(read("Cmd=Sync&DeviceType=t"), EasError::Parameter("DeviceId"));
    assert_eq!(read("Cmd=Explode&DeviceId=1"), EasError::UnknownCommand("Explode".to_owned()));
}

/// Wire facts 2.1.
#[test]
fn options_say_what_each_version_speaks() {
    let spoken = |(version, build): (Version, Build)| {
        let answer = options(version, build);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(answer.status(), 200);
        assert_eq!(header(ALLOW.as_str()), "OPTIONS,POST");
        assert_eq!(header("Public"), "OPTIONS,POST");
        assert_eq!(header("Cache-Control"), "private");
        assert_eq!(
            header("MS-ASProtocolCommands"),
            "Sync,SendMail,SmartForward,SmartReply,GetAttachment,GetHierarchy,CreateCollection,DeleteCollection,\
             MoveCollection,FolderSync,FolderCreate,FolderDelete,FolderUpdate,MoveItems,GetItemEstimate,\
             MeetingResponse,Search,Settings,Ping,ItemOperations,Provision,ResolveRecipients,ValidateCert"
        );
        (header("MS-Server-ActiveSync"), header("MS-ASProtocolVersions"))
    };
    let pair = |product: &str, versions: &str| (product.to_owned(), versions.to_owned());
    assert_eq!(spoken(EXCHANGE_2007), pair("8.3", "1.0,2.0,2.1,2.5,12.0,12.1"));
    assert_eq!(spoken(EXCHANGE_2010), pair("14.3", "2.0,2.1,2.5,12.0,12.1,14.0,14.1"));
    assert_eq!(spoken(EXCHANGE_2013), pair("15.0", "2.0,2.1,2.5,12.0,12.1,14.0,14.1"));
}

/// Wire facts 2.2.
#[test]
fn a_451_has_no_reason_phrase_and_a_location_if_there_is_one() {
    let location = "https://mail-region.contoso.com/Microsoft-Server-ActiveSync";
    let answer = http451(Some(location));
    assert_eq!(answer.status().as_u16(), 451);
    assert_eq!(answer.headers()["X-MS-Location"], location);
    assert_eq!(answer.headers()["Cache-Control"], "private");
    assert_eq!(answer.extensions().get::<Reason>(), Some(&Reason(String::new())));
    assert!(!http451(None).headers().contains_key("X-MS-Location"));
}

#[tokio::test]
async fn folders_name_the_owner_and_versions_are_told_once() {
    let bench = Bench::new(EXCHANGE_2013, "14.1");
    let answer = bench.folder_sync("0").await;
    assert_eq!(answer.headers()["X-MS-RP"], "2.0,2.1,2.5,12.0,12.1,14.0,14.1");
    assert_eq!(answer.headers()["MS-Server-ActiveSync"], "15.0");
    let root = document_of(answer);
    let changes = root.child(folder_hierarchy::CHANGES).unwrap();
    let folder = |add: &Element| {
        let text = |tag| add.text_of(tag).unwrap().to_owned();
        (text(folder_hierarchy::DISPLAY_NAME), text(folder_hierarchy::TYPE))
    };
    let found: Vec<_> = changes.children()[1..].iter().map(folder).collect();
    let named = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    let expected = [
        named("Inbox", "2"),
        named("Drafts", "3"),
        named("Deleted Items", "4"),
        named("Sent Items", "5"),
        named("Mail of red@contoso.com", "12"),
    ];
    assert_eq!(found, expected);
    let again = bench.folder_sync("0").await;
    assert!(!again.headers().contains_key("X-MS-RP"));
    let none = document_of(bench.folder_sync("1").await);
    assert_eq!(none.child(folder_hierarchy::CHANGES).unwrap().children().len(), 1);
    let unknown = document_of(bench.folder_sync("7").await);
    assert_eq!(unknown.text_of(folder_hierarchy::STATUS), Some("9"));
}

#[tokio::test]
async fn mail_sent_to_oneself_is_synchronised() {
    for (server, protocol) in [(EXCHANGE_2007, "12.1"), (EXCHANGE_2010, "14.1")] {
        let bench = Bench::new(server, protocol);
        let mime =
            "From: x@y\r\nTo: Red\r\n <RED@contoso.com>, other@contoso.com\r\nSubject: Hi\r\n\r\nText\r\n";
        let body = match protocol {
            "12.1" => Bytes::from(mime),
            _ => {
                let mime = Element {
                    tag: compose_mail::MIME,
                    content: crate::wbxml::Content::Opaque(mime.as_bytes().to_vec()),
                };
                Bytes::from(Element::with(compose_mail::SEND_MAIL, [mime]).encode())
            }
        };
        assert_eq!(bench.sync("0").await.text_of(air_sync::SYNC_KEY), Some("1"));
        let first = bench.sync("1").await;
        assert_eq!(first.text_of(air_sync::SYNC_KEY), Some("2"));
        assert_eq!(subjects(&first), ["Welcome"]);
        let sent = bench.ask("SendMail", body).await;
        assert_eq!(sent.status(), 200);
        let then = bench.sync("2").await;
        assert_eq!((then.text_of(air_sync::SYNC_KEY), subjects(&then)), (Some("3"), vec!["Hi".to_owned()]));
        assert_eq!(bench.inbox.messages()[1].from, "red@contoso.com");
        let nothing = bench.sync("3").await;
        assert_eq!((nothing.text_of(air_sync::SYNC_KEY), subjects(&nothing)), (Some("3"), vec![]));
        assert_eq!(bench.sync("9").await.text_of(air_sync::STATUS), Some("3"));
    }
}

#[tokio::test]
async fn a_ping_out_of_bounds_is_told_the_bound_and_one_with_news_ends() {
    let bench = Bench::new(EXCHANGE_2010, "14.1");
    let short = bench.ping("59").await;
    assert_eq!(
        (short.text_of(ping::STATUS), short.text_of(ping::HEARTBEAT_INTERVAL)),
        (Some("5"), Some("60"))
    );
    let long = bench.ping("3541").await;
    assert_eq!(
        (long.text_of(ping::STATUS), long.text_of(ping::HEARTBEAT_INTERVAL)),
        (Some("5"), Some("3540"))
    );
    let unknown = document_of(bench.ask("Ping", "").await);
    assert_eq!(unknown.text_of(ping::STATUS), Some("3"));
    let news = Message { subject: "News".to_owned(), from: String::new(), text: String::new() };
    let deliver = async { bench.inbox.deliver(news).unwrap() };
    let (answer, ()) = tokio::join!(bench.ping("60"), deliver);
    assert_eq!(answer.text_of(ping::STATUS), Some("2"));
    assert_eq!(answer.child(ping::FOLDERS).unwrap().text_of(ping::FOLDER), Some("1"));
}

#[tokio::test]
async fn the_clock_ends_a_wait() {
    let limit = std::time::Duration::from_millis(5);
    assert_eq!(clock::within(limit, std::future::pending::<()>()).await, None);
    assert_eq!(clock::within(limit, async { 1 }).await, Some(1));
}

#[tokio::test]
async fn a_policy_is_given_in_two_rounds_and_then_served() {
    for (server, protocol) in [(EXCHANGE_2007, "12.1"), (EXCHANGE_2013, "14.1")] {
        let mut bench = Bench::new(server, protocol);
        bench.state = DeviceState::requiring_policies();
        let refused = bench.folder_sync("0").await;
        match protocol {
            "12.1" => {
                assert_eq!(refused.status().as_u16(), 449);
                let reason = Reason("Retry after sending a PROVISION command".to_owned());
                assert_eq!(refused.extensions().get::<Reason>(), Some(&reason));
            }
            _ => assert_eq!(document_of(refused).text_of(folder_hierarchy::STATUS), Some("142")),
        }
        let first = bench.provisioned(None).await;
        assert!(first.child(provision::DATA).is_some());
        let temporary = first.text_of(provision::POLICY_KEY).unwrap();
        let wrong = bench.provisioned(Some("1")).await;
        assert_eq!(wrong.text_of(provision::STATUS), Some("5"));
        let second = bench.provisioned(Some(temporary)).await;
        let key = second.text_of(provision::POLICY_KEY).unwrap().to_owned();
        assert_ne!(key, temporary);
        bench.policy_key = key;
        assert_eq!(document_of(bench.folder_sync("0").await).text_of(folder_hierarchy::STATUS), Some("1"));
    }
}

impl Bench {
    /// The policy in the answer to Provision, first round or second.
    async fn provisioned(&self, key: Option<&str>) -> Element {
        use provision::{POLICIES, POLICY, POLICY_KEY, POLICY_TYPE, PROVISION, STATUS};
        let mut policy = vec![Element::text(POLICY_TYPE, "MS-EAS-Provisioning-WBXML")];
        if let Some(key) = key {
            policy.extend([Element::text(POLICY_KEY, key), Element::text(STATUS, "1")]);
        }
        let root = Element::with(PROVISION, [Element::with(POLICIES, [Element::with(POLICY, policy)])]);
        let answer = document_of(self.ask("Provision", root.encode()).await);
        assert_eq!(answer.text_of(STATUS), Some("1"));
        answer.child(POLICIES).unwrap().child(POLICY).unwrap().clone()
    }
}

#[tokio::test]
async fn garbage_and_the_unknown_have_their_status() {
    let bench = Bench::new(EXCHANGE_2007, "12.1");
    assert_eq!(bench.ask("FolderSync", "<FolderSync/>").await.status(), 400);
    assert_eq!(bench.ask("Sync", Element::empty(ping::PING).encode()).await.status(), 400);
    assert_eq!(bench.ask("SendMail", "no header").await.status(), 400);
    assert_eq!(bench.ask("Search", "").await.status(), 501);
    assert_eq!(bench.ask("Explode", "").await.status(), 501);
    // Exchange 2007 speaks no 14.1 (wire facts 2.1).
    assert_eq!(Bench::new(EXCHANGE_2007, "14.1").folder_sync("0").await.status(), 400);
    let later = Bench::new(EXCHANGE_2010, "14.1");
    let empty = Element::with(compose_mail::SEND_MAIL, [Element::text(compose_mail::MIME, "no header")]);
    let refused = document_of(later.ask("SendMail", empty.encode()).await);
    assert_eq!(refused.text_of(compose_mail::STATUS), Some("107"));
}

fn subjects(collection: &Element) -> Vec<String> {
    let commands = collection.child(air_sync::COMMANDS).map(Element::children).unwrap_or_default();
    let subject = |add: &Element| {
        let data = add.child(air_sync::APPLICATION_DATA).unwrap();
        data.text_of(crate::wbxml::email::SUBJECT).unwrap().to_owned()
    };
    commands.iter().map(subject).collect()
}

fn document_of(answer: Answer) -> Element {
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["Content-Type"], WBXML);
    let Body::Whole(bytes) = answer.into_body() else { panic!("in pieces") };
    Element::decode(&bytes).unwrap()
}

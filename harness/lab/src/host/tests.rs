//! A door, and at it the servers of a lab that is none but its books:
//! ```text
//! Site1: mbx2010-s1 (db2010-s1: red)
//! ```

use std::path::PathBuf;

use directory::Directory;
use ledger::line::Line;
use ledger::way::{Way, Word};
use ledger::{Conveyed, Draft, Ledger, Opener};
use model::problem::Source;
use model::topology::TopologyFiles;
use model::{CaseId, Protocol, View};
use tokio_util::sync::CancellationToken;

use super::door::Books;
use super::orders::Opening;
use super::*;
use crate::dns::Names;

mod network;

const TOPOLOGY: &str = r#"
source = "a test"
role = "front-end-2010"
seat = "mbx2010-s1"
domain = "contoso.com"
split-brain = true
sites.Site1 = {}
namespaces = {}
mailboxes.red.database = "db2010-s1"
[servers.mbx2010-s1]
version = "Exchange2010"
build = "14.3.123.4"
site = "Site1"
roles = ["client-access", "mailbox"]
[databases.db2010-s1]
copies = ["mbx2010-s1"]
active = "mbx2010-s1"
"#;

/// A door that is served, with the books of one lab.
struct Opened {
    way: Way,
    door: Door,
    books: Books,
    lab: u64,
    stop: CancellationToken,
}

impl Opened {
    fn at(name: &str) -> Opened {
        let path = std::env::temp_dir().join(format!("coexist-door-{name}-{}", std::process::id()));
        let door = Door::open(&path).unwrap();
        Opened::of(door, Way::Socket(path))
    }

    fn of(door: Door, way: Way) -> Opened {
        let stop = CancellationToken::new();
        tokio::spawn(door.serve(stop.clone()).unwrap());
        let topology =
            TopologyFiles::base(Source::new("small.toml", TOPOLOGY)).build(&Default::default()).unwrap();
        let names = Names::of(&topology, |_, _| [127, 0, 0, 9].into());
        let books = Books { ledger: Ledger::default(), directory: Directory::new(topology), names };
        let lab = door.lays_open(books.clone());
        Opened { way, door, books, lab, stop }
    }

    fn line(&self) -> Line {
        Line::to(&self.way, &Opening::Lab(self.lab)).unwrap()
    }

    fn path(&self) -> PathBuf {
        match &self.way {
            Way::Socket(path) => path.clone(),
            Way::Port(..) => panic!("it is at a port"),
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Way::Socket(path) = &self.way {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What a server asks blocks its thread, as it does in a server.
async fn asks<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(ask).await.unwrap()
}

fn case() -> CaseId {
    "coexistence/owa/red".parse().unwrap()
}

fn draft(opener: Option<Opener>) -> Draft {
    Draft {
        server: "mbx2010-s1".parse().unwrap(),
        protocol: Protocol::Owa,
        verb: "GET".into(),
        target: "/owa/".into(),
        host: None,
        sni: None,
        tls: true,
        starttls: false,
        peer: "127.0.0.1:5000".parse().unwrap(),
        asked: vec![],
        believed_to_be: None,
        conveyed: Conveyed::Nothing,
        head: b"GET /owa/ HTTP/1.1\r\n\xff\r\n".to_vec(),
        body: None,
        connection: 1,
        request: 1,
        opener,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_elsewhere_records_is_in_the_book_when_it_goes_on() {
    let opened = Opened::at("records");
    let far = Ledger::over(opened.line());
    let peer = "127.0.0.1:5000".parse().unwrap();
    opened.books.ledger.announce(peer, Opener::Client(case()));
    let order = asks(move || far.record(draft(far.opener(peer)))).await;
    let all = opened.books.ledger.all();
    assert_eq!((all.len(), all[0].order, &all[0].case), (1, order, &Some(case())));
    assert!(all[0].head.starts_with("GET /owa/ HTTP/1.1\r\n"), "{}", all[0].head);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_waits_for_the_steps_of_the_other() {
    let opened = Opened::at("steps");
    let (far, near) = (Ledger::over(opened.line()), opened.books.ledger.clone());
    let telling = far.clone();
    asks(move || telling.step("red arrived", 1)).await;
    near.until("red arrived", 1).await;
    let waiting = tokio::spawn(async move { far.until("red read", 2).await });
    near.step("red read", 1);
    assert!(!waiting.is_finished());
    near.step("red read", 2);
    waiting.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_good_whoever_issues_it_and_whoever_redeems_it() {
    let opened = Opened::at("tickets");
    let near = opened.books.directory.clone();
    let far = Directory::over(near.copy(), opened.line());
    assert!(far.authenticate("red@contoso.com", "pass-red").is_some(), "passwords are among the facts");
    let service = near.service();
    let issues = far.clone();
    let ticket = asks(move || {
        issues.issue(
            Some((&service.user, &service.password)),
            "red@contoso.com",
            "HTTP/mbx2010-s1.contoso.com",
        )
    });
    let ticket = ticket.await.unwrap();
    let own = "mbx2010-s1.contoso.com".parse().unwrap();
    assert_eq!(near.redeem(&ticket, &own).unwrap().name.as_str(), "red");
    let another = "cas2010-s1.contoso.com".parse().unwrap();
    let refused = asks(move || far.redeem(&ticket, &another)).await.unwrap_err();
    assert_eq!(refused, directory::TicketRefused::ForAnother(own));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_that_is_told_what_it_cannot_do_says_why_and_stays() {
    let opened = Opened::at("station");
    let (door, stop) = (Doorway::Socket(opened.path()), opened.stop.clone());
    let serving = tokio::spawn(async move { take_places(&door, "mbx2010-s1", None, stop).await });
    let station = opened.door.station("mbx2010-s1").await.unwrap();
    let fault = || Order::Fault("mbx2010-s1/owa".parse().unwrap(), None);
    assert_eq!(station.does(fault()).await, Err("it has no place in a lab".to_owned()));
    assert_eq!(station.does(Order::Leave).await, Ok(None), "who has no place has left");
    opened.stop.cancel();
    serving.await.unwrap().unwrap();
    // The runner's side sees the line end.
    while !station.is_gone() {
        tokio::task::yield_now().await;
    }
    assert_eq!(station.does(fault()).await, Err("the container of mbx2010-s1 has ended".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_too_long_ends_the_line_and_nothing_else() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let opened = Opened::at("frames");
    for hostile in [&[0xff, 0xff, 0xff, 0xff][..], &[0, 0, 0, 2, b'{', b'}'], &[0, 0, 0, 3, b'n', b'o', b't']]
    {
        let mut stream = tokio::net::UnixStream::connect(opened.path()).await.unwrap();
        stream.write_all(hostile).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "{hostile:?}");
    }
    let far = Ledger::over(opened.line());
    asks(move || far.connection()).await;
}

#[test]
fn an_outside_address_is_seen_from_outside_alone() {
    let place =
        crate::ground::Place { inside: [198, 18, 1, 10].into(), outside: Some([198, 18, 4, 10].into()) };
    assert_eq!(place.seen_from(View::Internal), place.inside);
    assert_eq!(Some(place.seen_from(View::External)), place.outside);
}

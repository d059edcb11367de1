//! The same door at a port, where anybody may come, and stations that see no file of the runner's.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use ledger::line;
use ledger::way::greet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// A door at a port, and what it told of strangers.
struct AtPort {
    opened: Opened,
    port: u16,
    told: Arc<Mutex<Vec<String>>>,
}

fn word(word: &str) -> Word {
    Word::new(word.to_owned()).unwrap()
}

impl AtPort {
    fn open() -> AtPort {
        let told = Arc::new(Mutex::new(vec![]));
        let tells = told.clone();
        let tells = Box::new(move |says: &str| tells.lock().unwrap().push(says.to_owned()));
        let door = Door::open_to_network(0, word("open sesame"), tells).unwrap();
        let port = door.port().unwrap();
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        AtPort { opened: Opened::of(door, Way::Port(at, word("open sesame"))), port, told }
    }

    fn doorway(&self, said: &str) -> Doorway {
        Doorway::Port { host: "127.0.0.1".to_owned(), port: self.port, word: word(said) }
    }

    fn takes_places(&self, name: &'static str) -> JoinHandle<Result<(), StationError>> {
        let (door, stop) = (self.doorway("open sesame"), self.opened.stop.clone());
        tokio::spawn(async move { take_places(&door, name, None, stop).await })
    }

    /// A connection from an address of this machine's loopback, before anything is said.
    async fn from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        socket.connect(SocketAddr::from(([127, 0, 0, 1], self.port))).await.unwrap()
    }

    /// A station that has reported from there.
    async fn reports(&self, last: u8, name: &str) -> TcpStream {
        let mut stream = self.from(last).await;
        greet(&mut stream, &word("open sesame")).await.unwrap();
        line::write(&mut stream, &Opening::Station(name.to_owned())).await.unwrap();
        stream
    }

    /// What was told once something was.
    async fn hears(&self) -> String {
        loop {
            if let Some(says) = self.told.lock().unwrap().first() {
                return says.clone();
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_and_asked_over_a_network_is_so_as_on_this_machine() {
    let at = AtPort::open();
    let far = Ledger::over(at.opened.line());
    let peer = "127.0.0.1:5000".parse().unwrap();
    at.opened.books.ledger.announce(peer, Opener::Client(case()));
    let recording = far.clone();
    let order = asks(move || recording.record(draft(recording.opener(peer)))).await;
    let all = at.opened.books.ledger.all();
    assert_eq!((all.len(), all[0].order, &all[0].case), (1, order, &Some(case())));
    let waiting = tokio::spawn(async move { far.until("red read", 1).await });
    at.opened.books.ledger.step("red read", 1);
    waiting.await.unwrap();
    let near = at.opened.books.directory.clone();
    let (directory, service) = (Directory::over(near.copy(), at.opened.line()), near.service());
    let ticket = asks(move || {
        let asker = Some((&*service.user, &*service.password));
        directory.issue(asker, "red@contoso.com", "HTTP/mbx2010-s1.contoso.com")
    });
    let own = "mbx2010-s1.contoso.com".parse().unwrap();
    assert_eq!(near.redeem(&ticket.await.unwrap(), &own).unwrap().name.as_str(), "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_over_a_network_carries_out_orders_and_its_end_is_seen() {
    let at = AtPort::open();
    let serving = at.takes_places("mbx2010-s1");
    let station = at.opened.door.station("mbx2010-s1").await.unwrap();
    let fault = Order::Fault("mbx2010-s1/owa".parse().unwrap(), None);
    assert_eq!(station.does(fault).await, Err("it has no place in a lab".to_owned()));
    assert_eq!(station.does(Order::Leave).await, Ok(None));
    at.opened.stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_another_word_is_told_so_at_once_and_the_runner_says_who_it_was() {
    let at = AtPort::open();
    let stop = CancellationToken::new();
    let refused = take_places(&at.doorway("open barley"), "mbx2010-s1", None, stop).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "no runner at tcp://127.0.0.1:{}: the runner does not know the word in COEXIST_DOOR_WORD",
            at.port
        )
    );
    let says = "127.0.0.1 was sent away from the door: the word in its COEXIST_DOOR_WORD is not ours";
    assert_eq!(at.hears().await, says);
    let line = Line::to(
        &Way::Port(SocketAddr::from(([127, 0, 0, 1], at.port)), word("open barley")),
        &Opening::Lab(at.opened.lab),
    );
    let waited: std::io::Result<serde_json::Value> = line.unwrap().wait(&"ledger").await;
    assert_eq!(waited.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(*at.told.lock().unwrap(), [says], "told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_a_stranger_says_it_is_sent_away_and_the_door_stays_open() {
    let at = AtPort::open();
    let opening = br#"{"Station":"mbx2010-s1"}"#;
    let without_a_word = [&(opening.len() as u32).to_be_bytes()[..], opening].concat();
    let too_long = [&1025_u32.to_be_bytes()[..], &[b' '; 1025]].concat();
    for hostile in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4], &[0, 0, 0, 2, b'{', b'}'], &without_a_word, &too_long]
    {
        let mut stream = at.from(1).await;
        stream.write_all(hostile).await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0, "{hostile:?}");
    }
    assert_eq!(at.hears().await, "127.0.0.1 was sent away from the door: what it says is no greeting");
    let _stays = at.reports(1, "mbx2010-s1").await;
    at.opened.door.station("mbx2010-s1").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stranger_that_says_nothing_is_sent_away_after_a_while() {
    let at = AtPort::open();
    let mut stream = at.from(1).await;
    // Half of a greeting's length, and then nothing.
    stream.write_all(&[0, 0]).await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    assert_eq!(at.hears().await, "127.0.0.1 was sent away from the door: it said nothing for 10s");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_where_they_came_from_and_nobody_comes_back_from_elsewhere() {
    let at = AtPort::open();
    let roll = Roll {
        servers: ["cas2010-s1", "mbx2010-s1"].map(|name| name.parse().unwrap()).into(),
        elsewhere: false,
    };
    let _cas = at.reports(2, "cas2010-s1").await;
    let _mbx = at.reports(3, "mbx2010-s1").await;
    let layout = at.opened.door.gathers(&roll).await.unwrap();
    assert_eq!(layout.own.inside, IpAddr::from([127, 0, 0, 1]));
    let inside: Vec<IpAddr> = layout.servers.values().map(|place| place.inside).collect();
    assert_eq!(inside, [IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 3])]);
    let mut again = at.reports(4, "mbx2010-s1").await;
    let told: Option<Order> = line::read(&mut again).await.unwrap();
    let why = "mbx2010-s1 reported from 127.0.0.3 before, and now from 127.0.0.4";
    assert!(matches!(told, Some(Order::Go(says)) if says == why));
    assert_eq!(at.hears().await, format!("127.0.0.4 was sent away from the door: {why}"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_report_is_named() {
    let at = AtPort::open();
    let roll = Roll { servers: ["mbx2010-s1".parse().unwrap()].into(), elsewhere: true };
    let says = at.opened.door.gathers(&roll).await.unwrap_err().to_string();
    assert_eq!(
        says,
        "2 of 2 servers did not report within 600s: mbx2010-s1, elsewhere; look whether their containers run, and what they say"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_sees_no_file_of_the_runners_is_sent_them_and_its_log_comes_back() {
    let at = AtPort::open();
    let serving = at.takes_places("mbx2010-s1");
    let station = at.opened.door.station("mbx2010-s1").await.unwrap();
    assert!(station.is_apart());
    let here = std::env::temp_dir().join(format!("coexist-apart-{}", std::process::id()));
    let there = here.join("there");
    std::fs::create_dir_all(&here).unwrap();
    let log = here.join("subject.log");
    std::fs::write(&log, "").unwrap();
    for (first, bytes) in [(true, &b"caf\xc3"[..]), (false, b"\xa9\n")] {
        let bytes = Bytes(bytes.to_vec());
        let piece = Piece { file: there.join("tls/seat.pem"), first, bytes };
        assert_eq!(station.does(Order::Have(piece)).await, Ok(None));
    }
    let program = || Program {
        image: None,
        program: "/bin/sh".into(),
        arguments: ["-c", "cat tls/seat.pem; echo to the other >&2; exit 3"].map(str::to_owned).into(),
        env: vec![],
        work: there.clone(),
        log: log.clone(),
    };
    let mut ended = station.next_end(&log);
    assert!(station.does(Order::Run(Box::new(program()))).await.unwrap().is_some());
    let status = ended.wait_for(Option::is_some).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(3));
    // What it wrote is here before its end is known.
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "caf\u{e9}\nto the other\n");
    assert_eq!(station.does(Order::Leave).await, Ok(None));
    assert!(!there.exists(), "its files go with the lab");
    let (command, _) = crate::seat::piped(program()).unwrap();
    assert!(
        command.get_envs().any(|(name, value)| name == Word::VARIABLE && value.is_none()),
        "and it learns no word"
    );
    std::fs::remove_dir_all(&here).unwrap();
    at.opened.stop.cancel();
    serving.await.unwrap().unwrap();
}

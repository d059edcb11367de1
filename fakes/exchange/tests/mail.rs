//! A mail program at CAS2010, in clear, since no test here greets over TLS:
//! ```text
//! client -> cas2010-s1 (imap, pop; a password may be said in clear) => mbx2010-s1    red
//! ```

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use directory::Directory;
use exchange::{Faults, Listener, Machine, Mail, Stores, World, route};
use ledger::{Arrival, Ledger, Opener};
use model::mail::LoginType;
use model::problem::Source;
use model::topology::TopologyFiles;
use model::{Protocol, ServerName, Topology};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn topology() -> Topology {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/topologies/coexistence.toml");
    let file = Source::new("coexistence.toml", std::fs::read_to_string(path).unwrap());
    let mut topology = TopologyFiles::base(file).build(&Default::default()).unwrap();
    let server = topology.servers.get_mut(&name("cas2010-s1")).unwrap();
    for service in [&mut server.imap, &mut server.pop].into_iter().flatten() {
        service.login_type = LoginType::PlainTextLogin;
        service.ntlm = true;
    }
    topology
}

fn name(server: &str) -> ServerName {
    server.parse().unwrap()
}

fn bound() -> (TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

/// A lab of two servers; the Mailbox server is there only where it is to be.
struct Lab {
    ledger: Ledger,
    at: SocketAddr,
    stop: CancellationToken,
    servers: JoinSet<()>,
}

impl Lab {
    fn start(protocol: Protocol, mailbox_server: bool) -> Lab {
        let (mail, at) = bound();
        let (rpc, rpc_at) = bound();
        let ledger = Ledger::default();
        let world = Arc::new(World {
            ledger: ledger.clone(),
            directory: Directory::new(topology()),
            dials: Arc::new(move |_, _| mailbox_server.then_some(rpc_at)),
            trust: Arc::new(rustls::RootCertStore::empty()),
            faults: Faults::default(),
            stores: Stores::default(),
            routes: route::table(),
        });
        let tls =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
        let mail =
            Listener::Mail(mail, Mail { protocol, tls_at_once: false, back_end: false, tls: Arc::new(tls) });
        let stop = CancellationToken::new();
        let mut servers = JoinSet::new();
        for (server, listener) in [("cas2010-s1", mail), ("mbx2010-s1", Listener::Rpc(rpc))] {
            let machine = Machine { name: name(server), source: at.ip(), listeners: vec![listener] };
            servers.spawn(exchange::serve(world.clone(), machine, stop.clone()));
        }
        Lab { ledger, at, stop, servers }
    }

    /// Says all of it at once, hears everything, and ends the lab: what was said, and what arrived.
    async fn hears(mut self, says: &[u8]) -> (String, Vec<Arc<Arrival>>) {
        let case = Opener::Client("coexistence/imap/red".parse().unwrap());
        let mut client = self.ledger.dial(self.at.ip(), self.at, case).await.unwrap();
        client.write_all(says).await.unwrap();
        // It says no more, and need not be waited for; a server that has had enough has closed already.
        let _ = client.shutdown().await;
        let mut heard = vec![];
        // A server that has had enough may reset the connection under what it has not read.
        let _ = client.read_to_end(&mut heard).await;
        drop(client);
        self.stop.cancel();
        while self.servers.join_next().await.is_some() {}
        (String::from_utf8_lossy(&heard).into_owned(), self.ledger.all())
    }
}

fn in_short(arrivals: &[Arc<Arrival>]) -> Vec<String> {
    let one = |a: &Arc<Arrival>| {
        let believed = a.identity.believed_to_be.as_ref().map_or("nobody", |name| name.as_str());
        format!("{} {} as {believed}", a.server, a.verb)
    };
    arrivals.iter().map(one).collect()
}

#[tokio::test]
async fn a_mailbox_is_read_at_its_mailbox_server_and_each_sign_in_is_one_arrival() {
    let session =
        b"a LOGIN red pass-red\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[HEADER.FIELDS (TO)]\r\nd LOGOUT\r\n";
    let (heard, arrivals) = Lab::start(Protocol::Imap, true).hears(session).await;
    assert!(
        heard.contains("To: red@contoso.com\r\n") && heard.ends_with("d OK LOGOUT completed.\r\n"),
        "{heard}"
    );
    assert_eq!(in_short(&arrivals), ["cas2010-s1 LOGIN as red", "mbx2010-s1 connect as red"]);
    assert_eq!(arrivals[1].parent, Some(arrivals[0].order));
    assert_eq!(arrivals[0].head, "a LOGIN red (redacted)\r\n");
    let session = b"USER red@contoso.com\r\nPASS pass-red\r\nRETR 1\r\nQUIT\r\n";
    let (heard, arrivals) = Lab::start(Protocol::Pop, true).hears(session).await;
    assert!(heard.contains("To: red@contoso.com\r\n"), "{heard}");
    assert_eq!(in_short(&arrivals), ["cas2010-s1 PASS as red", "mbx2010-s1 connect as red"]);
}

#[tokio::test]
async fn a_wrong_password_and_a_mailbox_that_cannot_be_had_are_told_apart() {
    let thrice = b"a LOGIN red wrong\r\nb LOGIN nobody pass-red\r\nc AUTHENTICATE PLAIN AHJlZAB3cm9uZw==\r\nd NOOP\r\n";
    let (heard, arrivals) = Lab::start(Protocol::Imap, true).hears(thrice).await;
    let greeting = "* OK The Microsoft Exchange IMAP4 service is ready.\r\n";
    let refused = "a NO LOGIN failed.\r\nb NO LOGIN failed.\r\nc NO AUTHENTICATE failed.\r\n";
    assert_eq!(heard, format!("{greeting}{refused}* BYE Connection is closed. 14\r\n"));
    assert!(in_short(&arrivals).iter().all(|arrival| arrival.ends_with("as nobody")), "{arrivals:?}");
    let (heard, _) = Lab::start(Protocol::Imap, false).hears(b"a LOGIN red pass-red\r\n").await;
    assert!(heard.ends_with("a NO Server Unavailable. 15\r\n"), "{heard}");
    // Green's mailbox is no 2010 server's.
    let (heard, _) = Lab::start(Protocol::Pop, true).hears(b"USER green\r\nPASS pass-green\r\n").await;
    assert!(heard.ends_with("-ERR Server Unavailable. 15\r\n"), "{heard}");
}

#[tokio::test]
async fn what_was_written_before_tls_is_dropped_and_recorded() {
    let early = b"a STARTTLS\r\nb LOGIN red pass-red\r\n";
    let (heard, arrivals) = Lab::start(Protocol::Imap, true).hears(early).await;
    assert!(!heard.contains("b "), "{heard}");
    assert_eq!(in_short(&arrivals), ["cas2010-s1 connect as nobody"]);
    assert!(
        arrivals[0].head.contains("a STARTTLS\r\n(22 bytes written before TLS, dropped)"),
        "{arrivals:?}"
    );
}

#[tokio::test]
async fn what_has_no_end_ends_the_connection_and_one_arrival_says_that_it_was_there() {
    let endless = [b"a AUTHENTICATE PLAIN\r\n".to_vec(), vec![b'A'; 1 << 20]].concat();
    let literal = b"a LOGIN {2147483648+}\r\n".to_vec();
    for hostile in [endless, literal, vec![0; 1 << 20]] {
        let (_, arrivals) = Lab::start(Protocol::Imap, true).hears(&hostile).await;
        assert_eq!(in_short(&arrivals), ["cas2010-s1 connect as nobody"]);
    }
}

#[tokio::test]
async fn ntlm_is_challenged_and_an_answer_to_another_challenge_is_refused() {
    let says = b"a AUTHENTICATE NTLM\r\nTlRMTVNTUAABAAAABYKIoAAAAAAAAAAAAAAAAAAAAAA=\r\nTlRMTVNTUAAD\r\nb LOGOUT\r\n";
    let (heard, _) = Lab::start(Protocol::Imap, true).hears(says).await;
    assert!(
        heard.contains("+ \r\n+ TlRMTVNTUAAC") && heard.contains("a NO AUTHENTICATE failed.\r\n"),
        "{heard}"
    );
}

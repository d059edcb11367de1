//! How long a connection may be quiet: client -> cas2010-s1, a stream in memory, with a clock that stands.

use std::path::Path;

use directory::Directory;
use model::problem::Source;
use model::topology::TopologyFiles;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::*;
use crate::{Faults, Stores, World, route};

const OPTIONS: &[u8] = b"OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Serves a connection; gives the client's end of it.
fn served(tasks: &mut JoinSet<()>) -> DuplexStream {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/topologies/coexistence.toml");
    let file = Source::new("coexistence.toml", std::fs::read_to_string(path).unwrap());
    let ledger = Ledger::default();
    let world = World {
        ledger: ledger.clone(),
        directory: Directory::new(TopologyFiles::base(file).build(&Default::default()).unwrap()),
        dials: Arc::new(|_, _| None),
        trust: Arc::new(rustls::RootCertStore::empty()),
        faults: Faults::default(),
        stores: Stores::default(),
        routes: route::table(),
    };
    let at = "127.0.0.1".parse().unwrap();
    let server = Arc::new(Server::new(Arc::new(world), "cas2010-s1".parse().unwrap(), at));
    let (client, near) = duplex(64 * 1024);
    let connection = Connection::new(1, "127.0.0.1:5000".parse().unwrap(), None, &ledger);
    tasks.spawn(http(server, near, connection));
    client
}

/// After how many seconds the server ends the connection, and what it says until then.
async fn ends(client: &mut DuplexStream) -> (u64, String) {
    let (began, mut said) = (Instant::now(), vec![]);
    client.read_to_end(&mut said).await.unwrap();
    (began.elapsed().as_secs(), String::from_utf8(said).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_is_asked_is_kept_for_two_minutes() {
    let mut tasks = JoinSet::new();
    let mut client = served(&mut tasks);
    assert_eq!(ends(&mut client).await, (120, String::new()));
    let mut client = served(&mut tasks);
    client.write_all(OPTIONS).await.unwrap();
    let (seconds, said) = ends(&mut client).await;
    assert_eq!((seconds, said.matches("HTTP/1.1 ").count()), (120, 1), "{said}");
    tasks.join_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_has_begun_is_waited_for_no_longer_than_its_limit() {
    let mut tasks = JoinSet::new();
    for first in [&b""[..], OPTIONS] {
        let mut client = served(&mut tasks);
        if !first.is_empty() {
            client.write_all(first).await.unwrap();
            let mut answer = [0; 12];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer[..9], b"HTTP/1.1 ");
        }
        client.write_all(b"GET /owa/ HTTP/1.1\r\nHo").await.unwrap();
        assert_eq!(ends(&mut client).await.0, 10);
    }
    tasks.join_all().await;
}

//! What is kept of a request's head: client -> cas2007-s1, port 80.

use std::path::Path;
use std::sync::Arc;

use directory::Directory;
use exchange::{Faults, Listener, Machine, Stores, World, route};
use ledger::{Ledger, Opener};
use model::problem::Source;
use model::topology::TopologyFiles;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn the_head_of_a_request_with_a_long_body_is_recorded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/topologies/coexistence.toml");
    let file = Source::new("coexistence.toml", std::fs::read_to_string(path).unwrap());
    let topology = TopologyFiles::base(file).build(&Default::default()).unwrap();
    let ledger = Ledger::default();
    let world = World {
        ledger: ledger.clone(),
        directory: Directory::new(topology),
        dials: Arc::new(|_, _| None),
        trust: Arc::new(rustls::RootCertStore::empty()),
        faults: Faults::default(),
        stores: Stores::default(),
        routes: route::table(),
    };
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let at = listener.local_addr().unwrap();
    let machine = Machine {
        name: "cas2007-s1".parse().unwrap(),
        source: at.ip(),
        listeners: vec![Listener::Http(listener)],
    };
    let stop = CancellationToken::new();
    let server = tokio::spawn(exchange::serve(Arc::new(world), machine, stop.clone()));

    let head = "POST /ews/exchange.asmx HTTP/1.1\r\nHOST: legacy.contoso.com\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n";
    let mut client =
        ledger.dial(at.ip(), at, Opener::Client("coexistence/ews/purple".parse().unwrap())).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 200_000]).await.unwrap();
    client.read_to_end(&mut vec![]).await.unwrap();

    assert_eq!(ledger.all()[0].head, head);
    stop.cancel();
    server.await.unwrap();
}

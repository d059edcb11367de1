//! A front end in a seat of its own, for one test.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use model::Role;
use model::problem::Source;
use model::topology::TopologyFiles;
use protocols::mailbox::{Message, Owner};
use protocols::msrpc::{self, Inbox};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A front end in its seat, and what a client needs to reach it.
pub(crate) struct Seated {
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    trust: Arc<ClientConfig>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
    behind: tokio::task::JoinSet<()>,
    pings: watch::Sender<Option<&'static str>>,
    _directory: MockServer,
    folder: std::path::PathBuf,
}

impl Seated {
    /// `host` is the last part of an address of this test's own, so that fixed ports are nobody else's.
    pub(crate) async fn take(host: u8, role: Role, topology: &str) -> Seated {
        Seated::take_and_watch(host, role, topology, None).await
    }

    /// The same for one that asks the server behind for its health this often.
    pub(crate) async fn take_and_watch(
        host: u8,
        role: Role,
        topology: &str,
        health_interval: Option<Duration>,
    ) -> Seated {
        let folder = std::env::temp_dir().join(format!("coexist-reference-{}-{host}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().unwrap();
        let root = params.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(params, root_key);
        let key = KeyPair::generate().unwrap();
        let names = [
            "mail.contoso.com",
            "cas2013-s1.contoso.com",
            "cas2010-s1.contoso.com",
            "cas2007-s1.contoso.com",
        ]
        .map(str::to_owned);
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let file = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (ca, chain) = (file("ca.pem", root.pem()), file("seat.pem", leaf.pem()));
        let key = file("seat.key", key.serialize_pem());

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain_read = vec![CertificateDer::from_pem_file(&chain).unwrap()];
        let server_tls = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain_read, PrivateKeyDer::from_pem_file(&key).unwrap())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&ca).unwrap()).unwrap();
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = listener.local_addr().unwrap();
        let mut servers = tokio::task::JoinSet::new();
        let (pings, said) = watch::channel(None);
        servers.spawn(behind(listener, TlsAcceptor::from(Arc::new(server_tls)), said));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let store = listener.local_addr().unwrap();
        servers.spawn(mailbox_server(listener));
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns = socket.local_addr().unwrap();
        servers.spawn(dns_server(socket));
        let directory = directory(topology).await;
        let low = std::process::id().to_le_bytes();
        let at = |port| SocketAddr::from(([127, 200 | (low[1] & 7), low[0], host], port));
        let (https, http) = (at(10443), at(10080));
        let seat = if role == Role::FrontEnd2013 { "cas2013-s1" } else { "cas2010-s1" };
        let lab = json!({
            "contract": 1,
            "seat": {
                "server": seat, "fqdn": format!("{seat}.contoso.com"), "site": "Site1", "role": role,
                "listen": { "https": https, "http": http },
                "certificate": { "chain": chain, "key": key, "pem": chain }
            },
            "ca": ca, "directory": directory.uri(), "source": "127.0.0.1", "dns": { "internal": dns },
            "mapped": [
                { "ip": "127.0.0.1", "port": 443, "address": door },
                { "ip": "127.0.0.1", "port": 6001, "address": store }
            ],
            "service-account": { "user": "CONTOSO\\svc-proxy", "password": "s" }
        });
        let lab = file("lab.json", lab.to_string());
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let running = tokio::spawn(reference::run(reference::Options {
            role,
            lab,
            spoil: None,
            health_interval,
            owa_timeout: None,
            stop: Box::pin(stopped),
        }));
        // Ready when the port takes a connection.
        while TcpSocket::new_v4().unwrap().connect(https).await.is_err() {
            assert!(!running.is_finished(), "{:?}", running.await);
            tokio::task::yield_now().await;
        }
        Seated {
            https,
            http,
            trust: Arc::new(trust),
            stop,
            running,
            behind: servers,
            pings,
            _directory: directory,
            folder,
        }
    }

    /// What the server behind says to whoever asks for its health, before it ends the connection; `None` for what it says to
    /// everybody.
    pub(crate) fn pings_are_told(&self, said: Option<&'static str>) {
        self.pings.send_replace(said);
    }

    /// Sends one request on a connection of its own, and reads all that comes.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let stream = TcpSocket::new_v4().unwrap().connect(self.https).await.unwrap();
        let name = ServerName::try_from("mail.contoso.com").unwrap();
        let mut stream = TlsConnector::from(self.trust.clone()).connect(name, stream).await.unwrap();
        let request = request.replacen("\n\n", "\nHost: mail.contoso.com\nConnection: close\n\n", 1);
        stream.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    pub(crate) async fn log_on(&self, user: &str, password: &str) -> String {
        let body = format!(
            "destination=https%3A%2F%2Fmail.contoso.com%2Fowa%2F&username={user}&password={password}"
        );
        let length = body.len();
        self.ask(&format!(
            "POST /owa/auth.owa HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\nContent-Length: {length}\n\n{body}"
        ))
        .await
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        drop(self.behind);
        std::fs::remove_dir_all(self.folder).unwrap();
    }
}

fn account(colour: &str, server: &str, version: &str) -> serde_json::Value {
    json!({
        "name": colour, "address": format!("{colour}@contoso.com"), "upn": format!("{colour}@contoso.com"),
        "account": format!("CONTOSO\\{colour}"), "legacy-dn": format!("/o=Contoso/cn={colour}"), "guid": "g",
        "sid": format!("S-1-{colour}"), "display-name": colour, "database": format!("db{}-s1", &version[8..]),
        "server": server, "version": version, "site": "Site1"
    })
}

async fn directory(topology: &str) -> MockServer {
    let server = MockServer::start().await;
    let topology = TopologyFiles::base(Source::new("t.toml", topology)).build(&Default::default()).unwrap();
    let given = |status, body| ResponseTemplate::new(status).set_body_json(body);
    Mock::given(path("/v1/topology")).respond_with(given(200, json!(topology))).mount(&server).await;
    for (colour, home, version) in
        [("red", "mbx2010-s1", "Exchange2010"), ("purple", "mbx2007-s1", "Exchange2007")]
    {
        let account = account(colour, home, version);
        let right = json!({ "user": format!("CONTOSO\\{colour}"), "password": "Pa&'ss" });
        Mock::given(method("POST"))
            .and(path("/v1/authenticate"))
            .and(body_partial_json(right))
            .respond_with(given(200, account.clone()))
            .mount(&server)
            .await;
        for form in [format!("{colour}@contoso.com"), format!("CONTOSO%5C{colour}")] {
            Mock::given(path(format!("/v1/mailboxes/{form}")))
                .respond_with(given(200, account.clone()))
                .mount(&server)
                .await;
        }
    }
    Mock::given(path("/v1/authenticate")).respond_with(given(401, json!({}))).mount(&server).await;
    Mock::given(path("/v1/tickets"))
        .respond_with(given(200, json!({ "ticket": "VElDS0VU" })))
        .mount(&server)
        .await;
    server
}

/// A server behind that says what it was asked, but for what it is told to say to pings.
async fn behind(listener: TcpListener, tls: TlsAcceptor, pings: watch::Receiver<Option<&'static str>>) {
    let echo = |request: Request<Incoming>| async move {
        let lines: String = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
            .collect();
        let text = format!("asked {} {}\n{lines}", request.method(), request.uri());
        let mut answer = Response::builder().header("location", "https://cas2010-s1.contoso.com/owa/x");
        if lines.contains("2010Ping") {
            // So that it can be told something else the next time.
            answer = answer.header("connection", "close");
        }
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::from(text))).unwrap())
    };
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, pings) = (tls.clone(), pings.clone());
        tokio::spawn(async move {
            // Whoever breaks off in its greeting asks nothing.
            let Ok(mut stream) = tls.accept(stream).await else { return };
            let mut head = vec![];
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            let said = *pings.borrow();
            if let Some(said) = said.filter(|_| String::from_utf8_lossy(&head).contains("2010Ping")) {
                let _ = stream.write_all(said.as_bytes()).await;
                return;
            }
            let (read, write) = tokio::io::split(stream);
            let stream = tokio::io::join(std::io::Cursor::new(head).chain(read), write);
            let builder = hyper::server::conn::http1::Builder::new();
            let _ = builder.serve_connection(TokioIo::new(stream), service_fn(echo)).await;
        });
    }
}

pub(crate) fn cookies(answer: &str) -> String {
    let lines =
        answer.lines().filter(|line| line.to_lowercase().starts_with("set-cookie: ")).map(|line| &line[12..]);
    lines.map(|line| line.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

/// DNS in which every name leads to 127.0.0.1.
async fn dns_server(socket: UdpSocket) {
    let mut query = [0; 512];
    loop {
        let (length, asker) = socket.recv_from(&mut query).await.unwrap();
        // A question's name ends with the root; its type and class follow.
        let end = 12 + query[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
        let mut answer = query[..end].to_vec();
        answer[2..12].copy_from_slice(&[0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
        socket.send_to(&answer, asker).await.unwrap();
    }
}

/// A Mailbox server that holds red's mailbox, with one message.
async fn mailbox_server(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move { msrpc::serve(stream, &Red).await });
    }
}

struct Red;

impl msrpc::Store for Red {
    async fn open(&self, user_dn: &str) -> Option<Arc<Inbox>> {
        let owner = Owner {
            address: "red@contoso.com".to_owned(),
            guid: "3f2504e0-4f89-41d3-9a0c-0305e82c3301".to_owned(),
        };
        let message = Message {
            subject: "read over MS-RPC".to_owned(),
            from: "blue@contoso.com".to_owned(),
            text: "text".to_owned(),
        };
        (user_dn == "/o=Contoso/cn=red").then(|| Arc::new(Inbox::new(owner, vec![message])))
    }
}

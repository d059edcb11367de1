//! The 2013 front end as a process runs it: its own listeners, a directory behind HTTP, one server behind TLS.
//! ```text
//! client -> cas2013-s1 (mail) -> cas2010-s1 (red)      legacy: cas2007-s1 (purple), never dialled
//! ```

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use model::Role;
use model::problem::Source;
use model::topology::TopologyFiles;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TOPOLOGY: &str = r#"
source = "a test"
role = "front-end-2013"
seat = "cas2013-s1"
domain = "contoso.com"
split-brain = true
sites.Site1 = {}
namespaces."mail.contoso.com" = { internal = ["cas2013-s1"], external = ["cas2013-s1"] }
mailboxes = {}
[databases]
db2010-s1 = { copies = ["mbx2010-s1"], active = "mbx2010-s1" }
db2007-s1 = { copies = ["mbx2007-s1"], active = "mbx2007-s1" }
[servers]
mbx2010-s1 = { version = "Exchange2010", build = "14.3.123.4", site = "Site1", roles = ["mailbox"] }
mbx2007-s1 = { version = "Exchange2007", build = "8.3.83.6", site = "Site1", roles = ["mailbox"] }
[servers.cas2013-s1]
version = "Exchange2013"
build = "15.0.847.32"
site = "Site1"
roles = ["client-access"]
[servers.cas2013-s1.directories]
owa = { authentication = ["basic"], forms = true, external-url = "https://mail.contoso.com/owa/" }
ews = { authentication = ["windows", "basic"] }
[servers.cas2010-s1]
version = "Exchange2010"
build = "14.3.123.4"
site = "Site1"
roles = ["client-access"]
[servers.cas2010-s1.directories]
owa = { authentication = ["basic"], forms = true, external-url = "https://mail.contoso.com/owa/" }
[servers.cas2007-s1]
version = "Exchange2007"
build = "8.3.83.6"
site = "Site1"
roles = ["client-access"]
[servers.cas2007-s1.directories]
owa = { authentication = ["basic"], forms = true, external-authentication = ["fba"], external-url = "https://legacy.contoso.com/owa/" }
"#;

/// A front end in its seat, and what a client needs to reach it.
struct Seated {
    https: SocketAddr,
    http: SocketAddr,
    trust: Arc<ClientConfig>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
    behind: tokio::task::JoinHandle<()>,
    _directory: MockServer,
    folder: std::path::PathBuf,
}

impl Seated {
    /// Sends one request on a connection of its own, and reads all that comes.
    async fn ask(&self, request: &str) -> String {
        let stream = TcpSocket::new_v4().unwrap().connect(self.https).await.unwrap();
        let name = ServerName::try_from("mail.contoso.com").unwrap();
        let mut stream = TlsConnector::from(self.trust.clone()).connect(name, stream).await.unwrap();
        let request = request.replacen("\n\n", "\nHost: mail.contoso.com\nConnection: close\n\n", 1);
        stream.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn log_on(&self, user: &str, password: &str) -> String {
        let body = format!("destination=https%3A%2F%2Fmail.contoso.com%2Fowa%2F&username={user}&password={password}");
        let length = body.len();
        self.ask(&format!(
            "POST /owa/auth.owa HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\nContent-Length: {length}\n\n{body}"
        ))
        .await
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        self.behind.abort();
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

async fn directory() -> MockServer {
    let server = MockServer::start().await;
    let topology = TopologyFiles::base(Source::new("t.toml", TOPOLOGY)).build(&Default::default()).unwrap();
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
    Mock::given(path("/v1/tickets")).respond_with(given(200, json!({ "ticket": "VElDS0VU" }))).mount(&server).await;
    server
}

/// A server behind that says what it was asked.
async fn behind(listener: TcpListener, tls: TlsAcceptor) {
    let echo = |request: Request<Incoming>| async move {
        let lines: String = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
            .collect();
        let text = format!("asked {} {}\n{lines}", request.method(), request.uri());
        let answer = Response::builder().header("location", "https://cas2010-s1.contoso.com/owa/x");
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::from(text))).unwrap())
    };
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let tls = tls.clone();
        tokio::spawn(async move {
            let stream = tls.accept(stream).await.unwrap();
            let builder = hyper::server::conn::http1::Builder::new();
            let _ = builder.serve_connection(TokioIo::new(stream), service_fn(echo)).await;
        });
    }
}

/// `host` is the last part of an address of this test's own, so that fixed ports are nobody else's.
async fn seated(host: u8) -> Seated {
    let folder = std::env::temp_dir().join(format!("coexist-reference-{}-{host}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let root = params.self_signed(&root_key).unwrap();
    let issuer = Issuer::new(params, root_key);
    let key = KeyPair::generate().unwrap();
    let names = ["mail.contoso.com", "cas2013-s1.contoso.com", "cas2010-s1.contoso.com"].map(str::to_owned);
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
    let behind = tokio::spawn(behind(listener, TlsAcceptor::from(Arc::new(server_tls))));
    let directory = directory().await;
    let low = std::process::id().to_le_bytes();
    let at = |port| SocketAddr::from(([127, 200 | (low[1] & 7), low[0], host], port));
    let (https, http) = (at(10443), at(10080));
    let lab = json!({
        "contract": 1,
        "seat": {
            "server": "cas2013-s1", "fqdn": "cas2013-s1.contoso.com", "site": "Site1", "role": "front-end-2013",
            "listen": { "https": https, "http": http },
            "certificate": { "chain": chain, "key": key, "pem": chain }
        },
        "ca": ca, "directory": directory.uri(), "source": "127.0.0.1",
        "dial": [{ "name": "cas2010-s1.contoso.com", "port": 443, "address": door }],
        "service-account": { "user": "CONTOSO\\svc-proxy", "password": "s" }
    });
    let lab = file("lab.json", lab.to_string());
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let running = tokio::spawn(reference::run(reference::Options {
        role: Role::FrontEnd2013,
        lab,
        spoil: None,
        stop: Box::pin(stopped),
    }));
    // Ready when the port takes a connection.
    while TcpSocket::new_v4().unwrap().connect(https).await.is_err() {
        assert!(!running.is_finished(), "{:?}", running.await);
        tokio::task::yield_now().await;
    }
    Seated { https, http, trust: Arc::new(trust), stop, running, behind, _directory: directory, folder }
}

fn cookies(answer: &str) -> String {
    let lines = answer.lines().filter_map(|line| line.to_lowercase().starts_with("set-cookie: ").then(|| &line[12..]));
    lines.map(|line| line.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn red_signs_in_by_forms_and_is_carried_to_cas2010_under_its_fqdn_and_a_ticket() {
    let seated = seated(1).await;
    let first = seated.ask("GET /owa/ HTTP/1.1\n\n").await;
    assert!(first.starts_with("HTTP/1.1 302") && first.contains("/owa/auth/logon.aspx?url="), "{first}");
    let signed_in = seated.log_on("CONTOSO%5Cred", "Pa%26%27ss").await;
    assert!(signed_in.starts_with("HTTP/1.1 302") && signed_in.contains("https://mail.contoso.com/owa/"), "{signed_in}");
    let cookies = cookies(&signed_in);
    let page = seated
        .ask(&format!("GET /owa/?a=%41 HTTP/1.1\nCookie: {cookies}; mine=1\nX-CommonAccessToken: evil\n\n"))
        .await;
    assert!(page.contains("asked GET /owa/?a=%41\n"), "{page}");
    assert!(page.contains("\nhost: cas2010-s1.contoso.com\n"), "{page}");
    assert!(page.contains("\nauthorization: Negotiate VElDS0VU\n"), "{page}");
    assert!(page.contains("\ncookie: mine=1\n") && !page.contains("evil"), "{page}");
    assert!(page.contains("location: https://mail.contoso.com/owa/x"), "{page}");
    assert!(page.to_lowercase().contains("x-feserver: cas2013-s1"), "{page}");
    seated.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purple_is_handed_over_to_legacy_with_what_was_typed_and_keeps_no_session() {
    let seated = seated(2).await;
    let page = seated.log_on("CONTOSO%5Cpurple", "Pa%26%27ss").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("action=\"https://legacy.contoso.com/owa/auth/owaauth.dll\""), "{page}");
    assert!(page.contains("Pa&amp;&#39;ss") && cookies(&page).is_empty(), "{page}");
    let wrong = seated.log_on("CONTOSO%5Cpurple", "wrong").await;
    assert!(wrong.starts_with("HTTP/1.1 302") && wrong.contains("reason=2"), "{wrong}");
    seated.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_sign_in_by_basic_and_port_80_leads_to_tls() {
    let seated = seated(3).await;
    let ews = "POST /EWS/Exchange.asmx HTTP/1.1\nContent-Length: 0\n";
    let challenge = seated.ask(&format!("{ews}\n")).await;
    assert!(challenge.starts_with("HTTP/1.1 401"), "{challenge}");
    assert_eq!(challenge.to_lowercase().matches("www-authenticate: ").count(), 1, "{challenge}");
    // CONTOSO\red:Pa&'ss
    let served = seated.ask(&format!("{ews}Authorization: Basic Q09OVE9TT1xyZWQ6UGEmJ3Nz\n\n")).await;
    assert!(served.contains("asked POST /EWS/Exchange.asmx"), "{served}");
    let climbing = seated.ask("GET /owa/%2e%2e/EWS/Exchange.asmx HTTP/1.1\n\n").await;
    assert!(climbing.starts_with("HTTP/1.1 400"), "{climbing}");

    let mut plain = TcpSocket::new_v4().unwrap().connect(seated.http).await.unwrap();
    let asked = "GET /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: autodiscover.contoso.com\r\nConnection: close\r\n\r\n";
    plain.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
    assert!(answer.contains("https://autodiscover.contoso.com/autodiscover/autodiscover.xml"), "{answer}");
    seated.end().await;
}

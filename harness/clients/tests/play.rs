//! Each kind of client against one small server that answers for every name:
//!
//! ```text
//! client -> mail.contoso.com          signs in, then sends on: a form that submits itself, 451, an Autodiscover answer
//!        -> legacy.contoso.com        the mailbox of purple-1a2b3c
//! ```

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use clients::{Limits, Network, Person, play};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ledger::Ledger;
use model::View;
use model::case::{
    Action, CertificateFault, ClientKind, Device, Password, QueryForm, Reached, SignsIn, Told, When,
};
use model::journal::Journal;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PERSON: &str = "purple-1a2b3c@contoso.com";
/// `CONTOSO\purple-1a2b3c:s3cr&t` in Basic.
const BASIC: &str = "Basic Q09OVE9TT1xwdXJwbGUtMWEyYjNjOnMzY3ImdA==";

fn when(client: ClientKind, opens: &str, does: Action) -> When {
    When {
        mailbox: "purple".parse().unwrap(),
        client,
        view: View::External,
        opens: opens.to_owned().try_into().unwrap(),
        does,
        password: Password::Right,
        sign_in: Default::default(),
        stays: false,
        comes_back: None,
        at_once: 1,
        types: None,
        device: Some(Device {
            protocol: "14.1".into(),
            kind: "iPhone".into(),
            on_451_list: true,
            autodiscover: true,
            query: QueryForm::Plain,
        }),
        can_handle: None,
        knows_exhttp: true,
        mapi_http: false,
        excludes: vec![],
        follows_link: false,
        times: 1,
        sends: vec![],
    }
}

/// Plays against the small server. Where `trusted` is not set, nobody trusts its certificate.
async fn played(when: When, trusted: bool) -> Journal {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = ["mail", "legacy", "autodiscover"].map(|n| format!("{n}.contoso.com")).to_vec();
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let web = listener.local_addr().unwrap();
    let socket = UdpSocket::bind((LOCAL, 0)).await.unwrap();
    let dns = socket.local_addr().unwrap();
    let serve = async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let service = service_fn(async |request| Ok::<_, Infallible>(answered(request).await));
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    };
    let mut trust = rustls::RootCertStore::empty();
    if trusted {
        trust.add(ca.der().clone()).unwrap();
    }
    let network = Network {
        ledger: Ledger::default(),
        source: LOCAL,
        view: View::External,
        dns,
        trust: Arc::new(trust),
        ports: Arc::new(move |_, _| web),
        directory: None,
        tickets: Arc::new(|_, _, _| None),
        site: "Site1".parse().unwrap(),
        limits: Limits::default(),
    };
    let person = Person {
        address: PERSON.into(),
        account: "CONTOSO\\purple-1a2b3c".into(),
        upn: PERSON.into(),
        legacy_dn: "/o=contoso/cn=purple-1a2b3c".into(),
        password: "s3cr&t".into(),
        device_id: "D1A2B3C".into(),
        request_id: "1a2b3c00-0000-0000-0000-000000000000".into(),
        domain: "contoso.com".parse().unwrap(),
        mailbox: "purple".parse().unwrap(),
    };
    let case = "coexistence/owa/purple".parse().unwrap();
    tokio::select! {
        journal = sendable(play(&network, &case, &when, &person)) => journal,
        () = names_answered(socket) => unreachable!(),
        () = serve => unreachable!(),
    }
}

/// The runner plays cases on any thread.
fn sendable<T>(future: impl Future<Output = T> + Send) -> impl Future<Output = T> {
    future
}

/// DNS: `contoso.com` itself does not resolve, every other name leads here (RFC 1035, section 4.1).
async fn names_answered(socket: UdpSocket) {
    let mut query = [0; 512];
    loop {
        let (length, from): (usize, SocketAddr) = socket.recv_from(&mut query).await.unwrap();
        let labels = query[12..].split(|byte| *byte == 0).next().unwrap().len() + 1;
        let leads = query[12] != 7;
        let mut answer = query[..2].to_vec();
        answer.extend(if leads {
            [0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]
        } else {
            [0x84, 3, 0, 1, 0, 0, 0, 0, 0, 0]
        });
        answer.extend(&query[12..12 + labels + 4]);
        if leads {
            answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
        }
        assert!(length >= 12 + labels + 4);
        socket.send_to(&answer, from).await.unwrap();
    }
}

async fn answered(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
    let header =
        |name: &str| head.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let signed_in = header("authorization") == BASIC;
    let host = header("host");
    let path = head.uri.path().to_ascii_lowercase();
    let (status, headers, answer): (u16, Vec<(&str, String)>, Vec<u8>) =
        match (host.as_str(), path.as_str(), head.method.as_str()) {
            ("mail.contoso.com", "/owa/", "GET") => {
                (302, vec![("location", "/owa/auth/logon.aspx?url=https%3a%2f%2fmail%2fowa%2f&reason=0".into())], vec![])
            }
            ("mail.contoso.com", "/owa/auth/logon.aspx", "GET") => (
                200,
                vec![("set-cookie", "once=1; path=/; secure".into())],
                b"<form name=logonForm action=/owa/auth.owa method=post><input type=hidden name=flags value=4>\
                  <input name=username><input type=password name=password></form>"
                    .to_vec(),
            ),
            ("mail.contoso.com", "/owa/auth.owa", "POST") => {
                assert_eq!(header("cookie"), "once=1; PBack=0");
                match body.as_str() {
                    "flags=4&username=CONTOSO%5Cpurple-1a2b3c&password=s3cr%26t" => (
                        200,
                        vec![],
                        b"<body onload='document.forms[0].submit()'><form method=post \
                          action='https://legacy.contoso.com/owa/auth/owaauth.dll'>\
                          <input type=hidden name=password value='s3cr&amp;t'></form>"
                            .to_vec(),
                    ),
                    _ => (302, vec![("location", "/owa/auth/logon.aspx?reason=2".into())], vec![]),
                }
            }
            ("legacy.contoso.com", "/owa/auth/owaauth.dll", "POST") => {
                assert_eq!((body.as_str(), header("cookie")), ("password=s3cr%26t", String::new()));
                (302, vec![("set-cookie", "sessionid=7; path=/".into()), ("location", "/owa/".into())], vec![])
            }
            ("legacy.contoso.com", "/owa/", "GET") => {
                assert_eq!(header("cookie"), "sessionid=7");
                (200, vec![], format!("<span id=\"mailbox\">{PERSON}</span>").into_bytes())
            }
            ("mail.contoso.com", "/microsoft-server-activesync", _) => {
                let there = "https://legacy.contoso.com/Microsoft-Server-ActiveSync";
                (451, vec![("x-ms-location", there.into())], vec![])
            }
            ("legacy.contoso.com", "/microsoft-server-activesync", "OPTIONS") if signed_in => {
                (200, vec![("ms-asprotocolversions", "2.5,12.1,14.1".into())], vec![])
            }
            ("legacy.contoso.com", "/microsoft-server-activesync", "POST") if signed_in => {
                // FolderSync: Status 1, SyncKey 1, Changes with one Add named "Mail of …".
                let mut wbxml = vec![3, 1, 0x6A, 0, 0, 7, 0x56, 0x4C, 3, b'1', 0, 1, 0x4E, 0x4F, 0x47, 3];
                wbxml.extend(format!("Mail of {PERSON}\0").bytes());
                wbxml.extend([1, 1, 1, 1]);
                (200, vec![], wbxml)
            }
            ("autodiscover.contoso.com", "/autodiscover/autodiscover.xml", "POST") if signed_in => (
                200,
                vec![],
                b"<Autodiscover xmlns='http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006'><Response \
                  xmlns='http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a'><Account>\
                  <Action>settings</Action><Protocol><Type>EXPR</Type><Server>mail.contoso.com</Server><EwsUrl>\
                  https://legacy.contoso.com/EWS/Exchange.asmx</EwsUrl></Protocol></Account></Response></Autodiscover>"
                    .to_vec(),
            ),
            ("legacy.contoso.com", "/ews/exchange.asmx", "POST") if signed_in => (
                200,
                vec![],
                format!(
                    "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><m:R \
                     xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages'><Subject>For {PERSON}\
                     </Subject></m:R></s:Body></s:Envelope>"
                )
                .into_bytes(),
            ),
            _ => (401, vec![("www-authenticate", "Negotiate, Basic realm=\"x\"".into())], vec![]),
        };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(answer))).unwrap()
}

/// Every leg: the namespace, how it was reached, prompts for credentials, how it signed in, what was told.
fn told(journal: &Journal) -> Vec<(String, Reached, u8, SignsIn, String)> {
    journal
        .legs
        .iter()
        .map(|l| (l.dials.to_string(), l.reached, l.credential_prompts, l.signed_in, l.told.to_string()))
        .collect()
}

fn leg(
    dials: &str,
    reached: Reached,
    prompts: u8,
    signs_in: SignsIn,
    told: &str,
) -> (String, Reached, u8, SignsIn, String) {
    (format!("{dials}.contoso.com"), reached, prompts, signs_in, told.to_owned())
}

const OWA: &str = "https://mail.contoso.com/owa/";

#[tokio::test]
async fn a_browser_types_once_and_is_carried_on_by_a_form_that_submits_itself() {
    let journal = played(when(ClientKind::Browser, OWA, Action::OpenMailbox), true).await;
    assert_eq!(
        told(&journal),
        [
            leg("mail", Reached::Typed, 1, SignsIn::Forms, "silent redirect https://legacy.contoso.com/owa/"),
            leg("legacy", Reached::Told, 0, SignsIn::Silent, "mailbox purple"),
        ]
    );
    assert!(journal.legs.iter().all(|leg| leg.certificate_prompts.is_empty()));
    assert!(!format!("{journal:?}").contains("s3cr"));
}

#[tokio::test]
async fn a_wrong_password_ends_at_the_logon_page_and_none_never_fills_it_in() {
    let mut wrong = when(ClientKind::Browser, OWA, Action::OpenMailbox);
    wrong.password = Password::Wrong;
    let journal = played(wrong.clone(), true).await;
    assert_eq!(told(&journal), [leg("mail", Reached::Typed, 1, SignsIn::Forms, "logon page, reason 2")]);
    wrong.password = Password::None;
    let journal = played(wrong, true).await;
    assert_eq!(told(&journal), [leg("mail", Reached::Typed, 0, SignsIn::None, "logon page, reason 0")]);
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_asked_about_once_a_leg() {
    let journal = played(when(ClientKind::Browser, OWA, Action::OpenMailbox), false).await;
    let asked: Vec<_> = journal.legs.iter().map(|leg| leg.certificate_prompts.clone()).collect();
    assert_eq!(asked, [[CertificateFault::Trust], [CertificateFault::Trust]]);
}

#[tokio::test]
async fn a_device_takes_its_command_to_the_address_of_a_451() {
    let opens = "https://mail.contoso.com/Microsoft-Server-ActiveSync";
    let journal = played(when(ClientKind::Device, opens, Action::FolderSync), true).await;
    let there = "451 https://legacy.contoso.com/Microsoft-Server-ActiveSync";
    assert_eq!(
        told(&journal),
        [
            leg("mail", Reached::Typed, 0, SignsIn::Basic, there),
            leg("legacy", Reached::Told, 0, SignsIn::Basic, "mailbox purple"),
        ]
    );
    let statuses: HashMap<u16, usize> =
        journal.legs.iter().flat_map(|leg| &leg.exchanges).fold(HashMap::new(), |mut all, exchange| {
            *all.entry(exchange.status).or_default() += 1;
            all
        });
    assert_eq!(statuses, HashMap::from([(451, 1), (200, 2)]));
}

#[tokio::test]
async fn outlook_skips_a_name_that_does_not_resolve_and_signs_in_only_once_asked() {
    let journal = played(when(ClientKind::Outlook, "outlook:purple", Action::GetFolder), true).await;
    assert_eq!(
        told(&journal),
        [
            leg(
                "autodiscover",
                Reached::Dns,
                0,
                SignsIn::Basic,
                "answer by one of : outlook-anywhere mail.contoso.com, ews legacy.contoso.com, oab absent, eas absent, exhttp []"
            ),
            leg("legacy", Reached::Told, 0, SignsIn::Basic, "mailbox purple"),
        ]
    );
    let statuses: Vec<u16> =
        journal.legs.iter().flat_map(|leg| &leg.exchanges).map(|exchange| exchange.status).collect();
    assert_eq!(statuses, [401, 200, 401, 200, 200]);
}

#[tokio::test]
async fn a_stored_password_that_is_wrong_is_one_prompt_and_the_end() {
    let mut wrong = when(ClientKind::Outlook, "outlook:purple", Action::GetFolder);
    wrong.password = Password::Wrong;
    let journal = played(wrong, true).await;
    assert_eq!(told(&journal), [leg("autodiscover", Reached::Dns, 1, SignsIn::Basic, "refused with 401")]);
    assert!(matches!(journal.legs[0].told, Told::Refused(401)));
}

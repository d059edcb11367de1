//! Each kind of client against one small server that answers for every name:
//!
//! ```text
//! client -> mail.contoso.com          signs in, then sends on: a form that submits itself, 451, an Autodiscover answer
//!        -> legacy.contoso.com        the mailbox of purple-1a2b3c
//! ```

mod ground;

use std::collections::HashMap;
use std::convert::Infallible;

use bytes::Bytes;
use clients::play;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use model::case::{Action, CertificateFault, ClientKind, Password, Reached, SignsIn, Told, When};
use model::journal::Journal;
use tokio::net::{TcpListener, UdpSocket};

use ground::{LOCAL, PERSON, certified, names_answered, network, person, when};

/// `CONTOSO\purple-1a2b3c:s3cr&t` in Basic.
const BASIC: &str = "Basic Q09OVE9TT1xwdXJwbGUtMWEyYjNjOnMzY3ImdA==";

/// Plays against the small server. Where `trusted` is not set, nobody trusts its certificate.
async fn played(when: When, trusted: bool) -> Journal {
    let (acceptor, roots) = certified();
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
    let trust = if trusted { roots } else { rustls::RootCertStore::empty() };
    let (network, person) = (network(dns, web, trust), person());
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

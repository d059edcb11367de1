//! ```text
//! client -> cas2013-s1 (mail) -> cas2010-s1 (red)      legacy: cas2007-s1 (purple), never dialled
//! ```

use model::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::seated::{Seated, cookies};

pub(crate) const TOPOLOGY: &str = r#"
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

async fn seated(host: u8) -> Seated {
    Seated::take(host, Role::FrontEnd2013, TOPOLOGY).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn red_signs_in_by_forms_and_is_carried_to_cas2010_under_its_fqdn_and_a_ticket() {
    let seated = seated(1).await;
    let first = seated.ask("GET /owa/ HTTP/1.1\n\n").await;
    assert!(first.starts_with("HTTP/1.1 302") && first.contains("/owa/auth/logon.aspx?url="), "{first}");
    let signed_in = seated.log_on("CONTOSO%5Cred", "Pa%26%27ss").await;
    assert!(
        signed_in.starts_with("HTTP/1.1 302") && signed_in.contains("https://mail.contoso.com/owa/"),
        "{signed_in}"
    );
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

/// What a WWW-Authenticate line offers.
fn offer(line: &str) -> Option<String> {
    let (name, offer) = line.split_once(": ")?;
    name.eq_ignore_ascii_case("www-authenticate").then(|| offer.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_sign_in_by_basic_and_port_80_leads_to_tls() {
    let seated = seated(3).await;
    let ews = "POST /EWS/Exchange.asmx HTTP/1.1\nContent-Length: 0\n";
    let challenge = seated.ask(&format!("{ews}\n")).await;
    assert!(challenge.starts_with("HTTP/1.1 401"), "{challenge}");
    let lines: Vec<String> = challenge.lines().filter_map(offer).collect();
    assert_eq!(lines, ["Negotiate", "NTLM", "Basic realm=\"mail.contoso.com\""]);
    // CONTOSO\red:Pa&'ss
    let served = seated.ask(&format!("{ews}Authorization: Basic Q09OVE9TT1xyZWQ6UGEmJ3Nz\n\n")).await;
    assert!(served.contains("asked POST /EWS/Exchange.asmx"), "{served}");
    // X-SEC-3: whoever asks, it is refused; and nobody is told so before he has signed in.
    let climbs = "GET /EWS/%2e%2e/owa/ HTTP/1.1\n";
    let climbing = seated.ask(&format!("{climbs}Authorization: Basic Q09OVE9TT1xyZWQ6UGEmJ3Nz\n\n")).await;
    assert!(climbing.starts_with("HTTP/1.1 400"), "{climbing}");
    let nobody = seated.ask(&format!("{climbs}\n")).await;
    assert!(nobody.starts_with("HTTP/1.1 401"), "{nobody}");

    let mut plain = TcpSocket::new_v4().unwrap().connect(seated.http).await.unwrap();
    let asked = "GET /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: autodiscover.contoso.com\r\nConnection: close\r\n\r\n";
    plain.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
    assert!(answer.contains("https://autodiscover.contoso.com/autodiscover/autodiscover.xml"), "{answer}");
    seated.end().await;
}

//! ```text
//! client -> cas2010-s1 (mail) => mbx2010-s1 (red)      legacy: cas2007-s1 (purple: redirected, or proxied for devices)
//! ```

use model::Role;

use crate::seated::{Seated, cookies};

const TOPOLOGY: &str = r#"
source = "a test"
role = "front-end-2010"
seat = "cas2010-s1"
domain = "contoso.com"
split-brain = true
sites.Site1 = {}
namespaces = {}
mailboxes = {}
oabs.oab-2007 = { guid = "0d2007a1", distribution-points = ["cas2007-s1"] }
[databases]
db2010-s1 = { copies = ["mbx2010-s1"], active = "mbx2010-s1" }
db2007-s1 = { copies = ["mbx2007-s1"], active = "mbx2007-s1", oab = "oab-2007" }
[servers]
mbx2010-s1 = { version = "Exchange2010", build = "14.3.123.4", site = "Site1", roles = ["mailbox"] }
mbx2007-s1 = { version = "Exchange2007", build = "8.3.83.6", site = "Site1", roles = ["mailbox"] }
[servers.cas2010-s1]
version = "Exchange2010"
build = "14.3.123.4"
site = "Site1"
roles = ["client-access"]
[servers.cas2010-s1.outlook-anywhere]
external-host = "mail.contoso.com"
external-authentication = "basic"
external-ssl = true
iis-authentication = ["basic"]
[servers.cas2010-s1.directories]
autodiscover = { authentication = ["basic"] }
owa = { authentication = ["basic"], forms = true, external-url = "https://mail.contoso.com/owa/" }
ews = { authentication = ["basic"], external-url = "https://mail.contoso.com/EWS/Exchange.asmx" }
eas = { authentication = ["basic"], external-url = "https://mail.contoso.com/Microsoft-Server-ActiveSync" }
[servers.cas2007-s1]
version = "Exchange2007"
build = "8.3.83.6"
site = "Site1"
roles = ["client-access"]
[servers.cas2007-s1.directories]
owa = { authentication = ["basic"], forms = true, external-authentication = ["fba"], external-url = "https://legacy.contoso.com/owa/" }
ews = { authentication = ["basic"], external-url = "https://legacy.contoso.com/EWS/Exchange.asmx" }
oab = { authentication = ["basic"], external-url = "https://legacy.contoso.com/OAB/" }
eas = { authentication = ["basic"], external-url = "https://legacy.contoso.com/Microsoft-Server-ActiveSync" }
"#;

async fn seated(host: u8) -> Seated {
    Seated::take(host, Role::FrontEnd2010, TOPOLOGY).await
}

// CONTOSO\purple:Pa&'ss
const PURPLE: &str = "Authorization: Basic Q09OVE9TT1xwdXJwbGU6UGEmJ3Nz";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn red_is_read_at_its_mailbox_server_and_shown() {
    let seated = seated(4).await;
    let signed_in = seated.log_on("CONTOSO%5Cred", "Pa%26%27ss").await;
    let cookies = cookies(&signed_in);
    assert!(cookies.contains("sessionid="), "{signed_in}");
    let page = seated.ask(&format!("GET /owa/ HTTP/1.1\nCookie: {cookies}\n\n")).await;
    assert!(page.contains("red@contoso.com") && page.contains("read over MS-RPC"), "{page}");
    seated.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purple_is_handed_to_legacy_and_its_device_carried_to_cas2007() {
    let seated = seated(5).await;
    let page = seated.log_on("CONTOSO%5Cpurple", "Pa%26%27ss").await;
    assert!(page.contains("https://legacy.contoso.com/owa/auth/owaauth.dll"), "{page}");
    let device = seated
        .ask(&format!(
            "OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1\n{PURPLE}\nUser-Agent: Apple-iPhone\n\n"
        ))
        .await;
    assert!(device.contains("asked OPTIONS /Microsoft-Server-ActiveSync"), "{device}");
    assert!(device.contains("\nhost: cas2007-s1.contoso.com\n"), "{device}");
    seated.end().await;
}

/// The table "What the Autodiscover answer names", row purple (PRE-AD-2).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn autodiscover_names_mail_for_outlook_anywhere_and_legacy_for_ews_and_oab_of_purple() {
    let seated = seated(6).await;
    let ask = |kind: &str, schema: &str| {
        let body = format!(
            "<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/{kind}/requestschema/2006\"><Request><EMailAddress>purple@contoso.com</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/{kind}/responseschema/{schema}</AcceptableResponseSchema></Request></Autodiscover>"
        );
        format!(
            "POST /autodiscover/autodiscover.xml HTTP/1.1\n{PURPLE}\nContent-Type: text/xml\nContent-Length: {}\n\n{body}",
            body.len()
        )
    };
    let outlook = seated.ask(&ask("outlook", "2006a")).await;
    for cell in [
        "<Server>mail.contoso.com</Server>",
        "<EwsUrl>https://legacy.contoso.com/EWS/Exchange.asmx</EwsUrl>",
        "<OABUrl>https://legacy.contoso.com/OAB/0d2007a1/</OABUrl>",
        "<Server>mbx2007-s1.contoso.com</Server>",
    ] {
        assert!(outlook.contains(cell), "{cell}\n{outlook}");
    }
    let device = seated.ask(&ask("mobilesync", "2006")).await;
    assert!(device.contains("<Url>https://mail.contoso.com/Microsoft-Server-ActiveSync</Url>"), "{device}");
    seated.end().await;
}

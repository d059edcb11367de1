//! Rows of the rule book, decided over one small topology; the front end sits in Site1.
//! ```text
//! Site1  cas2013-s1  cas2010-s1 (mail)  cas2007-s1 (legacy) | mbx2013-s1  mbx2013-s1b  mbx2010-s1  mbx2007-s1
//! Site2  cas2010-s2 (mail-region)                           | mbx2010-s2
//! Site3  cas2010-s3  cas2007-s3  (no ExternalURL)           | mbx2010-s3  mbx2007-s3
//! ```

use model::problem::Source;
use model::topology::{Devices451, TopologyFiles};

use super::*;

const HEAD: &str = r#"
source = "a test"
role = "front-end-2013"
seat = "cas2013-s1"
domain = "contoso.com"
split-brain = true
sites = { Site1 = {}, Site2 = {}, Site3 = {} }
namespaces = {}
[mailboxes]
[databases]
db2013-s1 = { copies = ["mbx2013-s1", "mbx2013-s1b"], active = "mbx2013-s1b", oab = "oab-2013" }
db2010-s1 = { copies = ["mbx2010-s1"], active = "mbx2010-s1", oab = "oab-2010" }
db2010-s2 = { copies = ["mbx2010-s2"], active = "mbx2010-s2", oab = "oab-2010" }
db2010-s3 = { copies = ["mbx2010-s3"], active = "mbx2010-s3", oab = "oab-2010" }
db2007-s1 = { copies = ["mbx2007-s1"], active = "mbx2007-s1" }
db2007-s3 = { copies = ["mbx2007-s3"], active = "mbx2007-s3" }
[oabs]
oab-2013 = { guid = "aa", distribution-points = [], organization-mailbox = "db2013-s1" }
oab-2010 = { guid = "bb", distribution-points = ["cas2010-s1", "cas2010-s3"] }
"#;

const SERVERS: [(&str, &str, &str); 12] = [
    ("cas2013-s1", "client-access", "mail"),
    ("cas2010-s1", "client-access", "mail"),
    ("cas2007-s1", "client-access", "legacy"),
    ("cas2010-s2", "client-access", "mail-region"),
    ("cas2010-s3", "client-access", ""),
    ("cas2007-s3", "client-access", ""),
    ("mbx2013-s1", "mailbox", ""),
    ("mbx2013-s1b", "mailbox", ""),
    ("mbx2010-s1", "mailbox", ""),
    ("mbx2010-s2", "mailbox", ""),
    ("mbx2010-s3", "mailbox", ""),
    ("mbx2007-s1", "mailbox", ""),
];

fn topology() -> Topology {
    let mut text = HEAD.to_owned();
    for (name, role, published) in SERVERS.into_iter().chain([("mbx2007-s3", "mailbox", "")]) {
        let version = &name[3..7];
        let build = match version {
            "2007" => "8.3.83.6",
            "2010" => "14.3.123.4",
            _ => "15.0.847.32",
        };
        let site = &name[9..10];
        text += &format!(
            "[servers.{name}]\nversion = \"Exchange{version}\"\nbuild = \"{build}\"\nsite = \"Site{site}\"\nroles = [\"{role}\"]\n"
        );
        for (protocol, path) in [("owa", "/owa/"), ("eas", "/Microsoft-Server-ActiveSync"), ("oab", "/OAB/")]
        {
            if role == "client-access" {
                text += &format!("[servers.{name}.directories.{protocol}]\nauthentication = [\"basic\"]\n");
                text += "forms = true\nexternal-authentication = [\"fba\"]\n";
                if !published.is_empty() {
                    text += &format!("external-url = \"https://{published}.contoso.com{path}\"\n");
                }
            }
        }
    }
    TopologyFiles::base(Source::new("small.toml", text)).build(&Default::default()).unwrap()
}

/// A question of whoever's mailbox is in this database, who signed in by the logon page.
fn question(role: Role, protocol: Protocol, database: &str, change: impl FnOnce(&mut Topology)) -> Question {
    let mut topology = topology();
    change(&mut topology);
    let seat = if role == Role::FrontEnd2013 { "cas2013-s1" } else { "cas2010-s1" };
    let database: model::DatabaseName = database.parse().unwrap();
    let home = topology.databases[&database].active.clone();
    let (version, site) = (topology.servers[&home].version, topology.servers[&home].site.clone());
    let text = |text: &str| text.to_owned();
    Question {
        client: Client { connection: 1, socket: "127.0.0.1:9".parse().unwrap() },
        role,
        seat: seat.parse().unwrap(),
        topology: Arc::new(topology),
        protocol,
        verb: Method::GET,
        target: text("/"),
        host: None,
        cookies: None,
        sign_in: SignIn::Typed,
        account: Some(Account {
            address: text("user@contoso.com"),
            upn: text("user@contoso.com"),
            account: text("CONTOSO\\user"),
            legacy_dn: text("/o=Contoso/cn=user"),
            guid: text("g"),
            sid: text("s"),
            display_name: text("User"),
            database,
            server: home,
            version,
            site,
        }),
        claimed: None,
        device: Device::default(),
        down: Down::new(),
    }
}

/// A decision in few words.
fn said(question: &Question) -> String {
    match Rules.decide(question) {
        Decision::Proxy(to) => {
            let to: Vec<_> = to
                .iter()
                .map(|to| format!("{}:{}", to.host.as_str().split('.').next().unwrap(), to.port))
                .collect();
            format!("-> {}", to.join(" "))
        }
        Decision::SilentRedirect(url, _) => format!("silent {}", url.host),
        Decision::Found(url) => format!("found {}", url.host),
        Decision::Manual(url) => format!("manual {}", url.host),
        Decision::Http451(url) => format!("451 {}", url.unwrap().host),
        Decision::Serve(server) => format!("=> {server}"),
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn check(role: Role, protocol: Protocol, database: &str, expected: &str) {
    assert_eq!(said(&question(role, protocol, database, |_| ())), expected, "{protocol} {database}");
}

#[test]
fn a_2013_front_end_goes_where_the_rows_of_the_rule_book_say() {
    let check = |protocol, database, expected| check(Role::FrontEnd2013, protocol, database, expected);
    check(Protocol::Owa, "db2010-s1", "-> cas2010-s1:443"); // CX-OWA-1
    check(Protocol::Owa, "db2007-s1", "silent legacy.contoso.com"); // CX-OWA-2
    check(Protocol::Owa, "db2010-s3", "-> cas2010-s3:443"); // CX-OWA-3
    check(Protocol::Owa, "db2010-s2", "silent mail-region.contoso.com"); // CX-OWA-4B
    check(Protocol::Owa, "db2007-s3", "silent legacy.contoso.com"); // CX-OWA-5
    check(Protocol::Owa, "db2013-s1", "-> mbx2013-s1b:444"); // CX-OWA-6
    check(Protocol::Ecp, "db2007-s1", "silent legacy.contoso.com"); // X-ECP-1
    check(Protocol::Eas, "db2007-s3", "-> mbx2013-s1:444 mbx2013-s1b:444"); // CX-EAS-5
    check(Protocol::Eas, "db2010-s2", "-> cas2010-s2:443"); // CX-EAS-4B
    check(Protocol::Autodiscover, "db2007-s1", "-> mbx2013-s1:444 mbx2013-s1b:444"); // CX-AD-2
    check(Protocol::Autodiscover, "db2010-s3", "-> cas2010-s3:443"); // CX-AD-1
    check(Protocol::Ews, "db2010-s3", "-> cas2010-s3:443"); // CX-EWS-3
    check(Protocol::OutlookAnywhere, "db2010-s3", "-> cas2010-s3:443"); // CX-OA-3
    check(Protocol::OutlookAnywhere, "db2007-s3", "-> cas2007-s3:443"); // CX-OA-8
    check(Protocol::OutlookAnywhere, "db2013-s1", "-> mbx2013-s1b:444"); // CX-OA-5
    check(Protocol::Oab, "db2010-s3", "-> cas2010-s1:443"); // CX-OAB-3: the front end's site
    check(Protocol::Oab, "db2013-s1", "-> mbx2013-s1b:444"); // CX-OAB-7
}

#[test]
fn the_server_that_a_query_names_is_not_asked() {
    let mut question = question(Role::FrontEnd2013, Protocol::OutlookAnywhere, "db2010-s1", |_| ());
    question.target = "/rpc/rpcproxy.dll?cas2010-s3.contoso.com:6001".to_owned();
    assert_eq!(said(&question), "-> cas2010-s1:443"); // X-SEC-2
}

#[test]
fn a_2010_front_end_goes_where_the_rows_of_the_rule_book_say() {
    let check = |protocol, database, expected| check(Role::FrontEnd2010, protocol, database, expected);
    check(Protocol::Owa, "db2010-s1", "=> mbx2010-s1.contoso.com"); // PRE-OWA-1
    check(Protocol::Owa, "db2007-s1", "silent legacy.contoso.com"); // PRE-OWA-2
    check(Protocol::Owa, "db2010-s3", "-> cas2010-s3:443"); // PRE-OWA-3
    check(Protocol::Owa, "db2010-s2", "manual mail-region.contoso.com"); // PRE-OWA-4B
    check(Protocol::Owa, "db2007-s3", "-> cas2007-s3:443"); // X-OWA-2, violet
    check(Protocol::Eas, "db2007-s1", "-> cas2007-s1:443"); // PRE-EAS-2
    check(Protocol::Eas, "db2010-s2", "-> cas2010-s2:443"); // PRE-EAS-4C
    check(Protocol::Autodiscover, "db2007-s1", "WriteAutodiscover"); // PRE-AD-1
}

#[test]
fn the_list_of_devices_is_a_preset() {
    let asked = |preset, device: Device| {
        let mut question = question(Role::FrontEnd2010, Protocol::Eas, "db2010-s2", |topology| {
            let seat = topology.servers.get_mut(&"cas2010-s1".parse().unwrap()).unwrap();
            seat.directories.get_mut(&Protocol::Eas).unwrap().devices_451 = Some(preset);
        });
        question.device = device;
        said(&question).starts_with("451 mail-region")
    };
    let listed = Device { on_list: true, autodiscover: true, ..Device::default() };
    let at = |version| Device { protocol_version: Some(version), ..Device::default() };
    assert!(asked(Devices451::ArticleList, listed.clone()));
    assert!(!asked(Devices451::ArticleList, Device { autodiscover: false, ..listed }));
    assert!(asked(Devices451::From121, at((12, 1))) && !asked(Devices451::From121, at((12, 0))));
    assert!(asked(Devices451::After121, at((14, 0))) && !asked(Devices451::After121, at((12, 1))));
}

#[test]
fn a_target_without_forms_gets_no_credentials() {
    let mut question = question(Role::FrontEnd2013, Protocol::Owa, "db2007-s1", |topology| {
        let target = topology.servers.get_mut(&"cas2007-s1".parse().unwrap()).unwrap();
        target.directories.get_mut(&Protocol::Owa).unwrap().external_authentication.clear();
    });
    assert_eq!(said(&question), "found legacy.contoso.com"); // X-OWA-1
    question.sign_in = SignIn::Not;
    question.account = None;
    assert_eq!(said(&question), "Challenge"); // GEN-1
}

#[test]
fn a_server_out_of_service_is_no_candidate() {
    let question = question(Role::FrontEnd2013, Protocol::Owa, "db2010-s1", |topology| {
        topology.servers.get_mut(&"cas2010-s1".parse().unwrap()).unwrap().out_of_service = true;
    });
    assert_eq!(said(&question), "Refuse(503)"); // CX-OOS-1, CX-HLT-7
}

#[test]
fn an_external_url_counts_for_its_own_protocol_only() {
    let publish = |topology: &mut Topology| {
        let site3 = topology.servers.get_mut(&"cas2010-s3".parse().unwrap()).unwrap();
        let url = "https://mail-site3.contoso.com/owa/".parse().unwrap();
        site3.directories.get_mut(&Protocol::Owa).unwrap().external_url = Some(model::ExternalUrl(url));
    };
    let owa = question(Role::FrontEnd2013, Protocol::Owa, "db2010-s3", publish);
    assert_eq!(said(&owa), "silent mail-site3.contoso.com"); // TOP-1
    let mut eas = question(Role::FrontEnd2010, Protocol::Eas, "db2010-s3", publish);
    eas.device = Device { on_list: true, autodiscover: true, ..Device::default() };
    assert_eq!(said(&eas), "-> cas2010-s3:443");
}

#[test]
fn a_base64_query_tells_its_version() {
    // MS-ASHTTP 2.2.1.1.1.1: version 141, command 9 …; "jQkJBA==" begins so.
    let device = Device::of(&http::HeaderMap::new(), "jQkJBApEZXZpY2U=");
    assert_eq!(device.protocol_version, Some((14, 1)));
    assert_eq!(Device::of(&http::HeaderMap::new(), "Cmd=Sync&User=x").protocol_version, None);
}

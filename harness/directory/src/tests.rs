//! One server, one database, one mailbox:
//! ```text
//! Site1: mbx2010-s1 (db2010-s1: red)
//! ```

use model::problem::Source;
use model::topology::TopologyFiles;

use super::*;

const TOPOLOGY: &str = r#"
source = "a test"
role = "front-end-2010"
seat = "mbx2010-s1"
domain = "contoso.com"
split-brain = true
sites.Site1 = {}
namespaces = {}
mailboxes.red.database = "db2010-s1"
[servers.mbx2010-s1]
version = "Exchange2010"
build = "14.3.123.4"
site = "Site1"
roles = ["client-access", "mailbox"]
[databases.db2010-s1]
copies = ["mbx2010-s1"]
active = "mbx2010-s1"
"#;

fn directory() -> Directory {
    let files = TopologyFiles::base(Source::new("small.toml", TOPOLOGY));
    Directory::new(files.build(&Default::default()).unwrap())
}

fn case() -> CaseId {
    "coexistence/owa/red".parse().unwrap()
}

#[test]
fn a_lease_is_the_same_mailbox_each_time_and_signs_in_by_every_form() {
    let directory = directory();
    let colour = "red".parse().unwrap();
    let lease = directory.lease(&case(), &colour, None).unwrap();
    assert_eq!(lease, directory.lease(&case(), &colour, None).unwrap());
    for form in lease.forms() {
        assert!(directory.authenticate(&form.to_uppercase(), &lease.password).is_some(), "{form}");
    }
    assert!(directory.authenticate(&lease.address, "wrong").is_none());
}

#[test]
fn a_ticket_is_taken_by_the_server_it_is_for_and_by_no_other() {
    let directory = directory();
    let service = directory.service();
    let asker = Some((service.user.as_str(), service.password.as_str()));
    let own: HostName = "cas2010-s1.contoso.com".parse().unwrap();
    let ticket = directory.issue(asker, "red@contoso.com", "HTTP/cas2010-s1.contoso.com").unwrap();
    assert_eq!(directory.redeem(&ticket, &own).unwrap().name.as_str(), "red");
    let namespace = "mail.contoso.com".parse().unwrap();
    assert_eq!(directory.redeem(&ticket, &namespace), Err(TicketRefused::ForAnother(own)));
    assert_eq!(
        directory.issue(None, "red", "HTTP/cas2010-s1.contoso.com"),
        Err(TicketRefused::NotTheServiceAccount)
    );
}

#[expect(clippy::disallowed_methods, reason = "no lab here: one listener on loopback for the door itself")]
fn listener() -> (tokio::net::TcpListener, std::net::SocketAddr) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    (tokio::net::TcpListener::from_std(listener).unwrap(), at)
}

#[tokio::test]
async fn the_door_states_facts_and_no_password() {
    let (listener, at) = listener();
    let directory = directory();
    let moved = directory.clone();
    let served = tokio::spawn(async move { axum::serve(listener, http::door(directory)).await });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let said = client.get(format!("http://{at}/v1/mailboxes/red@contoso.com")).send().await.unwrap();
    let text = said.text().await.unwrap();
    assert!(text.contains("\"server\":\"mbx2010-s1\""), "{text}");
    assert!(!text.contains("pass-red"), "{text}");
    let topology = format!("http://{at}/v1/topology");
    let said = client.get(&topology).send().await.unwrap();
    let tag = said.headers()["etag"].clone();
    let said = client.get(&topology).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(said.status(), 304);
    moved.steer(|topology| topology.split_brain = false);
    let said = client.get(&topology).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(said.status(), 200);
    let wrong = serde_json::json!({ "user": "red", "password": "no" });
    let said = client.post(format!("http://{at}/v1/authenticate")).json(&wrong).send().await.unwrap();
    assert_eq!(said.status(), 401);
    served.abort();
}

/// The published messages of MS-NLMP, section 4.2.4, at the door; and a ticket that a user asked for himself.
#[tokio::test]
async fn the_door_says_whose_ntlm_response_and_whose_ticket_it_is_given() {
    const CHALLENGE: &str = "ASNFZ4mrze8=";
    const RESPONSE: &str = "TlRMTVNTUAADAAAAGAAYAGwAAABUAFQAhAAAAAwADABIAAAACAAIAFQAAAAQABAAXAAAABAAEADYAAAANYKI4gUBKAoAAAAP\
        RABvAG0AYQBpAG4AVQBzAGUAcgBDAE8ATQBQAFUAVABFAFIAhsNQl6yc7BAlVHZKV8zMGaqqqqqqqqqqaM0KuFHlHJaqvJJ7\
        6+9qHAEBAAAAAAAAAAAAAAAAAACqqqqqqqqqqgAAAAACAAwARABvAG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAAAAAAA\
        xdrSVE/JeZCUzhzpC8nQPg==";
    let (listener, at) = listener();
    let directory = directory();
    let red = directory.find("red").unwrap();
    let user =
        Account { account: "Domain\\User".into(), password: "Password".into(), ..Account::clone(&red) };
    directory.add(user);
    let own = directory.issue(Some(("red", "Password")), "red", "HTTP/mail.contoso.com").unwrap();
    let served = tokio::spawn(async move { axum::serve(listener, http::door(directory)).await });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |path: &str, given: serde_json::Value, service: bool| {
        let request = client.post(format!("http://{at}/v1/{path}")).json(&given);
        let request = match service {
            true => request.basic_auth("CONTOSO\\svc-proxy", Some("delegate-0f3b")),
            false => request,
        };
        let said = request.send().await.unwrap();
        (said.status().as_u16(), said.text().await.unwrap())
    };
    let given = |challenge: &str, response: &str| serde_json::json!({ "challenge": challenge, "authenticate": response });
    let (status, said) = ask("ntlm", given(CHALLENGE, RESPONSE), false).await;
    assert!(status == 200 && said.contains("\"address\":\"red@contoso.com\""), "{status} {said}");
    assert!(!said.contains("Password"), "{said}");
    assert_eq!(ask("ntlm", given("AAAAAAAAAAA=", RESPONSE), false).await.0, 401, "another challenge");
    assert_eq!(ask("ntlm", given("AAAA", RESPONSE), false).await.0, 400);
    let (status, said) = ask("ntlm", given(CHALLENGE, "TlRMTVNTUAABAAAA"), false).await;
    assert!(status == 400 && said.contains("of type 1"), "{status} {said}");

    let given = |ticket: &str| serde_json::json!({ "ticket": ticket, "to": "HTTP/cas2010-s1.contoso.com" });
    let (status, said) = ask("tickets/redeem", given(&own), true).await;
    assert!(status == 200 && said.contains("\"address\":\"red@contoso.com\""), "{status} {said}");
    assert_eq!(ask("tickets/redeem", given(&own), false).await.0, 401, "not the service account");
    assert_eq!(ask("tickets/redeem", given("eA=="), true).await.0, 401, "nobody's");
    served.abort();
}

#[test]
fn a_user_gets_a_ticket_of_his_own_and_nobody_elses() {
    let directory = directory();
    let asker = Some(("red", "pass-red"));
    let ticket = directory.issue(asker, "CONTOSO\\red", "HTTP/mail.contoso.com").unwrap();
    let anywhere = "cas2010-s1.contoso.com".parse().unwrap();
    assert_eq!(directory.redeem(&ticket, &anywhere).unwrap().name.as_str(), "red");
    let (blue, domain) = ("blue".parse().unwrap(), "contoso.com".parse().unwrap());
    let database = "db2010-s1".parse().unwrap();
    directory.add(Account::new(&blue, &blue, None, &domain, database, "pass-blue".into()));
    for (asker, of) in [(asker, "blue@contoso.com"), (Some(("red", "wrong")), "red"), (None, "red")] {
        let refused = directory.issue(asker, of, "HTTP/mail.contoso.com");
        assert_eq!(refused, Err(TicketRefused::NotTheServiceAccount), "{asker:?} {of}");
    }
}

/// A lease of red goes where red goes (rule GEN-2).
#[test]
fn accounts_go_where_their_mailbox_goes() {
    let directory = directory();
    let red = directory.lease(&case(), &"red".parse().unwrap(), None).unwrap();
    let changes = directory.changes();
    directory.steer(|topology| {
        let database = topology.databases[&"db2010-s1".parse().unwrap()].clone();
        topology.databases.insert("db2010-s1b".parse().unwrap(), database);
        topology.mailboxes.values_mut().for_each(|red| red.database = "db2010-s1b".parse().unwrap());
    });
    let facts = directory.facts(&red.upn).unwrap();
    assert_eq!((facts.account.database.as_str(), directory.changes()), ("db2010-s1b", changes + 1));
}

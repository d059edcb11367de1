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
roles = ["mailbox"]
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

#[tokio::test]
async fn the_door_states_facts_and_no_password() {
    #[allow(clippy::disallowed_methods)] // no lab here: one listener on loopback for the door itself
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let directory = directory();
    let moved = directory.clone();
    let served = tokio::spawn(async move { axum::serve(listener, http::door(directory)).await });
    let client = reqwest::Client::new();
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

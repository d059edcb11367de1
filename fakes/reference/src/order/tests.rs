//! ```text
//! Site1: cas2010-s1 (TLS, plain)  cas2010-s1b (SSL)  cas2007-s1  cas2007-s1b    Site3: cas2010-s3
//! ```

use std::path::Path;

use model::problem::Source;
use model::topology::{Setting, TopologyFiles};

use super::*;

fn topology() -> Arc<Topology> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/topologies");
    let read = |name: &str| Source::new(name, std::fs::read_to_string(folder.join(name)).unwrap());
    let files =
        TopologyFiles::base(read("coexistence.toml")).with_overlay("+pairs", read("+pairs.toml")).unwrap();
    let mut topology = files.build(&Setting::new()).unwrap();
    for (server, settings) in [
        ("cas2010-s1", &["internal2010-s1.contoso.com:143:TLS", "internal2010-s1.contoso.com:143:"][..]),
        ("cas2010-s1b", &["cas2010-s1b.contoso.com:993:SSL"]),
        ("cas2007-s1", &["internal2007-s1.contoso.com:143:TLS"]),
    ] {
        let imap = topology.servers.get_mut(&server.parse().unwrap()).unwrap().imap.as_mut().unwrap();
        imap.internal_connection_settings = settings.iter().map(|set| set.parse().unwrap()).collect();
    }
    Arc::new(topology)
}

/// One verb, one check: whose session, from which side, and where it may go on, in order.
fn check(mailbox: &str, encrypted: bool, turn: usize, expected: &[&str]) {
    let topology = topology();
    let server = topology.home(&mailbox.parse().unwrap()).unwrap().clone();
    let account = Account {
        address: String::new(),
        upn: String::new(),
        account: String::new(),
        legacy_dn: String::new(),
        guid: String::new(),
        sid: String::new(),
        display_name: String::new(),
        database: topology.mailboxes[&mailbox.parse().unwrap()].database.clone(),
        version: topology.servers[&server].version,
        site: topology.servers[&server].site.clone(),
        server,
    };
    let client = Client { connection: 1, socket: "127.0.0.1:1".parse().unwrap() };
    let question = MailQuestion { client, protocol: Protocol::Imap, encrypted, topology, account, turn };
    let order = ByPreference.order(&question);
    let said: Vec<String> =
        order.iter().map(|target| format!("{}:{} {}", target.host, target.port, target.over)).collect();
    assert_eq!(said, expected, "{mailbox}");
}

#[test]
fn an_encrypted_client_goes_by_ssl_then_tls_then_in_clear_among_all_candidates() {
    check(
        "red",
        true,
        0,
        &[
            "cas2010-s1b.contoso.com:993 tls",
            "internal2010-s1.contoso.com:143 starttls",
            "internal2010-s1.contoso.com:143 plain",
        ],
    );
}

#[test]
fn a_client_in_clear_goes_in_clear_then_by_ssl_then_by_tls() {
    check(
        "red",
        false,
        0,
        &[
            "internal2010-s1.contoso.com:143 plain",
            "cas2010-s1b.contoso.com:993 tls",
            "internal2010-s1.contoso.com:143 starttls",
        ],
    );
}

#[test]
fn a_2007_mailbox_is_sought_at_its_servers_own_names_in_turn_and_a_2013_one_at_its_active_copy() {
    let first = |turn| {
        let one = ["cas2007-s1.contoso.com:993 tls", "cas2007-s1b.contoso.com:993 tls"];
        [one[turn % 2], one[(turn + 1) % 2]]
    };
    let rest = [
        "cas2007-s1.contoso.com:143 starttls",
        "cas2007-s1b.contoso.com:143 starttls",
        "cas2007-s1.contoso.com:143 plain",
        "cas2007-s1b.contoso.com:143 plain",
    ];
    for turn in [0, 1, 2] {
        check("purple", true, turn, &[&first(turn)[..], &rest].concat());
    }
    check("green", true, 0, &["mbx2013-s1b.contoso.com:1993 tls"]);
}

//! One client, whose messages are the published ones of MS-NLMP, section 4.2.4:
//! ```text
//! Domain\User  ->  cas2010-s1 /ews (windows, basic)
//! ```

use std::path::Path;

use directory::{Account, Directory};
use ledger::Ledger;
use model::problem::Source;
use model::topology::TopologyFiles;

use super::*;
use crate::{Faults, Stores, World, route};

const CHALLENGE: Challenge = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const HELLO: &str = "NTLM TlRMTVNTUAABAAAABYKIoAAAAAAAAAAAAAAAAAAAAAA=";
/// AUTHENTICATE_MESSAGE of section 4.2.4.3, in base64.
const PROOF: &str = "NTLM TlRMTVNTUAADAAAAGAAYAGwAAABUAFQAhAAAAAwADABIAAAACAAIAFQAAAAQABAAXAAAABAAEADYAAAANYKI4gUBKAoAAAAPRABv\
    AG0AYQBpAG4AVQBzAGUAcgBDAE8ATQBQAFUAVABFAFIAhsNQl6yc7BAlVHZKV8zMGaqqqqqqqqqqaM0KuFHlHJaqvJJ76+9qHAEB\
    AAAAAAAAAAAAAAAAAACqqqqqqqqqqgAAAAACAAwARABvAG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAAAAAAAxdrSVE/JeZCU\
    zhzpC8nQPg==";
const WINDOWS: &[Authentication] = &[Authentication::Windows, Authentication::Basic];

fn server() -> Server {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/topologies/coexistence.toml");
    let file = Source::new("coexistence.toml", std::fs::read_to_string(path).unwrap());
    let directory = Directory::new(TopologyFiles::base(file).build(&Default::default()).unwrap());
    let user = "user".parse().unwrap();
    let domain = "contoso.com".parse().unwrap();
    let mut account =
        Account::new(&user, &user, None, &domain, "db2010-s1".parse().unwrap(), "Password".into());
    account.account = "Domain\\User".into();
    directory.add(account);
    let world = World {
        ledger: Ledger::default(),
        directory,
        dials: Arc::new(|_, _| None),
        trust: Arc::new(rustls::RootCertStore::empty()),
        faults: Faults::default(),
        stores: Stores::default(),
        routes: route::table(),
    };
    Server::new(Arc::new(world), "cas2010-s1".parse().unwrap(), "127.0.0.1".parse().unwrap())
}

fn connection() -> Connection {
    Connection::new(1, "127.0.0.1:5000".parse().unwrap(), None, &ledger::Ledger::default())
}

/// What a request with this header comes to: who is believed, and how it was told.
fn asks(
    server: &Server,
    connection: &Connection,
    authorization: Option<&str>,
    methods: &[Authentication],
) -> (Option<String>, Conveyed) {
    let mut request = Request::post("/ews/exchange.asmx").body(Bytes::new()).unwrap();
    if let Some(value) = authorization {
        request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
    }
    let asker = read(server, connection, &request, Some(Protocol::Ews), methods);
    (asker.account.map(|account| account.name.to_string()), asker.conveyed)
}

fn user(how: Conveyed) -> (Option<String>, Conveyed) {
    (Some("user".to_owned()), how)
}

#[test]
fn a_response_signs_the_connection_in_for_its_life_and_is_good_once() {
    let (server, connection) = (server(), connection());
    connection.start_over(Some(CHALLENGE));
    assert_eq!(asks(&server, &connection, Some(PROOF), WINDOWS), user(Conveyed::Ntlm));
    assert_eq!(asks(&server, &connection, None, WINDOWS), user(Conveyed::Ntlm));
    assert_eq!(asks(&server, &connection, Some(PROOF), WINDOWS), (None, Conveyed::NtlmAstray), "again");
    assert_eq!(asks(&server, &connection, None, WINDOWS), (None, Conveyed::Nothing));
}

#[test]
fn whatever_begins_anew_makes_the_connection_forget() {
    let server = server();
    for other in [HELLO, "Basic eDp5", "Bearer x", "Negotiate eA=="] {
        let connection = connection();
        connection.start_over(Some(CHALLENGE));
        assert_eq!(asks(&server, &connection, Some(PROOF), WINDOWS), user(Conveyed::Ntlm));
        assert_eq!(asks(&server, &connection, Some(other), WINDOWS).0, None, "{other}");
        assert_eq!(asks(&server, &connection, None, WINDOWS), (None, Conveyed::Nothing), "{other}");
    }
}

#[test]
fn a_response_to_another_connections_challenge_is_told_from_a_wrong_one() {
    let (server, mut given) = (server(), CHALLENGE);
    given[0] = 0xff;
    let connection = connection();
    connection.start_over(Some(given));
    assert_eq!(asks(&server, &connection, Some(PROOF), WINDOWS), (None, Conveyed::Ntlm), "a wrong one");
    server.remember(CHALLENGE);
    connection.start_over(Some(given));
    assert_eq!(asks(&server, &connection, Some(PROOF), WINDOWS), (None, Conveyed::NtlmAstray));
}

#[test]
fn what_a_virtual_directory_does_not_take_is_not_believed() {
    let (server, connection) = (server(), connection());
    connection.start_over(Some(CHALLENGE));
    let basic = &[Authentication::Basic, Authentication::Nego2];
    assert_eq!(asks(&server, &connection, Some(PROOF), basic).0, None);
    assert_eq!(asks(&server, &connection, Some(HELLO), basic), (None, Conveyed::Nothing));
    connection.start_over(Some(CHALLENGE));
    assert_eq!(
        asks(&server, &connection, Some(&PROOF.replace("NTLM", "nego2")), basic),
        user(Conveyed::Ntlm)
    );
}

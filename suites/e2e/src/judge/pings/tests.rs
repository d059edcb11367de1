//! ```text
//! [cas2013-s1] asks cas2010-s3 over EWS, every 600 ms
//! ```

use ledger::{Answered, Claim, Conveyed, Identity};
use model::case::{Health, Status};
use model::journal::Order;
use model::problem::Source;
use model::topology::TopologyFiles;

use super::*;

const HEAD: &str = "HEAD /EWS HTTP/1.1\r\nUser-Agent: HttpProxy.ClientAccessServer2010Ping\r\n\r\n";
const LOGGED: &str = "HEAD /EWS - 443 - HTTP/1.1 HttpProxy.ClientAccessServer2010Ping - - {fqdn} 401 0 0";

/// Pings of one place, each by when it came and what was answered.
fn trace(pings: &[(u64, u16)]) -> Trace {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/coexistence.toml");
    let file = Source::new(path, std::fs::read_to_string(path).unwrap());
    let ping = |(order, (time, status)): (u64, &(u64, u16))| {
        Arc::new(Arrival {
            order: Order(order),
            time: *time,
            server: "cas2010-s3".parse().unwrap(),
            protocol: Protocol::Ews,
            verb: "HEAD".into(),
            target: "/EWS".into(),
            host: Some("cas2010-s3.contoso.com".into()),
            sni: None,
            tls: true,
            starttls: false,
            peer: "127.0.0.10:5000".parse().unwrap(),
            identity: Identity { asked_by: None, believed_to_be: None, conveyed: Conveyed::Nothing },
            head: HEAD.into(),
            body: None,
            connection: order,
            request: 1,
            parent: None,
            case: None,
            claimed_by: Claim::Nobody,
            answer: Some(Answered { status: *status, substatus: 0, win32: 0, sent: 1, received: 1, took: 0 }),
        })
    };
    Trace {
        topology: TopologyFiles::base(file).build(&Default::default()).unwrap().into(),
        positions: Default::default(),
        journals: vec![],
        arrivals: vec![],
        strangers: vec![],
        pings: (0..).zip(pings).map(ping).collect(),
        interval: Duration::from_millis(600),
        outlived: vec![],
    }
}

fn says(pings: &[(u64, u16)], rounds: u16, answers: &[&[u16]], logged: Option<&str>) -> Option<String> {
    let row = Pings {
        at: vec!["cas2010-s3".parse().unwrap()],
        of: Protocol::Ews,
        rounds,
        answers: answers.iter().map(|kind| kind.iter().map(|status| Status(*status)).collect()).collect(),
        then: Health::Up,
        logged: logged.map(str::to_owned),
    };
    let (trace, server) = (trace(pings), row.at[0].clone());
    difference(&row, &super::rounds(&trace, &server, row.of), &trace, &server)
}

#[test]
fn a_failure_and_its_retry_are_one_round_and_rounds_of_a_kind_are_one_kind() {
    let down_and_back = [(0, 503), (5, 503), (600, 503), (640, 503), (1200, 401), (1800, 401)];
    assert_eq!(says(&down_and_back, 4, &[&[503, 503], &[401]], None), None);
    let wrong = says(&down_and_back, 4, &[&[503], &[401]], None).unwrap();
    assert_eq!(wrong, "rounds answered [503 503], then [401], expected [503], then [401]");
    let few = says(&down_and_back, 5, &[&[503, 503], &[401]], None).unwrap();
    assert!(few.starts_with("4 rounds ([503 503], then [503 503],"), "{few}");
}

#[test]
fn a_retry_that_comes_late_is_a_round_of_its_own_and_its_gap_is_told() {
    let late =
        says(&[(0, 503), (600, 503), (605, 503), (1200, 401)], 2, &[&[503, 503], &[401]], None).unwrap();
    assert!(late.ends_with("; asked again after 600ms"), "{late}");
}

#[test]
fn what_is_mended_between_a_ping_and_its_retry_is_no_kind_of_its_own() {
    let mended = [(0, 503), (5, 503), (600, 503), (605, 401), (1200, 401)];
    assert_eq!(says(&mended, 3, &[&[503, 503], &[401]], None), None);
    // At the start nothing was broken before.
    assert!(says(&[(0, 503), (5, 401), (600, 401)], 2, &[&[401]], None).is_some());
    // One that is still under way says nothing.
    assert_eq!(says(&[(0, 401), (600, 503)], 1, &[&[401]], None), None);
}

#[test]
fn the_servers_log_is_compared_where_the_case_says_it() {
    assert_eq!(says(&[(0, 401)], 1, &[&[401]], Some(LOGGED)), None);
    let other = says(&[(0, 401)], 1, &[&[401]], Some(&LOGGED.replace("HEAD", "GET"))).unwrap();
    assert!(other.starts_with("its log has `HEAD /EWS - 443 - HTTP/1.1 HttpProxy"), "{other}");
}

#[test]
fn the_middle_of_all_gaps_is_the_pace() {
    let paces = Paces::of(&trace(&[(0, 401), (610, 401), (1210, 503), (1215, 401), (2600, 401)]));
    assert_eq!(paces.middle(), Some(Duration::from_millis(610)));
    assert_eq!(paces.retries, [Duration::from_millis(5)]);
    assert_eq!(tolerance(Duration::from_secs(50)), Duration::from_millis(5500));
}

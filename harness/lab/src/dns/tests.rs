//! A topology of two servers on mapped ground; its two views' DNS servers, asked over UDP and TCP.
//!
//! ```text
//! mail.contoso.com   inside cas2013-s1   outside edge-s1
//! pop.contoso.com    inside cas2013-s1   outside nothing
//! mail.corp.local    inside cas2013-s1   outside nothing
//! ```

use hickory_proto::op::{Message, MessageType, Query};
use model::topology::Namespace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::*;
use crate::ground::{Block, Ground};

const CAS: u8 = 10;
const EDGE: u8 = 11;

fn topology() -> Topology {
    let server = || serde_json::json!({ "version": "Exchange2013", "build": "15.0.775.38", "site": "Site1", "roles": ["client-access"] });
    let mut topology: Topology = serde_json::from_value(serde_json::json!({
        "source": "a test", "role": "front-end-2013", "seat": "cas2013-s1", "domain": "contoso.com",
        "split-brain": true, "sites": { "Site1": {} }, "namespaces": {}, "databases": {}, "mailboxes": {},
        "servers": { "cas2013-s1": server(), "edge-s1": server() },
        "services": { "_autodiscover._tcp.contoso.com": { "target": "mail.contoso.com", "port": 443 } },
    }))
    .unwrap();
    let servers = |name: &[&str]| name.iter().map(|server| server.parse().unwrap()).collect();
    let mut add = |host: &str, internal: &[&str], external: &[&str]| {
        let namespace = Namespace { internal: servers(internal), external: servers(external) };
        topology.namespaces.insert(host.parse().unwrap(), namespace);
    };
    add("mail.contoso.com", &["cas2013-s1"], &["edge-s1"]);
    add("pop.contoso.com", &["cas2013-s1"], &[]);
    add("mail.corp.local", &["cas2013-s1"], &[]);
    topology
}

struct Asked {
    block: Block,
    names: Names,
    ledger: Ledger,
    stop: CancellationToken,
    servers: JoinSet<Result<(), DnsError>>,
}

impl Asked {
    fn start() -> Asked {
        let block = Ground::mapped().claim(1).unwrap();
        let at = |server: &ServerName| block.address(if server.as_str() == "edge-s1" { EDGE } else { CAS });
        let names = Names::of(&topology(), |_, server| at(server));
        let (ledger, stop, mut servers) = (Ledger::default(), CancellationToken::new(), JoinSet::new());
        for (n, view) in [(2, View::Internal), (3, View::External)] {
            let (udp, tcp) = block.listen_dns(block.address(n), 53).unwrap();
            servers.spawn(serve(view, names.clone(), udp, tcp, ledger.clone(), stop.clone()));
        }
        Asked { block, names, ledger, stop, servers }
    }

    fn question(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message.to_vec().unwrap()
    }

    async fn ask(&self, view: View, name: &str, kind: RecordType) -> Message {
        let n = if view == View::Internal { 2 } else { 3 };
        let source = self.block.source(self.block.address(200));
        let socket = UdpSocket::bind((source, 0)).await.unwrap();
        let server = self.block.dials().real(self.block.address(n), 53);
        socket.send_to(&Asked::question(name, kind), server).await.unwrap();
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer).await.unwrap();
        Message::from_vec(&answer[..length]).unwrap()
    }

    async fn leads_to(&self, view: View, name: &str) -> Vec<IpAddr> {
        let answer = self.ask(view, name, RecordType::A).await;
        answer.answers.iter().filter_map(|record| record.data.ip_addr()).collect()
    }

    async fn end(mut self) {
        self.stop.cancel();
        while let Some(server) = self.servers.join_next().await {
            server.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_name_answers_differently_inside_and_outside() {
    let dns = Asked::start();
    let (cas, edge) = (dns.block.address(CAS), dns.block.address(EDGE));
    assert_eq!(dns.leads_to(View::Internal, "mail.contoso.com.").await, [cas]);
    assert_eq!(dns.leads_to(View::External, "mail.contoso.com.").await, [edge]);
    assert_eq!(dns.leads_to(View::Internal, "cas2013-s1.contoso.com.").await, [cas]);
    dns.end().await;
}

#[tokio::test]
async fn what_does_not_exist_is_denied_with_the_start_of_authority() {
    let dns = Asked::start();
    for internal_only in
        ["cas2013-s1.contoso.com.", "pop.contoso.com.", "mail.corp.local.", "nothing.contoso.com."]
    {
        let answer = dns.ask(View::External, internal_only, RecordType::A).await;
        assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain, "{internal_only}");
        assert_eq!(answer.authorities.len(), 1, "{internal_only}");
    }
    let other_type = dns.ask(View::External, "mail.contoso.com.", RecordType::AAAA).await;
    assert_eq!((other_type.metadata.response_code, other_type.answers.len()), (ResponseCode::NoError, 0));
    let foreign = dns.ask(View::External, "example.org.", RecordType::A).await;
    assert_eq!(foreign.metadata.response_code, ResponseCode::Refused);
    dns.end().await;
}

#[tokio::test]
async fn a_steered_record_holds_from_the_next_query_on_and_in_its_view_only() {
    let dns = Asked::start();
    let elsewhere = dns.block.address(77);
    dns.names.set(View::External, "mail.contoso.com".parse().unwrap(), vec![elsewhere]);
    assert_eq!(dns.leads_to(View::External, "mail.contoso.com.").await, [elsewhere]);
    assert_eq!(dns.leads_to(View::Internal, "mail.contoso.com.").await, [dns.block.address(CAS)]);
    dns.names.set(View::External, "mail.contoso.com".parse().unwrap(), vec![]);
    let gone = dns.ask(View::External, "mail.contoso.com.", RecordType::A).await;
    assert_eq!(gone.metadata.response_code, ResponseCode::NXDomain);
    dns.end().await;
}

#[tokio::test]
async fn all_that_led_to_an_address_leads_to_another_once_it_has_moved_and_may_be_kept_for_a_second() {
    let dns = Asked::start();
    let (was, is) = (dns.block.address(CAS), dns.block.address(CAS + 10));
    dns.names.lead_elsewhere(was, is);
    for name in ["mail.contoso.com.", "cas2013-s1.contoso.com."] {
        assert_eq!(dns.leads_to(View::Internal, name).await, [is]);
    }
    assert_eq!(dns.leads_to(View::External, "mail.contoso.com.").await, [dns.block.address(EDGE)]);
    let answer = dns.ask(View::Internal, "mail.contoso.com.", RecordType::A).await;
    assert_eq!(answer.answers[0].ttl, 1);
    dns.end().await;
}

#[tokio::test]
async fn the_letter_case_of_a_question_is_kept_and_every_query_is_in_the_ledger() {
    let dns = Asked::start();
    let answer = dns.ask(View::External, "MaIl.ConToso.com.", RecordType::A).await;
    assert_eq!(answer.answers[0].name.to_ascii(), "MaIl.ConToso.com.");
    assert!(dns.ledger.asked_for(View::External, &"mail.contoso.com".parse().unwrap(), dns.ledger.mark()));
    let query = dns.ledger.queries().remove(0);
    assert_eq!((query.name.as_str(), query.kind.as_str(), query.answers), ("MaIl.ConToso.com", "A", 1));
    dns.end().await;
}

/// RFC 1035, section 4.2.2: two bytes of length before the message. RFC 2782: priority, weight, port, target.
#[tokio::test]
async fn a_service_is_found_over_tcp_in_both_views() {
    let dns = Asked::start();
    for n in [2, 3] {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        let mut stream = socket.connect(dns.block.dials().real(dns.block.address(n), 53)).await.unwrap();
        let question = Asked::question("_autodiscover._tcp.contoso.com.", RecordType::SRV);
        stream.write_u16(question.len() as u16).await.unwrap();
        stream.write_all(&question).await.unwrap();
        let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut answer).await.unwrap();
        let answer = Message::from_vec(&answer).unwrap();
        assert_eq!(answer.metadata.message_type, MessageType::Response);
        let RData::SRV(found) = &answer.answers[0].data else { panic!("{answer}") };
        assert_eq!((found.port, found.target.to_ascii()), (443, "mail.contoso.com.".to_owned()));
    }
    let half = dns.ask(View::External, "_tcp.contoso.com.", RecordType::A).await;
    assert_eq!(half.metadata.response_code, ResponseCode::NoError);
    dns.end().await;
}

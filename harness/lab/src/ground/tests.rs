//! Mapped ground: two labs of one process, side by side on 127.a.b.0/24 and 127.a.c.0/24. The other grounds are the end
//! to end tests' to try, since a process enters one for good.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::*;

#[test]
fn two_labs_have_blocks_of_their_own() {
    let ground = Ground::mapped();
    let (one, two) = (ground.claim(1).unwrap(), ground.claim(1).unwrap());
    assert_ne!(one.address(1), two.address(1));
}

#[test]
fn a_large_lab_has_networks_enough_for_its_servers_and_no_address_twice() {
    let block = Ground::mapped().claim(1000).unwrap();
    let addresses: std::collections::BTreeSet<_> = (0..).map_while(|n| block.of_server(n)).collect();
    assert!(addresses.len() >= 1000, "{}", addresses.len());
    let doors: Vec<_> = (0..10).map(|n| block.address(n)).collect();
    assert!(doors.iter().all(|door| !addresses.contains(door)));
}

#[tokio::test]
async fn a_canonical_address_leads_to_its_listener_and_back() {
    let block = Ground::mapped().claim(1).unwrap();
    let ip = block.address(21);
    let listener = block.listen(ip, 443).unwrap();
    let dials = block.dials();
    let real = dials.real(ip, 443);
    assert_ne!(real.port(), 443);
    assert_eq!(dials.canonical(real), SocketAddr::new(ip, 443));
    assert_eq!(dials.real(ip, 80), SocketAddr::new(ip, 80), "nothing listens there");

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(block.source(block.address(200)), 0)).unwrap();
    let mut near = socket.connect(real).await.unwrap();
    let (mut far, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, near.local_addr().unwrap());
    near.write_all(b"x").await.unwrap();
    assert_eq!(far.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn dns_listens_on_one_port_for_udp_and_tcp() {
    let block = Ground::mapped().claim(1).unwrap();
    let (udp, tcp) = block.listen_dns(block.address(2), 53).unwrap();
    assert_eq!(udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    assert_eq!(block.dials().real(block.address(2), 53), tcp.local_addr().unwrap());
}

#[tokio::test]
async fn an_address_set_aside_for_the_subject_can_be_bound_by_it() {
    let block = Ground::mapped().claim(1).unwrap();
    let (https, http) =
        (block.reserve(block.address(10), 443).unwrap(), block.reserve(block.address(10), 80).unwrap());
    assert_ne!(https.real, http.real);
    for reserved in [https, http] {
        assert_eq!(block.dials().real(reserved.canonical.ip(), reserved.canonical.port()), reserved.real);
        let socket = TcpSocket::new_v4().unwrap();
        // As servers do: connections of an earlier lab at this address may still time out.
        socket.set_reuseaddr(true).unwrap();
        socket.bind(reserved.real).unwrap();
    }
}

#[test]
fn a_ground_is_one_of_three_words() {
    assert_eq!("machine".parse(), Ok(GroundKind::Machine));
    let refused = "docker".parse::<GroundKind>().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`docker` is no ground; a right one looks like `own (or machine, mapped)`"
    );
}

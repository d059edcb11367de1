//! ```text
//! client -> cas2013-s1 (mail) -> cas2010-s1 (red), which is asked for its health every 60 ms and says what it likes
//! ```

use std::time::Duration;

use model::Role;

use crate::front_end_2013::TOPOLOGY;
use crate::seated::Seated;

/// CONTOSO\red, Pa&'ss
const ASKS: &str =
    "POST /EWS/Exchange.asmx HTTP/1.1\nAuthorization: Basic Q09OVE9TT1xyZWQ6UGEmJ3Nz\nContent-Length: 0\n\n";

/// Asks again and again until the answer begins so.
async fn until_told(seated: &Seated, status: &str) {
    let asking = async { while !seated.ask(ASKS).await.starts_with(&format!("HTTP/1.1 {status}")) {} };
    tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap_or_else(|_| panic!("never {status}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gives_no_answer_to_a_ping_is_down_until_he_does() {
    let interval = Duration::from_millis(60);
    let seated = Seated::take_and_watch(30, Role::FrontEnd2013, TOPOLOGY, Some(interval)).await;
    until_told(&seated, "200").await;
    let answers = [
        "",
        "SSH-2.0-OpenSSH_8.4\r\n",
        "HTTP/1.1 200 OK\r\nX-Cut",
        "HTTP/1.1 99999999999 OK\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000000000000\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n",
    ];
    for said in answers {
        seated.pings_are_told(Some(said));
        until_told(&seated, "503").await;
        seated.pings_are_told(None);
        until_told(&seated, "200").await;
    }
    seated.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_whose_body_never_comes_is_a_sign_of_life_all_the_same() {
    let interval = Duration::from_millis(60);
    let seated = Seated::take_and_watch(31, Role::FrontEnd2013, TOPOLOGY, Some(interval)).await;
    seated.pings_are_told(Some("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
    until_told(&seated, "503").await;
    seated.pings_are_told(Some(
        "HTTP/1.1 301 Moved\r\nLocation: /owa/\r\nContent-Length: 1000000000000\r\n\r\n",
    ));
    until_told(&seated, "200").await;
    seated.end().await;
}

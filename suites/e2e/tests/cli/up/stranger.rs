//! The steering listener against a stranger: a page in the same browser, a name that was made to lead here, a flood.

use rustix::process::Signal;

use super::lab::Up;
use crate::scratch::Scratch;

const MOVE: &str = "{\"mailbox\":\"red\",\"to\":\"db2013-s1\"}";

#[test]
fn a_page_of_a_stranger_neither_reads_nor_steers() {
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", "mapped"]);
    let (address, token) = up.steering();
    let json =
        |request: reqwest::RequestBuilder| request.header("Content-Type", "application/json").body(MOVE);
    let moves = || up.request("POST", "/v1/move");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let bare = |path: &str| client.get(format!("{address}{path}"));
    for (what, request, status, says) in [
        ("a name that leads here", bare("/").header("Host", "stranger.example"), 421, "nobody else"),
        ("such a name with the token", json(moves().header("Host", "stranger.example")), 421, "nobody else"),
        ("another origin", json(moves().header("Origin", "http://stranger.example")), 403, "only the page"),
        ("no origin that is one", json(moves().header("Origin", "null")), 403, "only the page"),
        ("no token", bare("/v1/state"), 401, "Authorization: Bearer TOKEN"),
        ("no token, events", bare("/v1/events"), 401, "Authorization: Bearer TOKEN"),
        ("another token", bare("/v1/state").header("Authorization", "Bearer 00"), 401, "coexist up"),
        ("the token in the address", bare(&format!("/v1/state?token={token}")), 401, "Bearer TOKEN"),
        ("a form", moves().header("Content-Type", "text/plain").body(MOVE), 415, "application/json"),
        ("a flood", json(moves()).body("x".repeat(20_000)), 413, "at most 16384 bytes"),
        ("an unknown word", json(up.request("POST", "/v1/explode")), 400, "what does: fault, mend"),
        (
            "half a change",
            moves().header("Content-Type", "application/json").body("{"),
            400,
            "a right one for move",
        ),
        ("an unknown place", up.request("GET", "/v2"), 404, "GET /v1/state"),
        ("a wrong verb", up.request("DELETE", "/v1/state"), 404, "GET /v1/state"),
    ] {
        let (got, text) = up.told(request);
        assert_eq!(got, status, "{what}: {text}");
        assert!(text.contains(says), "{what}: {text}");
        assert!(!text.contains(&token), "{what}: {text}");
    }
    let own = json(moves().header("Origin", &address));
    assert_eq!(up.told(own).0, 200, "the page itself may");
    up.ends(Signal::TERM, 0);
    scratch.check_clean();
}

#[test]
fn the_page_holds_nothing_of_the_lab_and_may_load_nothing_from_elsewhere() {
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", "mapped"]);
    let (address, token) = up.steering();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (status, page) = up.told(client.get(&address));
    assert_eq!(status, 200);
    assert!(!page.contains(&token) && !page.contains("contoso"), "{page}");
    let policy = up.header(client.get(&address), "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(page.contains(&format!("<script nonce=\"{nonce}\">")), "{page}");
    up.ends(Signal::TERM, 0);
}

/// What a stranger writes into a request is one line of text for people, whatever it steers.
#[test]
fn what_a_stranger_sends_is_shown_as_text() {
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", "mapped"]);
    let mut events = up.events();
    up.get("legacy.contoso.com", "/owa/\"\u{202e}x", &[]);
    up.wait_for("GET /owa/\"\\u{202e}x");
    let heard = up.hears(&mut events, "\"target\":\"/owa/\\\"\\\\u{202e}x\"");
    assert!(!up.said().contains('\u{202e}') && !heard.contains('\u{202e}'), "{heard}");
    up.ends(Signal::TERM, 0);
}

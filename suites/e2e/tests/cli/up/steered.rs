//! Steering, by command and over HTTP, and what comes of it for a user: `red` asks ActiveSync at `mail`.

use rstest::rstest;
use rustix::process::Signal;
use serde_json::json;

use super::lab::Up;
use crate::scratch::Scratch;

/// What red's device is answered.
fn device(up: &Up) -> u16 {
    // CONTOSO\red:pass-red
    let basic = "Authorization: Basic Q09OVE9TT1xyZWQ6cGFzcy1yZWQ=";
    let target = "/Microsoft-Server-ActiveSync?Cmd=OPTIONS&User=red&DeviceId=UP1&DeviceType=iPhone";
    up.ask(
        "OPTIONS",
        "mail.contoso.com",
        target,
        &[basic, "MS-ASProtocolVersion: 14.1", "User-Agent: Apple-iPhone4C1/902.176"],
    )
    .status
}

#[test]
fn what_is_changed_shows_to_users_in_the_state_and_in_what_comes() {
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", "mapped"]);
    let steers = |args: &[&str], says: &str| {
        let ended = scratch.start(&[&["steer"], args].concat()).ended();
        ended.check(0, &[says]);
    };
    let mut events = up.events();
    assert_eq!(device(&up), 200);
    up.wait_for("-> cas2010-s1   eas");
    let heard = up.hears(&mut events, "\"kind\":\"answered\"");
    assert!(
        heard.contains(
            "\"from\":\"cas2013-s1\",\"server\":\"cas2010-s1\",\"protocol\":\"eas\",\"verb\":\"OPTIONS\""
        ),
        "{heard}"
    );
    assert!(heard.contains("\"user\":\"red\""), "{heard}");

    steers(&["fault", "cas2010-s1/eas", "503", "..."], "cas2010-s1/eas answers 503, then ...");
    assert_eq!((device(&up), device(&up)), (503, 503));
    assert_eq!(up.state()["faults"], json!([{ "at": "cas2010-s1/eas", "answers": ["503", "..."] }]));
    steers(&["state"], "fault            cas2010-s1/eas: 503 ...");
    steers(&["mend", "cas2010-s1/eas"], "cas2010-s1/eas has no fault any more");
    assert_eq!(device(&up), 200);

    let channel = "cas2010-s3/outlook-anywhere";
    steers(&["fault", channel, "503"], "cas2010-s3/outlook-anywhere answers 503");
    steers(&["mend", channel], "cas2010-s3/outlook-anywhere has no fault any more");

    steers(&["failover", "db2013-s1"], "the active copy of db2013-s1 moves to mbx2013-s1");
    let moves = up.request("POST", "/v1/move").json(&json!({ "mailbox": "red", "to": "db2013-s1" }));
    assert_eq!(up.told(moves), (200, "{\"says\":\"red is moved to db2013-s1\"}".to_owned()));
    up.wait_for("-- red is moved to db2013-s1");
    assert_eq!(device(&up), 200);
    up.wait_for("-> mbx2013-s1   eas");

    steers(&["out-of-service", "cas2010-s3"], "cas2010-s3 is taken out of service");
    let out = |up: &Up| {
        let servers = up.state()["servers"].as_array().unwrap().clone();
        servers
            .iter()
            .filter(|server| server["out-of-service"] == true)
            .map(|s| s["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(out(&up), ["cas2010-s3"]);
    steers(&["in-service", "cas2010-s3"], "cas2010-s3 is back in service");
    assert_eq!(out(&up), [""; 0]);

    steers(
        &["dns", "mail.contoso.com", "--view", "external"],
        "mail.contoso.com leads nowhere in the external view",
    );
    assert_eq!(up.addresses("mail.contoso.com"), 0);
    steers(&["dns", "mail.contoso.com", "cas2010-s2", "cas2013-s1"], "in the internal and external view");
    assert_eq!(up.addresses("mail.contoso.com"), 2);
    // The certificate of the server to which the name leads now does not name it.
    up.wait_for("-- mail.contoso.com leads to cas2010-s2, cas2013-s1");
    drop(up.connection("mail.contoso.com"));
    up.wait_for("outside      -> cas2010-s2   connection   mail.contoso.com:443");
    up.hears(&mut events, "mail.contoso.com leads to cas2010-s2");
    up.ends(Signal::TERM, 0);
    scratch.check_clean();
}

#[rstest]
#[case::coexistence("coexistence")]
#[case::pre_e15("pre-e15")]
fn the_change_that_is_printed_is_one_that_the_lab_takes(#[case] topology: &str) {
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", "mapped", "--topology", topology]);
    let printed = up.printed();
    let line =
        printed.lines().find_map(|line| line.strip_prefix("steer        cargo xtask ")).expect("a line");
    let (words, _) = line.split_once("    (").expect("what more there is");
    scratch.start(&words.split(' ').collect::<Vec<_>>()).ended().check(0, &["is moved to"]);
    up.ends(Signal::TERM, 0);
}

#[test]
fn a_wrong_word_is_refused_with_a_right_one() {
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", "mapped"]);
    for (args, says) in [
        (&["falut", "cas2010-s1/owa", "503"][..], "a similar subcommand exists: 'fault'"),
        (&["fault", "cas2010-s1", "503"], "a right one: cas2007-s1/eas"),
        (
            &["fault", "cas2010-s9/owa", "503"],
            "coexistence has no server `cas2010-s9`; it has cas2007-s1, cas2010-s1",
        ),
        (&["fault", "cas2010-s1/imapp", "503"], "`imapp` is no protocol; a right one"),
        (&["fault", "cas2007-s1/ecp", "503"], "cas2007-s1 has no ecp; it has "),
        (&["fault", "mbx2010-s1/owa", "503"], "mbx2010-s1 serves no client protocol by HTTP"),
        (
            &["fault", "cas2013-s1/owa", "503"],
            "the subject sits at cas2013-s1: only other servers have faults; one that has: cas2007-s1/autodiscover",
        ),
        (&["fault", "cas2010-s1/owa", "teapot"], "`teapot` is no fault; a right one: `503`"),
        (&["failover", "db2010-s1"], "db2010-s1 has one copy, on mbx2010-s1: it cannot fail over"),
        (&["failover", "db2012-s1"], "those with several copies: db2013-s1"),
        (&["failover", "db2013-s1", "mbx2010-s1"], "no copy on `mbx2010-s1`; others are on mbx2013-s1"),
        (&["failover", "db2013-s1", "mbx2013-s1b"], "is on mbx2013-s1b already; others are on mbx2013-s1"),
        (&["move", "rot", "db2013-s1"], "no mailbox `rot`; it has blue, green"),
        (&["move", "red", "db2013"], "no database `db2013`; it has db2007-s1"),
        (&["move", "red", "db2010-s1"], "red is in db2010-s1 already"),
        (&["move", "Red", "db2013-s1"], "`Red` is no mailbox name; a right one looks like `purple`"),
        (&["out-of-service", "cas2007-s1"], "these have: cas2010-s1, cas2010-s2"),
        (&["dns", "mail.contoso.com", "mx"], "coexistence has no server `mx`"),
        (
            &["dns", "mail.fabrikam.com", "cas2010-s1"],
            "is neither in contoso.com nor a name of coexistence; it has autodiscover.contoso.com, ",
        ),
    ] {
        let ended = scratch.start(&[&["steer"], args].concat()).ended();
        ended.check(2, &[says]);
        assert_eq!(ended.out, "", "{ended}");
    }
    assert!(!up.said().contains("  -- "), "nothing has changed: {}", up.said());
    up.ends(Signal::TERM, 0);
    scratch.run(&["steer", "--help"]).check(0, &["coexist steer failover db2013-s1", "POST /v1/fault, mend"]);
}

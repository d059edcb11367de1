//! A lab that is left running for people: what it prints leads to it, it can be steered and joined, and nothing of it stays.
//!
//! ```text
//!   a test ── what `up` printed ──> doors on 127.0.0.1 ──> coexistence: mail.contoso.com -> cas2013-s1 (the reference)
//!          ── steer, exec ────────> the same lab, found by its entry in the scratch folder
//! ```

mod lab;
mod steered;
mod stranger;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};

use crate::scratch::Scratch;
use crate::signals::own_ground;
use lab::Up;

/// How soon it must be over.
const SOON: Duration = Duration::from_secs(5);

/// Whether a ground can be had here; says so where it cannot.
fn is_there(ground: &str) -> bool {
    let there = match ground {
        "own" => own_ground(),
        // The ports below 1024 are root's, and files over the machine's are there where a network is.
        "machine" => rustix::process::geteuid().is_root() && own_ground(),
        _ => true,
    };
    if !there {
        println!("skipped: ground {ground} is not to be had here");
    }
    there
}

#[rstest]
#[case::own("own")]
#[case::mapped("mapped")]
fn what_is_printed_leads_to_the_logon_page_and_what_comes_is_shown(#[case] ground: &str) {
    if !is_there(ground) {
        return;
    }
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", ground]);
    let page = up.get("mail.contoso.com", "/owa/", &[]);
    assert_eq!(page.status, 302, "{}", page.text);
    let logon = page.header("location").expect("it leads on").to_owned();
    let page = up.get("mail.contoso.com", logon.trim_start_matches("https://mail.contoso.com"), &[]);
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("name=\"logonForm\""), "{}", page.text);
    assert_eq!(up.addresses("mail.contoso.com"), 1, "DNS outside knows the name");
    assert_eq!(up.addresses("cas2010-s3.contoso.com"), 0, "and no server's own");
    assert!(
        up.printed().contains("CONTOSO\\purple     pass-purple    purple@contoso.com"),
        "{}",
        up.printed()
    );
    up.wait_for("outside      -> cas2013-s1   connection   mail.contoso.com:443");
    up.wait_for("a program    -> dns          external     A cas2010-s3.contoso.com  0 found");
    up.ends(Signal::TERM, 0);
    scratch.check_clean();
}

#[rstest]
#[case::own_interrupted("own", Signal::INT)]
#[case::mapped_interrupted("mapped", Signal::INT)]
#[case::own_killed("own", Signal::KILL)]
#[case::mapped_killed("mapped", Signal::KILL)]
#[case::its_terminal_closed("mapped", Signal::HUP)]
fn nothing_of_it_stays(#[case] ground: &str, #[case] signal: Signal) {
    if !is_there(ground) {
        return;
    }
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", ground]);
    // Somebody is at it when it ends: a connection that says nothing, and one that listens.
    let _silent = up.connection("mail.contoso.com");
    let _listening = up.events();
    match signal {
        Signal::INT => up.ends(signal, 0),
        _ => up.killed(signal),
    }
    scratch.wait_until_clean();
    scratch.run(&["steer", "state"]).check(2, &["no lab runs; `coexist up` leaves one running"]);
}

#[rstest]
#[case::own("own")]
#[case::machine("machine")]
#[case::mapped("mapped")]
fn a_program_joins_the_lab_in_the_view_that_it_asks_for(#[case] ground: &str) {
    if !is_there(ground) {
        return;
    }
    let scratch = Scratch::new().with_env("https_proxy", "http://10.0.0.1:8080").with_env("ALL_PROXY", "x");
    let up = Up::start(&scratch, &["--ground", ground]);
    let script = "cat /etc/resolv.conf; echo \"CA $COEXIST_CA\"; grep -c BEGIN \"$SSL_CERT_FILE\"; ! env | grep -i _proxy=";
    for (view, line) in [("internal", "DNS inside"), ("external", "DNS outside")] {
        let ended = scratch.start(&["exec", "--view", view, "--", "sh", "-c", script]).ended();
        let joined = format!("joined {}, {view} view", up.name());
        ended.check(0, &[&joined, &format!("CA {}", up.ca()), "\n1\n"]);
        let inside = up.fact(line).rsplit(' ').next().unwrap().to_owned();
        match ground {
            "own" | "machine" => {
                ended.check(0, &[&format!("nameserver {}\n", inside.trim_end_matches(":53"))])
            }
            _ => ended.check(0, &[&format!("ask {inside} for names")]),
        };
    }
    if ground == "own" || ground == "machine" {
        // As most programs ask: for addresses of the kinds that the machine has.
        let found = scratch.start(&["exec", "--", "getent", "ahostsv4", "mail.contoso.com"]).ended();
        found.check(0, &["STREAM mail.contoso.com"]);
    }
    let coexist = env!("CARGO_BIN_EXE_coexist");
    let steers = scratch.start(&["exec", "--", coexist, "steer", "failover", "db2013-s1"]).ended();
    steers.check(0, &["the active copy of db2013-s1 moves to mbx2013-s1"]);
    // The lab's own files are as they were, and its program goes on.
    assert_eq!(up.get("mail.contoso.com", "/owa/", &[]).status, 302);
    let failed = scratch.start(&["exec", "--", "false"]).ended();
    failed.check(1, &["false ended with exit status: 1"]);
    up.ends(Signal::TERM, 0);
    scratch.check_clean();
}

#[test]
fn health_is_asked_for_where_that_is_wanted() {
    let scratch = Scratch::new();
    let up = Up::start(&scratch, &["--ground", "mapped", "--pings"]);
    up.wait_for("cas2013-s1   -> cas2010-s3   ews          HEAD /EWS");
    up.ends(Signal::TERM, 0);
    let quiet = Up::start(&scratch, &["--ground", "mapped"]);
    assert_eq!(quiet.get("mail.contoso.com", "/owa/", &[]).status, 302);
    quiet.wait_for("mail.contoso.com:443");
    assert!(!quiet.said().contains("-> cas2010-s3"), "{}", quiet.said());
    quiet.ends(Signal::TERM, 0);
    scratch.check_clean();
}

#[test]
fn of_two_labs_at_once_one_is_named() {
    let scratch = Scratch::new();
    let one = Up::start(&scratch, &["--ground", "mapped"]);
    let two = Up::start(&scratch, &["--ground", "mapped", "--topology", "pre-e15"]);
    let (first, second) = (one.name(), two.name());
    for (args, code, says) in [
        (
            &["steer", "state"][..],
            2,
            format!("several labs run: {first}, {second}; say which, for instance --lab {first}"),
        ),
        (&["exec", "--", "true"], 2, "or --topology T for a lab of its own".to_owned()),
        (&["steer", "state", "--lab", "pre-e15"], 0, "pre-e15, the subject at cas2010-s1".to_owned()),
        (&["steer", "--lab", &first, "move", "red", "db2013-s1"], 0, "red is moved to db2013-s1".to_owned()),
        (
            &["exec", "--lab", "coexistance", "--", "true"],
            2,
            format!("no running lab is called `coexistance`; there are: {first}, {second}"),
        ),
        (&["exec", "--lab", &second, "--", "true"], 0, format!("joined {second}")),
    ] {
        scratch.start(args).ended().check(code, &[&says]);
    }
    one.ends(Signal::TERM, 0);
    assert_eq!(two.get("mail.contoso.com", "/owa/", &[]).status, 302, "the other goes on");
    two.ends(Signal::TERM, 0);
    scratch.check_clean();
}

#[test]
fn bad_input_is_refused_before_anything_is_started() {
    for (args, says) in [
        (
            &["up", "--topology", "coexistance"][..],
            "no topology is called `coexistance`; there are: coexistence, pre-e15",
        ),
        (&["up", "--subject", "mine"], "no subject is called `mine`; there are: "),
        (&["up", "--ground", "cloud"], "a right one looks like `own"),
    ] {
        Scratch::new().run(args).check(2, &[says]);
    }
}

/// What it prints is a convenience: who has let a disk run full by it still has the lab.
#[test]
fn an_output_that_takes_no_more_does_not_end_the_lab() {
    let scratch = Scratch::new();
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        println!("skipped: there is no /dev/full here");
        return;
    };
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_coexist"));
    command.args(["--suites", &scratch.suites(), "up", "--ground", "mapped"]);
    command.env("TMPDIR", scratch.path("tmp")).env_remove("COEXIST_SUITES");
    let mut up = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(up.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("standard output takes no more"), "{said}");
    scratch.start(&["steer", "move", "red", "db2013-s1"]).ended().check(0, &["red is moved to db2013-s1"]);
    let id = Pid::from_raw(i32::try_from(up.id()).unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(0));
    scratch.check_clean();
}

/// A file system that holds next to nothing, in a mount namespace of its own.
#[test]
fn a_full_disk_is_said_with_what_to_do() {
    if !is_there("own") {
        return;
    }
    let scratch = Scratch::new();
    let script = format!(
        "mount -t tmpfs -o size=16k tmpfs {0}/tmp && exec {1} --suites {2} up --ground mapped",
        scratch.path(""),
        env!("CARGO_BIN_EXE_coexist"),
        scratch.suites(),
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    let ended = command.env("TMPDIR", scratch.path("tmp")).env_remove("COEXIST_SUITES").output().unwrap();
    let says = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{says}");
    assert!(says.contains("No space left on device"), "{says}");
    assert!(says.contains("is full: free some of it, or let TMPDIR name a folder on another"), "{says}");
    scratch.check_clean();
}

#[test]
fn a_lab_whose_subject_ends_says_so_and_ends() {
    let scratch = Scratch::new();
    let file = format!("{}/subjects/canaries/dies-at-third.toml", scratch.suites());
    let up = Up::start(&scratch, &["--ground", "mapped", "--subject", &file]);
    (0..3).for_each(|_| drop(up.connection("mail.contoso.com")));
    up.ended().check(4, &["dies-at-third has ended, and with it the lab"]);
    scratch.check_clean();
}

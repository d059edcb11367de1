//! Subjects that are no proxies: each run of one ends as it must, and nothing that passes came through the seat.

use std::fs;

use rstest::rstest;
use serde_json::Value;

use crate::scratch::{Ended, Scratch};

const CASES: [&str; 6] =
    ["--case", "coexistence/owa/*", "--case", "coexistence/ews/*", "--case", "coexistence/dns/*"];

/// Runs cases with a canary in the seat; its end, and its report.
fn run(scratch: &Scratch, name: &str, cases: &[&str]) -> (Ended, Value) {
    let (report, file) =
        (scratch.path("report"), format!("{}/subjects/canaries/{name}.toml", scratch.suites()));
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--report", &report];
    let ended = scratch.run(&[&args[..], cases].concat());
    let text = fs::read_to_string(format!("{report}/report.json")).unwrap();
    (ended, serde_json::from_str(&text).unwrap())
}

/// The ids of cases with this outcome; of those alone whose client dials the seat, where that is asked.
fn with(report: &Value, outcome: &str, at_the_seat: bool) -> Vec<String> {
    let dials_seat = |case: &Value| {
        case["expected"]
            .as_array()
            .unwrap()
            .iter()
            .any(|leg| leg["hops"][0].to_string().contains("cas2013-s1"))
    };
    let cases = report["cases"].as_array().unwrap().iter();
    cases
        .filter(|case| case["outcome"] == outcome && (!at_the_seat || dials_seat(case)))
        .map(|case| case["id"].as_str().unwrap().to_owned())
        .collect()
}

#[rstest]
#[case::yes("says-yes")]
#[case::no("says-no")]
#[case::wire("straight-wire")]
fn what_is_no_proxy_passes_only_what_it_has_no_part_in(#[case] name: &str) {
    let scratch = Scratch::new();
    let (ended, report) = run(&scratch, name, &CASES);
    ended.check(1, &[]);
    assert_eq!(with(&report, "pass", true), [] as [String; 0]);
    assert!(with(&report, "fail", true).len() > 20, "{ended}");
    // Names that lead somewhere are the lab's own, so the suite does not fail for want of a lab.
    assert!(with(&report, "pass", false).len() > 5, "{ended}");
}

/// A client gives up after ten seconds; all of them wait at once.
#[test]
fn a_silent_subject_ends_each_case_in_time_and_was_not_checked() {
    let scratch = Scratch::new();
    let cases = [
        "--case",
        "coexistence/ews/red",
        "--case",
        "coexistence/owa/purple",
        "--case",
        "coexistence/eas/blue",
    ];
    let (ended, report) = run(&scratch, "says-nothing", &cases);
    ended.check(3, &["the subject never answered"]);
    assert_eq!(with(&report, "pass", false), [] as [String; 0]);
}

#[test]
fn a_subject_that_never_listens_has_no_verdict() {
    let scratch = Scratch::new();
    let (ended, report) = run(&scratch, "never-listens", &["--case", "coexistence/owa/red*"]);
    ended.check(
        4,
        &["did not listen on 127.", "subject `never-listens` could not be started; coexistence/owa/red"],
    );
    assert!(with(&report, "setup", false).len() > 8, "{ended}");
    // It is said once, and named once more as what is to be done next.
    assert_eq!(ended.out.matches("did not listen on 127.").count(), 2, "{ended}");
}

#[test]
fn a_subject_that_dies_fails_nothing() {
    let scratch = Scratch::new();
    let (ended, report) = run(&scratch, "dies-at-third", &CASES);
    ended.check(4, &["the subject died: exit status: 4", "this was connection 3"]);
    for outcome in ["fail", "unobserved"] {
        assert_eq!(with(&report, outcome, false), [] as [String; 0], "{ended}");
    }
    // Those that were in flight, and those that never began: how many of each is chance, and both are most of the run.
    assert!(with(&report, "setup", false).len() > 40, "{ended}");
}

/// Each of these opens three connections by itself, so whichever are under way at the end, one that kills alone is.
#[test]
fn what_a_subject_dies_of_alone_is_named() {
    let scratch = Scratch::new();
    let killers = [
        "--case",
        "coexistence/autodiscover/green-then-purple-then-red",
        "--case",
        "coexistence/general/*-by-own-names",
        "--case",
        "coexistence/owa/everyone-unasked",
    ];
    let (ended, _) = run(&scratch, "dies-at-third", &killers);
    ended.check(4, &["the subject dies of coexistence/", "alone in a lab too"]);
}

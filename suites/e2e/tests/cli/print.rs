//! What there is, and what it means: `list` and `explain`.

use std::fs;

use rstest::rstest;

use crate::scratch::{Scratch, run};

#[rstest]
#[case("rules", &["CX-OWA-2", "PRE-EAS-4B"])]
#[case("cases", &["coexistence/owa/purple ", "Purple is moved to the legacy namespace", "pre-e15/owa/red "])]
#[case("topologies", &["coexistence    variants: +edge, +mbx2013-s2, +pairs", "pre-e15        variants: "])]
#[case("subjects", &["reference-2013", "front-end-2010", "silent-redirect"])]
#[case("features", &["autodiscover\n", "ntlm-front\n"])]
#[case("defects", &["redirects-bare", "a second prompt"])]
fn what_there_is_is_listed(#[case] what: &str, #[case] says: &[&str]) {
    let ended = run(&["list", what]);
    ended.check(0, says);
    assert_eq!(ended.err, "", "{ended}");
}

/// `coexist list cases | head -1`: who has read enough closes the pipe, and nothing is to be said of that.
#[rstest]
#[case::list(&["list", "cases"], 0)]
#[case::explain(&["explain", "CX-OWA-2"], 0)]
#[case::predict(&["predict", "coexistence"], 0)]
#[case::check(&["check", "coexistence"], 0)]
#[case::help(&["--help"], 0)]
#[case::runs(&["e2e", "--ground", "mapped", "--case", "coexistence/owa/red"], 0)]
fn a_pipe_that_nobody_reads_ends_nothing_but_the_text(#[case] args: &[&str], #[case] code: i32) {
    let ended = Scratch::new().run_unread(args);
    assert_eq!((ended.code, ended.err.as_str()), (Some(code), ""), "{ended}");
}

#[test]
fn every_case_file_is_listed_once() {
    let scratch = Scratch::with_cases(&["coexistence/owa/red", "pre-e15/owa/red"]);
    let ended = scratch.run(&["list", "cases"]);
    let ids: Vec<&str> = ended.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(ids, ["coexistence/owa/red", "pre-e15/owa/red"]);
}

#[rstest]
#[case("coexistence/owa/purple", &["CX-OWA-2", "leg 2    legacy.contoso.com (told): cas2007-s1 -> mbx2007-s1", "source   the article", "again    cargo xtask e2e --case coexistence/owa/purple"])]
#[case("CX-OWA-2", &["CX-OWA-2  (result)", "case     coexistence/owa/purple", "defect   redirects-bare", "again    cargo xtask e2e --rule CX-OWA-2"])]
#[case("redirects-bare", &["must be caught by CX-OWA-2", "again    cargo xtask mutants --defect redirects-bare"])]
#[case("routes", &["What the servers that are not in the seat do"])]
fn a_thing_is_explained(#[case] id: &str, #[case] says: &[&str]) {
    run(&["explain", id]).check(0, says);
}

/// What `explain` says a person can type.
#[test]
fn what_explain_says_to_run_can_be_run() {
    let scratch = Scratch::new();
    let ended = scratch.run(&["explain", "coexistence/owa/purple"]);
    let again =
        ended.out.lines().find_map(|line| line.strip_prefix("  again    cargo xtask ")).expect("a line");
    let args: Vec<&str> = again.split_whitespace().chain(["--ground", "mapped"]).collect();
    scratch.run(&args).check(0, &["1 passed; 1 selected"]);
}

#[test]
fn help_says_the_exit_codes() {
    run(&["--help"]).check(
        0,
        &["0 all as expected; 1 a verdict is not; 2 bad input; 3 nothing was checked", "130 interrupted"],
    );
    run(&["e2e", "--help"]).check(0, &["--shard", "--failed", "--isolate"]);
    run(&["--version"]).check(0, &["coexist "]);
}

/// A defect that a copy of the suite has no case for is still explained, and a rule without a case says so by silence.
#[test]
fn a_rule_without_a_case_is_explained_without_one() {
    let scratch = Scratch::with_cases(&["coexistence/owa/red"]);
    let rules = fs::read_to_string(format!("{}/rules.toml", scratch.suites())).unwrap();
    assert!(rules.contains("CX-OWA-2"));
    scratch.run(&["explain", "CX-OWA-2"]).check(0, &["CX-OWA-2"]).check_never(&["case     "]);
}

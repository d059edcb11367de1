//! A run that checked nothing is never green: exit 3, or 4 where the subject did not start or last.

use std::fs;

use rstest::rstest;

use crate::scratch::{Scratch, run, subject};

const RED: &str = "coexistence/owa/red";

#[rstest]
#[case(&["--case", "nothing-like-this"], "no case matched --case nothing-like-this; `coexist list cases` prints")]
#[case(&["--rule", "CX-NONE-1"], "no case holds --rule CX-NONE-1; `coexist list rules` prints")]
#[case(&["--case", RED, "--case", "coexistence/owa/rde"], "no case matched --case coexistence/owa/rde")]
fn a_filter_that_matches_nothing_is_named_beside_others_that_do(#[case] filter: &[&str], #[case] says: &str) {
    run(&[&["e2e", "--ground", "mapped"], filter].concat()).check(3, &[says]);
}

#[rstest]
#[case(&["--topology", "nowhere"])]
#[case(&["--shard", "2/2", "--case", "coexistence/owa/red"])]
fn a_filter_that_lets_nothing_through_is_told(#[case] filter: &[&str]) {
    let ended = run(&[&["e2e", "--ground", "mapped"], filter].concat());
    ended.check(3, &["no case matched; `coexist list cases` prints every id", "nothing was run"]);
}

#[test]
fn a_subject_that_claims_nothing_is_told_what_it_does_not_claim() {
    let scratch = Scratch::new();
    let file = subject("[\"sleep\", \"60\"]", "").replace("[\"owa\", \"silent-redirect\"]", "[]");
    let file = scratch.write("stub.toml", &file);
    let ended =
        scratch.run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/purple"]);
    ended.check(
        3,
        &["1 skipped; 1 selected", "1: stub does not claim owa, silent-redirect", "every case was skipped"],
    );
}

#[test]
fn fewer_cases_than_the_floor_are_not_enough_though_all_pass() {
    let scratch = Scratch::with_cases(&[RED, "coexistence/owa/green"]);
    fs::write(format!("{}/floor", scratch.suites()), "3\n").unwrap();
    let ended = scratch.run(&["e2e", "--ground", "mapped"]);
    ended.check(
        3,
        &["2 passed; 2 selected", "2 cases are fewer than the suite's floor of 3: were some lost?"],
    );
    scratch.run(&["e2e", "--ground", "mapped", "--case", "*"]).check(0, &["2 passed; 2 selected"]);
}

#[rstest]
#[case::not_there("[\"./no-such-proxy\"]", &["{folder}/no-such-proxy: No such file"])]
#[case::not_in_path("[\"no-such-proxy\"]", &["`no-such-proxy`: it is in no folder of PATH", "is written `./my-proxy`"])]
#[case::not_executable("[\"./stub.toml\"]", &["{folder}/stub.toml: this is not executable; chmod +x"])]
#[case::ends_at_once("[\"false\"]", &["ended before it was ready (exit status: 1)"])]
#[case::ends_with_words("[\"/bin/sh\", \"-c\", \"echo no licence; exit 7\"]", &["(exit status: 7)", "no licence"])]
#[case::never_listens("[\"sleep\", \"60\"]", &["did not listen on 127.", "(https) within 500ms"])]
fn a_subject_that_does_not_start_breaks_the_run(#[case] command: &str, #[case] says: &[&str]) {
    let scratch = Scratch::new();
    let file =
        scratch.write("stub.toml", &subject(command, "").replace("within = \"10s\"", "within = \"500ms\""));
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", RED]);
    let folder = scratch.path("");
    let says: Vec<String> =
        says.iter().map(|s| s.replace("{folder}", folder.trim_end_matches('/'))).collect();
    let says: Vec<&str> = says.iter().map(String::as_str).collect();
    ended.check(4, &says);
    ended.check(4, &["subject `stub`", "1 could not be run (setup)", "coexist: 1 case could not be run"]);
}

/// What it starts names the scratch folder, so that one left over would be seen.
#[test]
fn a_subject_that_never_listens_is_gone_with_all_that_it_started() {
    let scratch = Scratch::new();
    let command = "[\"/bin/sh\", \"-c\", \"sh -c 'sleep 60; :' {work}/child & wait\", \"{work}/parent\"]";
    let file =
        scratch.write("stub.toml", &subject(command, "").replace("within = \"10s\"", "within = \"500ms\""));
    scratch
        .run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", RED])
        .check(4, &["did not listen"]);
}

#[test]
fn a_subject_that_dies_in_the_middle_is_a_broken_run_and_no_failed_case() {
    let scratch = Scratch::new();
    // The reference, which ends with the group's first process, and that once the first lie was told.
    let command = "[\"/bin/sh\", \"-c\", \"{coexist} reference --role front-end-2013 --lab {work}/lab.json \
                   --defect redirects-bare --fired {work}/fired & until [ -s {work}/fired ]; do :; done\"]";
    let file = scratch.write("stub.toml", &subject(command, ""));
    let args =
        ["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/*", "--jobs", "1"];
    scratch.run(&args).check(4, &["the subject died: exit status: 0"]);
}

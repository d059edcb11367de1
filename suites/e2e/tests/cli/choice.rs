//! Which cases run, how often, in what company: the choice changes no verdict.

use std::collections::BTreeSet;
use std::fs;

use rstest::rstest;
use serde_json::Value;

use crate::scratch::{Scratch, run};

/// The ids of the cases that a run says it judged, once for each time.
fn judged(options: &[&str]) -> Vec<String> {
    let scratch = Scratch::new();
    let report = scratch.path("report");
    let ended = scratch.run(&[&["e2e", "--ground", "mapped", "--report", &report], options].concat());
    ended.check(0, &[]);
    let report: Value =
        serde_json::from_str(&fs::read_to_string(format!("{report}/report.json")).unwrap()).unwrap();
    report["cases"].as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
#[case::two("2")]
#[case::three("3")]
fn shards_are_a_partition_of_the_cases(#[case] parts: &str) {
    let chosen = ["--case", "coexistence/owa/re*", "--case", "pre-e15/owa/re*"];
    let mut whole = judged(&chosen);
    let shard = |part: usize| judged(&[&chosen[..], &["--shard", &format!("{part}/{parts}")]].concat());
    let shards: Vec<Vec<String>> = (1..=parts.parse().unwrap()).map(shard).collect();
    let sizes: BTreeSet<usize> = shards.iter().map(Vec::len).collect();
    assert!(sizes.last().unwrap() - sizes.first().unwrap() <= 1, "{sizes:?}");
    let mut parts = shards.concat();
    parts.sort();
    whole.sort();
    assert_eq!(parts, whole);
}

#[rstest]
#[case(&["--case", "coexistence/owa/red", "--case", "coexistence/owa/red*"], "coexistence/owa/red")]
#[case(&["--rule", "CX-OWA-2"], "coexistence/owa/purple")]
#[case(&["--view", "internal", "--case", "coexistence/autodiscover/*"], "coexistence/autodiscover/red-inside")]
#[case(&["--topology", "coexistence+pairs", "--case", "*/owa/*"], "coexistence/owa/red-of-two")]
fn a_case_that_is_chosen_twice_runs_once(#[case] options: &[&str], #[case] among: &str) {
    let cases = judged(options);
    assert_eq!(cases.len(), cases.iter().collect::<BTreeSet<_>>().len(), "{cases:?}");
    assert!(cases.iter().any(|case| case == among), "{cases:?}");
}

#[rstest]
#[case(&[], "arrivals")]
#[case(&["--isolate"], "passed")]
#[case(&["--jobs", "1"], "passed")]
#[case(&["--isolate", "--jobs", "2"], "passed")]
#[case(&["--seed", "1"], "seed       0001")]
fn company_and_order_change_no_verdict(#[case] options: &[&str], #[case] says: &str) {
    let cases = ["owa", "eas", "ews", "oab"].map(|protocol| format!("coexistence/{protocol}/purple"));
    let cases = cases.iter().flat_map(|case| ["--case", case]);
    let args: Vec<&str> =
        ["e2e", "--ground", "mapped"].into_iter().chain(cases).chain(options.iter().copied()).collect();
    run(&args).check(0, &["4 passed; 4 selected", says]);
}

#[test]
fn a_repeated_run_runs_everything_again() {
    let ended = run(&[
        "e2e",
        "--ground",
        "mapped",
        "--case",
        "coexistence/owa/purple",
        "--case",
        "pre-e15/owa/red",
        "--repeat",
        "3",
    ]);
    ended.check(0, &["6 passed; 6 selected"]);
}

//! What `--report` writes: three files that agree with each other and hold their published shapes.

use std::fs;

use quick_xml::Reader;
use quick_xml::events::Event;
use report::schema;
use serde_json::Value;

use crate::scratch::{Scratch, reference, subject};

/// A run of three cases, one of which the defect breaks and one of which the subject does not claim; its report's folder.
fn reported(scratch: &Scratch) -> String {
    let file = scratch.write("stub.toml", &subject(&reference(Some("redirects-bare")), ""));
    let folder = scratch.path("report");
    let cases = ["owa/purple", "owa/red", "eas/red"].map(|case| format!("coexistence/{case}"));
    let cases: Vec<&str> = cases.iter().flat_map(|case| ["--case", case]).collect();
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--report", &folder];
    scratch.run(&[&args[..], &cases].concat()).check(1, &["1 passed, 1 failed, 1 skipped; 3 selected"]);
    folder
}

fn json(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn report_and_ledger_hold_their_schemas() {
    let scratch = Scratch::new();
    let folder = reported(&scratch);
    let report = json(&format!("{folder}/report.json"));
    let shape = serde_json::from_str(schema::REPORT).unwrap();
    assert_eq!(schema::violations(&shape, &report), Vec::<String>::new());

    let ledger = fs::read_to_string(format!("{folder}/ledger.jsonl")).unwrap();
    let shape = serde_json::from_str(schema::LEDGER).unwrap();
    for line in ledger.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(schema::violations(&shape, &line), Vec::<String>::new(), "{line}");
    }
    assert_eq!(report["run"]["arrivals"], ledger.lines().count());
    assert!(ledger.lines().any(|line| line.contains("\"coexistence/owa/purple\"")), "{ledger}");
    // A password is in no evidence: neither the users' nor a Basic header's.
    assert!(!ledger.contains("pass-"), "{ledger}");
    let beside: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 3, "nothing half-written: {beside:?}");
}

#[test]
fn junit_is_well_formed_and_counts_what_the_report_counts() {
    let scratch = Scratch::new();
    let folder = reported(&scratch);
    let counts = json(&format!("{folder}/report.json"))["run"]["counts"].clone();
    let xml = fs::read_to_string(format!("{folder}/junit.xml")).unwrap();
    let (mut cases, mut failures, mut skipped, mut open) = (0, 0, 0, 0);
    let mut totals = vec![];
    let mut reader = Reader::from_str(&xml);
    loop {
        let (element, empty) = match reader.read_event().unwrap_or_else(|error| panic!("{error}\n{xml}")) {
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::End(_) => {
                open -= 1;
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        open += i32::from(!empty);
        match element.name().as_ref() {
            b"testsuites" => {
                totals = element
                    .attributes()
                    .map(|attribute| attribute.unwrap())
                    .map(|a| {
                        format!(
                            "{}={}",
                            String::from_utf8_lossy(a.key.as_ref()),
                            String::from_utf8_lossy(&a.value)
                        )
                    })
                    .collect();
            }
            b"testcase" => cases += 1,
            b"failure" => failures += 1,
            b"skipped" => skipped += 1,
            _ => {}
        }
    }
    assert_eq!(open, 0, "{xml}");
    assert_eq!(
        (&counts["selected"], &counts["fail"], &counts["skip"]),
        (&cases.into(), &failures.into(), &skipped.into())
    );
    for total in [
        format!("tests={cases}"),
        format!("failures={failures}"),
        "errors=0".into(),
        format!("skipped={skipped}"),
    ] {
        assert!(totals.contains(&total), "{total} is not in {totals:?}");
    }
}

#[test]
fn the_failed_cases_and_no_others_run_again() {
    let scratch = Scratch::new();
    let folder = reported(&scratch);
    // By the reference this time, for which every case passes.
    let again = scratch.path("again");
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--failed", &folder, "--report", &again]);
    ended.check(0, &["1 passed; 1 selected"]);
    assert_eq!(json(&format!("{again}/report.json"))["cases"][0]["id"], "coexistence/owa/purple");
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--failed", &again]);
    ended.check(2, &["again/report.json: every case was as expected"]);
}

/// `--case` narrows what `--failed` names, as every other filter does.
#[test]
fn failed_cases_can_be_narrowed() {
    let scratch = Scratch::new();
    let folder = reported(&scratch);
    let ended =
        scratch.run(&["e2e", "--ground", "mapped", "--failed", &folder, "--case", "coexistence/eas/*"]);
    ended.check(3, &["no case matched"]);
}

#[test]
fn a_report_that_cannot_be_written_is_never_green() {
    let scratch = Scratch::new();
    let file = scratch.write("in-the-way", "");
    let ended =
        scratch.run(&["e2e", "--ground", "mapped", "--case", "coexistence/owa/red", "--report", &file]);
    ended.check(4, &["the report could not be written to", "in-the-way"]);
}

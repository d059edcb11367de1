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
    assert!(!ledger.contains("Pw-"), "{ledger}");
    assert!(ledger.contains("UserContext=(redacted)") || ledger.contains("sessionid=(redacted)"), "{ledger}");
    assert_eq!(
        names(&folder),
        ["evidence", "iis", "junit.xml", "ledger.jsonl", "report.html", "report.json", "summary.md"],
        "nothing half-written"
    );
}

/// The names in a folder, in order.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_failed_case_and_no_other_leaves_its_evidence() {
    let scratch = Scratch::new();
    let folder = reported(&scratch);
    let report = json(&format!("{folder}/report.json"));
    let named: Vec<&Value> =
        report["cases"].as_array().unwrap().iter().map(|case| &case["evidence"]).collect();
    let place = "evidence/coexistence/owa/purple";
    assert_eq!(named.iter().filter(|evidence| evidence.is_string()).count(), 1, "{named:?}");
    assert!(named.contains(&&Value::from(place)), "{named:?}");
    assert_eq!(names(&format!("{folder}/evidence/coexistence/owa")), ["purple"]);

    let of_case = format!("{folder}/{place}");
    let all = [
        "again.txt",
        "dns.jsonl",
        "heads.txt",
        "iis.log",
        "journeys.json",
        "journeys.txt",
        "ledger.jsonl",
        "subject.log",
    ];
    assert_eq!(names(&of_case), all);
    let text = |file: &str| fs::read_to_string(format!("{of_case}/{file}")).unwrap();
    let bytes: usize = all.iter().map(|file| text(file).len()).sum();
    assert!(bytes <= 1024 * 1024, "{bytes}");

    let again = report["cases"].as_array().unwrap().iter().find(|case| case["outcome"] == "fail").unwrap();
    assert_eq!(text("again.txt").lines().next(), again["again"].as_str());
    assert!(text("journeys.txt").starts_with("coexistence/owa/purple: leg"), "{}", text("journeys.txt"));
    assert_eq!(json(&format!("{of_case}/journeys.json"))["expected"], again["expected"]);
    let iis = text("iis.log");
    assert!(iis.contains("\n#Fields: date time s-sitename ") && iis.contains(" GET /owa/ "), "{iis}");
    let heads = text("heads.txt");
    assert!(heads.contains("\n> GET /owa/ HTTP/1.1\n> Host: mail.contoso.com\n"), "{heads}");
    assert!(heads.contains("\n< HTTP/1.1 302 Found\n"), "{heads}");
    let shape = serde_json::from_str(schema::LEDGER).unwrap();
    for line in text("ledger.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(schema::violations(&shape, &line), Vec::<String>::new(), "{line}");
        assert_eq!(line["case"], "coexistence/owa/purple");
    }
    assert!(!text("ledger.jsonl").is_empty());
    assert!(text("dns.jsonl").contains("\"asked-by\":\"a client\""), "{}", text("dns.jsonl"));
    assert!(text("subject.log").starts_with("# what the subject wrote while this case ran; "));
    // Neither the user's password, in any form, nor a session.
    for file in all {
        let text = text(file);
        assert!(!text.contains("Pw-"), "{file}: {text}");
    }
    for line in heads.lines().filter(|line| line.to_ascii_lowercase().contains("cookie: ")) {
        assert!(line.contains("=(redacted)"), "{line}");
    }
}

#[test]
fn the_evidence_of_a_case_that_passes_now_is_gone() {
    let scratch = Scratch::new();
    let folder = reported(&scratch);
    let case = "coexistence/owa/purple";
    scratch.run(&["e2e", "--ground", "mapped", "--case", case, "--report", &folder]).check(0, &["1 passed"]);
    assert!(!std::path::Path::new(&format!("{folder}/evidence/{case}")).exists());
}

/// What could not be run at all says so in its folder too.
#[test]
fn a_subject_that_ends_at_once_leaves_its_last_words() {
    let scratch = Scratch::new();
    let command = "[\"sh\", \"-c\", \"echo no licence; exit 3\"]";
    let file = scratch.write("stub.toml", &subject(command, ""));
    let folder = scratch.path("report");
    let args = [
        "e2e",
        "--ground",
        "mapped",
        "--subject",
        &file,
        "--report",
        &folder,
        "--case",
        "coexistence/owa/red",
    ];
    scratch.run(&args).check(4, &["no licence"]);
    let log = fs::read_to_string(format!("{folder}/evidence/coexistence/owa/red/subject.log")).unwrap();
    assert!(log.ends_with("no licence\n"), "{log}");
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

#[test]
fn a_workflow_of_githubs_shows_the_failed_case_at_its_file() {
    let scratch = Scratch::new();
    let (tree, summary) = (format!("{}/..", scratch.suites()), scratch.path("summary"));
    let scratch = scratch
        .with_env("GITHUB_ACTIONS", "true")
        .with_env("GITHUB_WORKSPACE", &tree)
        .with_env("GITHUB_STEP_SUMMARY", &summary);
    scratch.write("summary", "an earlier step\n");
    let file = scratch.write("stub.toml", &subject(&reference(Some("redirects-bare")), ""));
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/purple"];
    let error = "\n::error file=suites/cases/coexistence/owa/purple.toml,title=coexistence/owa/purple%3A legs 1 and 2 differ::";
    scratch.run(&args).check(1, &[error]);
    let summary = fs::read_to_string(summary).unwrap();
    assert!(
        summary.starts_with("an earlier step\n## ❌ Coexist: 1 of 1 cases not as expected\n"),
        "{summary}"
    );
}

#[test]
fn the_page_names_the_failed_case_and_says_what_is_next() {
    let scratch = Scratch::new();
    let folder = reported(&scratch);
    let html = fs::read_to_string(format!("{folder}/report.html")).unwrap();
    let head = &html[..html.find("</header>").unwrap()];
    for says in
        ["<title>1 of 3 cases is not as expected", "as front-end-2013", "coexistence/owa/purple", "--seed "]
    {
        assert!(head.contains(says), "`{says}` is not in {head}");
    }
    assert!(html.contains("href=\"evidence/coexistence/owa/purple/heads.txt\""));
    assert!(!html.contains("pass-"), "a password");
}

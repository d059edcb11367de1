//! `report merge`: the reports of shards become the report of the run that they are parts of, or are refused.

use std::fs;
use std::path::Path;

use report::schema;
use rstest::rstest;
use serde_json::Value;

use crate::scratch::{Ended, Scratch, reference, subject};

const CASES: [&str; 6] =
    ["--case", "coexistence/owa/purple", "--case", "coexistence/owa/red", "--case", "coexistence/eas/red"];

/// Runs a shard of three cases: one of them the defect breaks, and one the subject does not claim.
fn shard(scratch: &Scratch, defect: Option<&str>, shard: &str) -> String {
    let file = scratch.write("stub.toml", &subject(&reference(defect), ""));
    let folder = scratch.path(&format!("shard-{}", shard.replace('/', "-of-")));
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--report", &folder, "--shard", shard];
    let ended = scratch.run(&[&args[..], &CASES].concat());
    assert!(Path::new(&format!("{folder}/report.json")).is_file(), "{ended}");
    folder
}

fn merged(scratch: &Scratch, folders: &[&str]) -> Ended {
    let output = scratch.path("merged");
    scratch.run(&[&["report", "merge"], folders, &["-o", &output]].concat())
}

fn json(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The first shard has eas/red, which is skipped, and owa/red; the second owa/purple, which fails; the third of four has
/// owa/red alone, and the fourth nothing at all.
#[test]
fn the_reports_of_all_shards_become_the_report_of_the_whole() {
    let scratch = Scratch::new();
    let defect = Some("redirects-bare");
    let [one, two] = ["1/2", "2/2"].map(|part| shard(&scratch, defect, part));
    let ended = merged(&scratch, &[&two, &one]);
    let says =
        ["1 passed, 1 failed, 1 skipped; 3 selected", "coexistence/owa/purple: leg", "merged     2 shards"];
    ended.check(1, &says);

    let folder = scratch.path("merged");
    let report = json(&format!("{folder}/report.json"));
    let shape = serde_json::from_str(schema::REPORT).unwrap();
    assert_eq!(schema::violations(&shape, &report), Vec::<String>::new());
    let ids: Vec<&str> =
        report["cases"].as_array().unwrap().iter().filter_map(|case| case["id"].as_str()).collect();
    assert_eq!(ids, ["coexistence/eas/red", "coexistence/owa/purple", "coexistence/owa/red"]);
    assert_eq!((&report["run"]["exit"], &report["run"]["shard"]), (&1.into(), &Value::Null));
    let parts = [&one, &two].map(|folder| json(&format!("{folder}/report.json")));
    let arrivals: u64 = parts.iter().map(|part| part["run"]["arrivals"].as_u64().unwrap()).sum();
    assert_eq!(report["run"]["arrivals"], arrivals);
    let text = |path: &str| {
        fs::read_to_string(format!("{folder}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    assert_eq!(text("ledger.jsonl").lines().count() as u64, arrivals);
    let case = "evidence/coexistence/owa/purple";
    for file in ["again.txt", "heads.txt", "dns.jsonl", "subject.log"] {
        let path = format!("{case}/{file}");
        assert_eq!(text(&path), fs::read_to_string(format!("{two}/{path}")).unwrap(), "{path}");
    }
    let html = text("report.html");
    assert!(html.contains("<title>1 of 3 cases is not as expected"), "{html}");
    assert!(html.contains(&format!("href=\"{case}/heads.txt\"")) && html.contains("DNS queries in its time"));
    assert!(text("junit.xml").contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""));
    assert!(text("summary.md").contains("1 of 3 cases not as expected"));
    let log = |folder: &str| fs::read_to_string(format!("{folder}/iis/cas2010-s1.log")).unwrap_or_default();
    assert_eq!(log(&folder), log(&one) + &log(&two));
    assert!(log(&folder).contains("#Fields: "));
    // It is whole, nothing lies beside it, and what there is is not written over.
    let left: Vec<String> = fs::read_dir(scratch.path(""))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!left.iter().any(|name| name.contains(".part")), "{left:?}");
    merged(&scratch, &[&two, &one]).check(2, &["merged: this folder is not empty", "-o"]);
    // What failed in the whole runs again from it.
    scratch.run(&["e2e", "--ground", "mapped", "--failed", &folder]).check(0, &["1 passed; 1 selected"]);
}

/// A shard that has nothing to check ends with 3 by itself; the whole of which it is a part does not.
#[test]
fn a_shard_without_a_case_takes_nothing_from_the_whole() {
    let scratch = Scratch::new();
    let parts = ["1/4", "2/4", "3/4", "4/4"].map(|part| shard(&scratch, None, part));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let exits: Vec<Value> =
        parts.iter().map(|part| json(&format!("{part}/report.json"))["run"]["exit"].clone()).collect();
    assert_eq!(exits, [3, 0, 0, 3]);
    merged(&scratch, &parts).check(0, &["2 passed, 1 skipped; 3 selected", "nothing: all is as expected"]);
}

#[test]
fn a_merge_of_nothing_is_never_green() {
    let scratch = Scratch::new();
    merged(&scratch, &[]).check(3, &["no report was named, so nothing was merged"]);
    let file = scratch.write("stub.toml", &subject(&reference(None), ""));
    let folder = scratch.path("skipped");
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--report", &folder, "--shard", "1/1"];
    scratch
        .run(&[&args[..], &["--case", "coexistence/eas/red"]].concat())
        .check(3, &["every case was skipped"]);
    merged(&scratch, &[&folder]).check(3, &["every case was skipped"]);
}

/// Each is spoilt in one way; what is left of the output is nothing.
#[rstest]
#[case::no_report("1", "report.json", "", "{\"lockfileVersion\": 3}", &["1-of-2/report.json: no report: $: `run` is missing", "a right one is"])]
#[case::cut_short("1", "report.json", "", "{\"run\": {", &["1-of-2/report.json: no report: EOF", "was it cut short?"])]
#[case::suite("1", "report.json", "\"tree\": \"", "\"tree\": \"0", &["2-of-2/report.json: its suite is `", "only parts of one run"])]
#[case::again("2", "report.json", "\"shard\": \"2/2\"", "\"shard\": \"1/2\"", &["this is shard 1/2, and so is"])]
#[case::missing("2", "report.json", "\"shard\": \"2/2\"", "\"shard\": \"2/3\"", &["its shard is one of 3", "is one of 2"])]
#[case::counts("1", "report.json", "\"pass\": 1", "\"pass\": 2", &["1-of-2/report.json: its counts are not those of its cases"])]
#[case::ledger("1", "ledger.jsonl", "", "{\"order\": 1", &["1-of-2/ledger.jsonl: line 1 is no arrival", "copy the report's folder whole"])]
#[case::lost("1", "ledger.jsonl", "", "", &["1-of-2/ledger.jsonl: it has 0 arrivals, and its report says"])]
fn what_does_not_belong_together_is_refused_with_its_file(
    #[case] part: &str,
    #[case] file: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] says: &[&str],
) {
    let scratch = Scratch::new();
    let [one, two] = ["1/2", "2/2"].map(|part| shard(&scratch, None, part));
    let path = format!("{}/{file}", if part == "1" { &one } else { &two });
    let text = fs::read_to_string(&path).unwrap();
    let spoilt = if from.is_empty() { to.to_owned() } else { text.replacen(from, to, 1) };
    assert_ne!(text, spoilt);
    fs::write(&path, spoilt).unwrap();
    merged(&scratch, &[&one, &two]).check(2, says);
    assert!(!Path::new(&scratch.path("merged")).exists());
}

#[test]
fn a_missing_shard_is_named_and_so_is_evidence_that_was_not_copied() {
    let scratch = Scratch::new();
    let [one, two] = ["1/2", "2/2"].map(|part| shard(&scratch, Some("redirects-bare"), part));
    merged(&scratch, &[&one]).check(
        2,
        &["shard 2/2 is missing: run `e2e --shard 2/2 --report DIR`", "--case coexistence/owa/purple"],
    );
    merged(&scratch, &[&two, "nowhere"]).check(2, &["nowhere/report.json: No such file"]);
    fs::remove_file(format!("{two}/evidence/coexistence/owa/purple/heads.txt")).unwrap();
    let says = ["evidence/coexistence/owa/purple/heads.txt: No such file", "copy the report's folder whole"];
    merged(&scratch, &[&one, &two]).check(2, &says);
    let whole = scratch.path("whole");
    scratch
        .run(&["e2e", "--ground", "mapped", "--case", "coexistence/owa/red", "--report", &whole])
        .check(0, &[]);
    merged(&scratch, &[&whole]).check(2, &["whole/report.json: this is the report of a whole run"]);
}

//! Ctrl-C and a supervisor's TERM: exit 130 within seconds, and nothing is left: no process, no folder.

use std::fs;
use std::time::Duration;

use rstest::rstest;
use rustix::process::Signal;
use serde_json::Value;

use crate::scratch::{Scratch, subject};

/// How soon it must be over.
const SOON: Duration = Duration::from_secs(5);
const ALL: [&str; 7] = ["e2e", "--ground", "mapped", "--repeat", "1000", "--topology", "coexistence"];

#[rstest]
#[case::shared(Signal::INT, &[])]
#[case::shared(Signal::TERM, &[])]
#[case::isolated(Signal::INT, &["--isolate"])]
#[case::isolated(Signal::TERM, &["--isolate"])]
fn a_run_can_be_interrupted(#[case] signal: Signal, #[case] options: &[&str]) {
    let scratch = Scratch::new();
    let run = scratch.start(&[&ALL[..], options].concat());
    run.wait_until("a lab is up", || scratch.lab_is_up());
    run.signal(signal);
    let ended = run.ended_within(SOON);
    ended.check(130, &["interrupted: what was running is not judged"]);
    scratch.check_clean();
}

#[test]
fn an_interrupted_run_still_writes_its_report() {
    let scratch = Scratch::new();
    let folder = scratch.path("report");
    let run = scratch.start(&[&ALL[..], &["--report", &folder]].concat());
    run.wait_until("a lab is up", || scratch.lab_is_up());
    run.signal(Signal::INT);
    run.ended_within(SOON).check(130, &["verdicts up to here are in the report"]);
    let report: Value =
        serde_json::from_str(&fs::read_to_string(format!("{folder}/report.json")).unwrap()).unwrap();
    assert_eq!(report["run"]["exit"], 130);
    scratch.check_clean();
}

/// A subject may be given minutes to become ready: whoever interrupts does not wait for it.
#[test]
fn a_subject_that_is_not_ready_yet_does_not_hold_up_an_interrupt() {
    let scratch = Scratch::new();
    let command = "[\"/bin/sh\", \"-c\", \"sleep 60; :\", \"{work}\"]";
    let file =
        scratch.write("slow.toml", &subject(command, "").replace("within = \"10s\"", "within = \"60s\""));
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/red"];
    let run = scratch.start(&args);
    run.wait_until("the lab has told its subject", || scratch.lab_is_up());
    run.signal(Signal::INT);
    run.ended_within(SOON).check(130, &["interrupted"]);
    scratch.check_clean();
}

/// Nobody is left to end anything then, and the subject may have started others, which the kernel does not end with it.
#[rstest]
#[case::mapped("mapped")]
#[case::own("own")]
fn a_run_that_is_killed_leaves_no_process(#[case] ground: &str) {
    if ground == "own" && !own_ground() {
        println!("skipped: there is no network of our own to be had here");
        return;
    }
    let scratch = Scratch::new();
    let command =
        "[\"/bin/sh\", \"-c\", \"sh -c 'touch $0-up; sleep 60; :' {work}/child & wait\", \"{work}/parent\"]";
    let file =
        scratch.write("slow.toml", &subject(command, "").replace("within = \"10s\"", "within = \"60s\""));
    let args = ["e2e", "--ground", ground, "--subject", &file, "--case", "coexistence/owa/red"];
    let run = scratch.start(&args);
    run.wait_until("the subject has started another", || scratch.lab_holds("child-up"));
    assert!(!scratch.processes().is_empty(), "they are seen");
    run.signal(Signal::KILL);
    assert_eq!(run.ended_within(SOON).code, None);
    scratch.wait_until_clean();
}

pub(crate) fn own_ground() -> bool {
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--mount", "true"]);
    command.status().is_ok_and(|status| status.success())
}

#[rstest]
#[case(Signal::INT)]
#[case(Signal::TERM)]
fn a_program_in_a_lab_can_be_interrupted(#[case] signal: Signal) {
    let scratch = Scratch::new();
    let started = scratch.path("started");
    // What the program starts names the folder, so that one left over would be seen.
    let script = format!("sh -c 'touch {started}; sleep 60; :' {}; :", scratch.path("tmp"));
    let run = scratch.start(&["exec", "--ground", "mapped", "--", "sh", "-c", &script]);
    run.wait_until("the program runs", || fs::exists(&started).unwrap());
    run.signal(signal);
    run.ended_within(SOON).check(130, &[]);
    scratch.check_clean();
}

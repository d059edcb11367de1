//! An earlier report beside a run: what is new, mended, regressed; who seems to have regressed is tried again alone.

use crate::scratch::{Ended, Scratch, reference, subject};

const PURPLE: &str = "coexistence/owa/purple";
const RED: &str = "coexistence/owa/red";

/// Runs the reference, sound or with this defect, on cases; writes a report, and reads another where one is named.
fn run(
    scratch: &Scratch,
    defect: Option<&str>,
    cases: &[&str],
    report: &str,
    baseline: Option<&str>,
) -> Ended {
    let file = scratch.write("stub.toml", &subject(&reference(defect), ""));
    let report = scratch.path(report);
    let baseline = baseline.map(|name| scratch.path(&format!("{name}/report.json")));
    let mut args = vec!["e2e", "--ground", "mapped", "--subject", &file, "--report", &report];
    args.extend(cases.iter().flat_map(|case| ["--case", case]));
    args.extend(baseline.iter().flat_map(|path| ["--baseline", path]));
    scratch.run(&args)
}

#[test]
fn a_case_that_passed_and_fails_alone_too_has_regressed() {
    let scratch = Scratch::new();
    run(&scratch, None, &[PURPLE, RED], "then", None).check(0, &[]);
    let ended = run(&scratch, Some("redirects-bare"), &[PURPLE, RED], "now", Some("then"));
    let says = "regressed  coexistence/owa/purple: pass then, fail now, alone too";
    ended.check(1, &["running 1 cases twice again, each alone", "1 regressed", says]);
    let ended = run(&scratch, None, &[PURPLE, RED, "coexistence/owa/green"], "mended", Some("now"));
    ended.check(0, &["1 new, 1 mended", "mended     coexistence/owa/purple: fail then, pass now"]);
    let ended = run(&scratch, None, &[PURPLE, RED], "same", Some("then"));
    ended.check(0, &["then/report.json: nothing has changed"]);
}

/// The defect lies as long as a file beside the lab is not there: the first lie makes it.
#[test]
fn a_case_that_fails_once_and_not_alone_is_unsteady_and_no_regression() {
    let scratch = Scratch::new();
    run(&scratch, None, &[PURPLE], "then", None).check(0, &[]);
    let once = scratch.path("lied-once");
    let sound = "{coexist} reference --role front-end-2013 --lab {work}/lab.json";
    let command = format!(
        "[\"/bin/sh\", \"-c\", \"if mkdir {once}; then exec {sound} --defect redirects-bare --fired {{work}}/fired; else exec {sound}; fi\"]"
    );
    let file = scratch.write("stub.toml", &subject(&command, ""));
    let baseline = scratch.path("then/report.json");
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", PURPLE, "--baseline", &baseline];
    scratch
        .run(&args)
        .check(0, &["1 unsteady", "unsteady   coexistence/owa/purple: failed beside others, and not alone"]);
}

#[test]
fn what_the_baseline_checked_and_is_claimed_no_more_is_never_green() {
    let scratch = Scratch::new();
    run(&scratch, None, &[PURPLE, RED], "then", None).check(0, &[]);
    let text = subject(&reference(None), "").replace("[\"owa\", \"silent-redirect\"]", "[\"owa\"]");
    let file = scratch.write("less.toml", &text);
    let baseline = scratch.path("then/report.json");
    let args = [
        "e2e",
        "--ground",
        "mapped",
        "--subject",
        &file,
        "--case",
        PURPLE,
        "--case",
        RED,
        "--baseline",
        &baseline,
    ];
    scratch.run(&args).check(
        1,
        &[
            "1 unchecked",
            "pass then, skipped now: stub does not claim silent-redirect",
            "is not checked any more",
        ],
    );
}

#[test]
fn a_baseline_that_is_no_report_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.write("then.json", "{\"cases\": [{\"id\": \"a\"}]}");
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--baseline", &file]);
    ended.check(2, &["then.json: no report: a case without id or outcome", "report.json of an earlier run"]);
}

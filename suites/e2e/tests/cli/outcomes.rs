//! What a verdict makes of the exit code, with and without a deviation; and what a failure prints.

use crate::scratch::{Ended, Scratch, reference, subject};

const PURPLE: &str = "coexistence/owa/purple";
const RED: &str = "coexistence/owa/red";

/// Runs purple, which the defect breaks, and red, which it does not, with these deviations.
fn run(defect: Option<&str>, deviations: &[&str]) -> Ended {
    let listed: String =
        deviations.iter().map(|case| format!("\"{case}\" = {{ why = \"issue 12\" }}\n")).collect();
    let scratch = Scratch::new();
    let text = subject(&reference(defect), &format!("[deviations]\n{listed}"));
    let file = scratch.write("stub.toml", &text);
    let cases = ["--case", PURPLE, "--case", RED, "--seed", "7f21"];
    scratch.run(&[&["e2e", "--ground", "mapped", "--subject", &file], &cases[..]].concat())
}

#[test]
fn a_failure_shows_both_journeys_and_how_to_run_it_again() {
    let ended = run(Some("redirects-bare"), &[]);
    ended.check(1, &["1 passed, 1 failed; 2 selected", "coexistence/owa/purple: legs 1 and 2 differ"]);
    let columns = "
  expected                                   observed
  mail.contoso.com                           mail.contoso.com
    cas2013-s1                                 cas2013-s1
    silent redirect                          - 302
      https://legacy.contoso.com/owa/            https://legacy.contoso.com/owa/
";
    let again = "  again    cargo xtask e2e --case coexistence/owa/purple --seed 7f21";
    let source = "  source   routing-rules CX-OWA-2; the article";
    ended.check(1, &[columns, source, "  likely   the redirect is not silent", again]);
    ended.check_never(&["coexistence/owa/red:"]);
}

/// Without the subject, the reference would run, and pass.
#[test]
fn what_runs_a_failure_again_names_the_subject_that_failed() {
    let ended = run(Some("redirects-bare"), &[]);
    let again = ended.out.lines().find(|line| line.starts_with("  again ")).expect("an again line");
    assert!(again.contains("--subject ") && again.contains("stub.toml"), "{again}");
}

#[test]
fn a_deviation_that_still_fails_is_as_expected() {
    let ended = run(Some("redirects-bare"), &[PURPLE]);
    ended.check(0, &["1 passed, 1 failed as expected; 2 selected", "nothing: all is as expected"]);
    ended.check_never(&["differ"]);
}

#[test]
fn a_deviation_that_passes_must_go() {
    let ended = run(None, &[PURPLE]);
    let says = "coexistence/owa/purple is listed as a deviation (issue 12) and passes: remove it";
    ended.check(
        1,
        &[
            "1 passed, 1 passed unexpectedly; 2 selected",
            says,
            "take the deviation coexistence/owa/purple out",
        ],
    );
}

#[test]
fn a_deviation_excuses_its_own_case_alone() {
    let ended = run(Some("redirects-bare"), &[RED]);
    ended.check(1, &["1 failed, 1 passed unexpectedly; 2 selected"]);
}

/// What is to be mended is not the proxy alone (rule CX-OA-6).
#[test]
fn where_ntlm_is_missing_the_failure_names_the_virtual_directory() {
    let scratch = Scratch::new();
    let text = subject(&reference(Some("hides-missing-ntlm")), "[declares]\nto-servers = \"ticket\"")
        .replace("[\"owa\", \"silent-redirect\"]", "[\"outlook-anywhere\"]");
    let file = scratch.write("stub.toml", &text);
    let case = "coexistence/outlook-anywhere/red-without-ntlm";
    let likely = "  likely   cas2010-s1/outlook-anywhere lacks NTLM: add Ntlm to IISAuthenticationMethods of its Rpc virtual \
                  directory; until then a 401 is due, at once";
    scratch.run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", case]).check(1, &[likely]);
}

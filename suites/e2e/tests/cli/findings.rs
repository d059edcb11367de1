//! What `check` finds, and that the lists of `topologies/findings` are held to it.

use crate::scratch::{Scratch, run};

const TOP_2: &str = "topologies/findings/top-2.toml";

#[test]
fn a_folder_of_findings_is_as_it_is_listed() {
    let folder = format!("{}/topologies/findings", Scratch::new().suites());
    let ended = run(&["check", &folder]);
    ended.check(0, &["listed  TOP-2 ", "files, 0 errors, 0 warnings"]).check_never(&["error  "]);
}

#[test]
fn a_finding_is_named_with_file_line_and_place_in_an_administrators_words() {
    let scratch = Scratch::with_cases(&["coexistence/owa/red"]);
    let base = "topologies/coexistence.toml";
    let ntlm = "iis-authentication = [\"ntlm\", \"basic\"]";
    scratch.edit(base, ntlm, "iis-authentication = [\"basic\"]");
    let file = format!("{}/{base}", scratch.suites());
    let says =
        "cas2010-s1/outlook-anywhere: IISAuthenticationMethods of the Rpc virtual directory has no NTLM";
    let ended = scratch.run(&["check", &file]);
    ended.check(1, &["error   TOP-3 ", says, "1 error, 0 warnings"]);
    let place = ended.out.split_whitespace().find(|word| word.starts_with(&file)).unwrap();
    let line: usize = place.trim_start_matches(&file).split(':').nth(1).unwrap().parse().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().nth(line - 1), Some("[servers.cas2010-s1.outlook-anywhere]"), "{place}");
}

#[test]
fn what_a_list_lacks_or_has_too_many_of_is_an_error() {
    let scratch = Scratch::with_findings();
    scratch.edit(TOP_2, "at    = \"cas2007-s3\"", "at    = \"cas2010-s3\"");
    let file = format!("{}/{TOP_2}", scratch.suites());
    scratch.run(&["check", &file]).check(
        1,
        &[
            "not listed: error TOP-2 at cas2007-s3",
            "listed, and not found: error TOP-2 at cas2010-s3",
            "2 errors",
        ],
    );
    let args = ["e2e", "--ground", "mapped", "--case", "*/findings/top-2"];
    scratch.run(&args).check(1, &["coexistence/findings/top-2", "not listed: error TOP-2 at cas2007-s3"]);
}

#[test]
fn findings_are_cases_of_their_rules_and_no_affair_of_a_subject() {
    let rule = ["e2e", "--ground", "mapped", "--rule", "DNS-3"];
    run(&rule).check(0, &["4 passed; 4 selected"]);
    run(&[&rule[..], &["--subject", "reference-2013"]].concat()).check(3, &["no case matched"]);
    run(&["explain", "DNS-3"]).check(0, &["coexistence/findings/dns-3-own"]);
    run(&["mutants", "--ground", "mapped", "--defect", "check-*"])
        .check(0, &["check-says-too-much", "2 of 2 are as"]);
}

#[test]
fn a_file_of_findings_that_is_wrong_is_refused_at_its_line() {
    for (right, wrong, place, says) in [
        (
            "rule  = \"TOP-2\"\nlevel = \"error\"",
            "rule  = \"TOP-2\"\nlevel = \"bad\"",
            ":11:",
            "(or warning)",
        ),
        ("coexistence+site3-2007", "coexistence+site9", ":4:", "no variant is called `+site9`"),
        ("\"cas2007-s1/ews\"", "\"cas2007-s9/ews\"", ":7:", "target is not in this topology"),
        ("rules    = [\"TOP-2\"]", "rules    = [\"TOP-2\", \"TOP-9\"]", ":2:", "there is no rule TOP-9"),
        (
            "rule  = \"TOP-2\"\nlevel = \"error\"\nat    = \"cas2007-s3\"",
            "rule  = \"TOP-9\"\nlevel = \"error\"\nat    = \"cas2007-s3\"",
            ":15:",
            "there is no rule TOP-9",
        ),
    ] {
        let scratch = Scratch::with_findings();
        scratch.edit(TOP_2, right, wrong);
        scratch.run(&["list", "cases"]).check(2, &[&format!("{TOP_2}{place}"), says]);
    }
}

//! `e2e --shrink`: a case that fails in a large topology fails in a small one, which is written with it.
//!
//! ```text
//!   coexistence, and 24 sites more, each with a Client Access and a Mailbox server of 2010
//!      purple is told 302 where a silent redirect is due   ->   the seat, cas2007-s1, mbx2007-s1, and hardly more
//! ```

use std::fs;

use crate::scratch::{Ended, Scratch, reference, subject};

const PURPLE: &str = "coexistence/owa/purple";
const SITES: usize = 24;

fn large() -> Scratch {
    let site = |number: usize| {
        let (cas, mbx) = (format!("cas2010-x{number}"), format!("mbx2010-x{number}"));
        let server = |name: &str, role: &str| {
            format!(
                "[servers.{name}]\nversion = \"Exchange2010\"\nbuild = \"14.3.123.4\"\nsite = \"Extra{number}\"\nroles = [\"{role}\"]\n"
            )
        };
        format!(
            "[sites.Extra{number}]\n{}[servers.{cas}.directories.owa]\ninternal-url = \"https://{cas}.contoso.com/owa/\"\n\
             authentication = [\"windows\", \"basic\"]\n{}[databases.db2010-x{number}]\ncopies = [\"{mbx}\"]\nactive = \"{mbx}\"\n\
             [mailboxes.extra{number}]\ndatabase = \"db2010-x{number}\"\n",
            server(&cas, "client-access"),
            server(&mbx, "mailbox"),
        )
    };
    let scratch = Scratch::with_cases(&[PURPLE]);
    scratch.edit("topologies/coexistence.toml", "", &(1..=SITES).map(site).collect::<String>());
    scratch
}

fn shrunk(scratch: &Scratch, runs: &str) -> (Ended, String) {
    let file = scratch.write("stub.toml", &subject(&reference(Some("redirects-bare")), ""));
    let report = scratch.path("report");
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", PURPLE, "--report", &report];
    (scratch.run(&[&args[..], &["--shrink", runs]].concat()), file)
}

#[test]
fn a_defect_in_a_large_topology_shows_in_one_of_a_few_servers() {
    let scratch = large();
    let (ended, file) = shrunk(&scratch, "100");
    ended.check(1, &["coexist: shrinking coexistence/owa/purple: at most 100 runs, and 120s"]);
    let line =
        ended.out.lines().find(|line| line.contains(" servers became ")).unwrap_or_else(|| panic!("{ended}"));
    assert!(line.starts_with("  shrunk     coexistence/owa/purple: "), "{line}");
    let number = |before: &str, after: &str| -> usize {
        let rest = line.split_once(before).unwrap().1;
        rest.split_once(after).unwrap().0.parse().unwrap_or_else(|_| panic!("{line}"))
    };
    assert!(number("purple: ", " servers") > 2 * SITES, "{line}");
    assert!(number("became ", ",") <= 4, "{line}");
    assert!(!line.contains("more might go"), "{line}");

    let folder = scratch.path("report/shrunk/coexistence/owa/purple");
    let topology = fs::read_to_string(format!("{folder}/topologies/shrunk.toml")).unwrap();
    assert!(topology.contains("[servers.cas2007-s1") && !topology.contains("Extra"), "{topology}");
    let again =
        ended.out.lines().find_map(|line| line.trim_start().strip_prefix("again: cargo xtask ")).unwrap();
    let (suites, case) =
        (format!("e2e --suites {folder} --case shrunk/owa/purple "), format!(" --subject {file}"));
    assert!(again.starts_with(&suites) && again.ends_with(&case), "{again}");
    // It fails there as it did, and whoever does as the rules say passes.
    let scratch = scratch.with_suites(&folder);
    let run = ["e2e", "--ground", "mapped", "--case", "shrunk/owa/purple"];
    scratch
        .run(&[&run[..], &["--subject", &file]].concat())
        .check(1, &["shrunk/owa/purple: legs 1 and 2 differ"]);
    scratch.run(&run).check(0, &["1 passed; 1 selected"]);
}

#[test]
fn no_more_runs_are_made_than_asked_for_and_that_is_said() {
    let (ended, _) = shrunk(&large(), "1");
    ended.check(1, &["at most 1 runs", " in 1 run; more might go: --shrink takes a number of runs"]);
}

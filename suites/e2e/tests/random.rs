//! Oracle and reference over random small topologies. The seeds are fixed here and in CI; by hand, leave them out.
//!
//!   coexist random -> labs on mapped ground, each with `coexist reference` in the seat

use std::process::Command;

#[test]
fn oracle_and_reference_agree_over_random_topologies() {
    let suites = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let ended = Command::new(env!("CARGO_BIN_EXE_coexist"))
        .args(["--suites", suites, "random", "--count", "12", "--seed", "1", "--ground", "mapped"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}\n{complained}");
    assert!(said.contains("journeys end as the oracle says"), "{said}");
}

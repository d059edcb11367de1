//! Topology files: what is wrong with one is told with its place, and never by a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::problem::Source;
use model::topology::TopologyFiles;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let source = Source::new("fuzzed.toml", text);
    if let Err(problem) = TopologyFiles::base(source.clone()).build(&Default::default()) {
        let _ = problem.picture().to_string();
    }
    // As an overlay of the smallest that there is.
    let base = TopologyFiles::base(Source::new("pre-e15.toml", include_str!("../../../suites/topologies/pre-e15.toml")));
    match base.with_overlay("+fuzzed", source) {
        Err(problem) => drop(problem.picture().to_string()),
        Ok(files) => {
            if let Err(problem) = files.build(&Default::default()) {
                let _ = problem.picture().to_string();
            }
        }
    }
});

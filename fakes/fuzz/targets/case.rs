//! Case and subject files: what is wrong with one is told with its place, and never by a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::case::Case;
use model::problem::Source;
use model::subject::Subject;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let source = Source::new("fuzzed.toml", text);
    let id = "coexistence/owa/fuzzed".parse().expect("an id like any");
    if let Err(problem) = Case::read_each(&id, &source) {
        let _ = problem.picture().to_string();
    }
    if let Err(problem) = Subject::read(&source) {
        let _ = problem.picture().to_string();
    }
});

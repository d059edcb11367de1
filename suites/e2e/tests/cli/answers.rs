//! A subject that takes connections and never answers: exit 3, whatever its verdicts.
//!
//! A client waits ten seconds before it gives up. By its name this file's test is started first, beside all the others.

use crate::scratch::{Scratch, subject};

#[test]
fn a_subject_that_takes_connections_and_never_answers_was_not_checked() {
    let scratch = Scratch::new();
    let program = std::env::current_exe().unwrap();
    let command = format!("[{program:?}, \"--ignored\", \"--exact\", \"answers::{LISTENER}\"]");
    let file = subject(&command, "env = { CLI_TEST_LISTENS_ON = \"{listen.https}\" }");
    let file = scratch.write("silent.toml", &file);
    let ended =
        scratch.run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/red"]);
    ended.check(3, &["the subject never answered"]);
}

const LISTENER: &str = "a_program_that_takes_connections_and_never_answers";

/// No test: the subject of the one above, which starts this very program again.
#[test]
#[ignore = "it never ends: it is the subject of another test"]
#[expect(clippy::disallowed_methods, reason = "a foreign program: it knows no ground, only its variable")]
fn a_program_that_takes_connections_and_never_answers() {
    let address = std::env::var("CLI_TEST_LISTENS_ON").expect("started as a subject");
    let listener = std::net::TcpListener::bind(address).unwrap();
    // Held, so that the far end waits in vain.
    let held: Vec<_> = listener.incoming().collect();
    drop(held);
}

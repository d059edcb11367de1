//! The binary as its users meet it: exit codes, and the words that they need to go on.
//!
//! ```text
//!   a test ── run ──> coexist e2e | exec | list | explain … ──> a lab of the article's topologies, on mapped ground
//!            scratch: a folder of the test's own for temporary files, and where a file must be wrong, a copy of suites/
//! ```
//!
//! Absent: verdicts of the rules themselves, which the suite gives. Every run here has a time limit and must leave no
//! process and no temporary folder behind.

mod answers;
mod bad_input;
mod baseline;
mod canaries;
mod choice;
mod clock;
mod export;
mod findings;
mod hostile;
mod import;
mod merge;
mod outcomes;
mod print;
mod reports;
mod scratch;
mod seat;
mod server;
mod shrink;
mod signals;
mod up;
mod vacuous;

//! What people call this program by.

/// What says so: `cargo xtask`, where that one has started it.
pub(crate) const VARIABLE: &str = "COEXIST_CALLED";

/// How a command that people are to copy begins: `cargo xtask` in the source tree, elsewhere `coexist`.
pub(crate) fn coexist() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| "coexist".to_owned())
}

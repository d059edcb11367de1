//! Dispatch.
fn main() {}

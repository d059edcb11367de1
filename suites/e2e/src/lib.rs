//! The runner, check, and the one binary: coexist

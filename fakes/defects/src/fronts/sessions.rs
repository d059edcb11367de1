//! Sessions that do not end when they should.

use std::time::Duration;

use super::Lie;

pub(super) const LIES: &[(&str, Lie)] =
    &[("session-without-end", Lie::Session(without_end)), ("session-too-short", Lie::Session(too_short))];

fn without_end(told: Duration) -> Duration {
    told.saturating_mul(1000)
}

fn too_short(told: Duration) -> Duration {
    told / 8
}

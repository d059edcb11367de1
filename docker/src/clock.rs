//! The only clock of this crate: limits, and the time as an engine counts it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long an engine may take to say that it is there.
pub(crate) const GREETING: Duration = Duration::from_secs(10);

/// How long the inner half may take to end once it is told to, before it is ended.
pub(crate) const FAREWELL: Duration = Duration::from_secs(4);

/// How long an engine may take for what it was asked for before an interrupt.
pub(crate) const ALL_MADE: Duration = Duration::from_secs(30);

/// How long a server stays when its runner is gone, beside the time that it takes to remove all of them one by one.
pub(crate) const STAYS: Duration = Duration::from_secs(10);

/// How long an engine may take to put a container away, before the next one goes.
pub(crate) const APART: Duration = Duration::from_millis(250);

/// An image of another build may be about to be used for as long after it was made.
pub(crate) const SURELY_UNUSED: Duration = Duration::from_secs(600);

/// Paces attempts at what the engine refuses for a moment and says nothing of when that is over.
pub(crate) fn attempts() -> tokio::time::Interval {
    tokio::time::interval(Duration::from_millis(50))
}

/// This moment, to say later how long something took.
pub(crate) fn began() -> Instant {
    Instant::now()
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

//! The only clock of this crate: milliseconds since a ledger was opened, and when that was; how long an answer may take.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// How long an answer over a line may take: it is looked up, and waits for nobody.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

pub(crate) struct Clock {
    start: Instant,
    began: OffsetDateTime,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock { start: Instant::now(), began: OffsetDateTime::now_utc() }
    }

    pub(crate) fn began(&self) -> OffsetDateTime {
        self.began
    }

    pub(crate) fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

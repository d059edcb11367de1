//! The only clock of this crate: limits on reading and dialling.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a request's head or body, a TLS greeting or an answer's head may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// How long a server behind may hold an answer: longer than any heartbeat (wire facts 2.1: 3600 s).
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(3600);

/// What is not there in time is not there.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

/// A short while for others, where the system has nothing to give and says nothing when it has again.
pub(crate) async fn relief() {
    let never = within(Duration::from_millis(10), std::future::pending::<()>()).await;
    debug_assert!(never.is_none());
}

/// How long one side waits for a step of the other before it takes it for missed.
pub(crate) const BARRIER: Duration = Duration::from_secs(3);

/// Says nothing for a while.
pub(crate) async fn quiet(while_: Duration) {
    let never = within(while_, std::future::pending::<()>()).await;
    debug_assert!(never.is_none());
}

/// A moment, for how long something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(Instant);

impl Moment {
    /// Whole milliseconds since then.
    pub(crate) fn millis_ago(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// This moment.
pub(crate) fn now() -> Moment {
    Moment(Instant::now())
}

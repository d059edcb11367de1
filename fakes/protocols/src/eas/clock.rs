//! The one place of ActiveSync that looks at the clock.

use std::future::Future;
use std::time::Duration;

/// Waits for something, but not longer than `limit`; `None` if that comes first.
pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

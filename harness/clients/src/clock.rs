//! The only clock of this crate: limits.

use std::future::Future;
use std::time::Duration;

/// What the future comes to, or nothing where it takes longer than the limit.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

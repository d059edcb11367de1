//! The only clock of this crate: how long a peer may be silent.

use std::future::Future;
use std::time::Duration;

/// How long a connection may be quiet between two requests: Active Directory's MaxConnIdleTime.
pub(crate) const IDLE: Duration = Duration::from_secs(900);

/// How long a request that has begun, a TLS greeting or the taking of an answer may last.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What is not there in time is not there.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

/// A short while for others, where the system has nothing to give and says nothing when it has again.
pub(crate) async fn relief() {
    within(Duration::from_millis(10), std::future::pending::<()>()).await;
}

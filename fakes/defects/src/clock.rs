//! The only clock of this crate: how long a proxy that cuts quiet exchanges waits.

use std::future::Future;
use std::time::Duration;

/// Short beside every heartbeat, and long beside every answer of a lab.
const QUIET: Duration = Duration::from_millis(250);

/// What the future comes to, unless it is quiet for too long before.
pub(crate) async fn before_it_is_quiet<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(QUIET, future).await.ok()
}

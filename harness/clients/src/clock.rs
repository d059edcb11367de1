//! The only clock of this crate: limits, and the time that NTLM writes down.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Between 1601 and 1970, in tenths of microseconds.
const EPOCHS_APART: u64 = 116_444_736_000_000_000;

/// Now, as Windows counts (FILETIME: MS-DTYP, section 2.3.3).
pub(crate) fn filetime() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EPOCHS_APART + u64::try_from(since.as_nanos() / 100).unwrap_or_default()
}

/// What the future comes to, or nothing where it takes longer than the limit.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

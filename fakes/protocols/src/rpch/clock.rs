//! The one place of RPC over HTTP that looks at the clock.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Timeout, timeout, timeout_at};

use crate::msrpc::RpcError;

/// How long a channel may wait for its first PDU, and for its other half.
const LIMIT: Duration = Duration::from_secs(10);

/// Over when a channel has waited long enough.
pub(super) type Lapse = Pin<Box<Timeout<std::future::Pending<()>>>>;

/// What is not there in time is not there.
pub(super) async fn within<T>(work: impl Future<Output = Result<T, RpcError>>) -> Result<T, RpcError> {
    timeout(LIMIT, work).await.unwrap_or(Err(RpcError::Closed("what was waited for")))
}

/// From now on.
pub(super) fn lapse() -> Lapse {
    Box::pin(timeout(LIMIT, pending()))
}

/// How long an OUT channel has been quiet.
pub(super) struct Quiet {
    most: Duration,
    since: Instant,
}

impl Quiet {
    /// Quiet from now on, and for no longer than this.
    pub(super) fn from_now(most: Duration) -> Quiet {
        Quiet { most, since: Instant::now() }
    }

    /// Something was said.
    pub(super) fn broken(&mut self) {
        self.since = Instant::now();
    }

    /// It has been quiet for so long. May be given up and asked again.
    pub(super) async fn too_long(&self) {
        let never = timeout_at(self.since + self.most, pending::<()>()).await;
        debug_assert!(never.is_err(), "nothing ends but the time");
    }
}

//! Every limit in time, and the only place that waits for one.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a TLS handshake may take, on either side.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take over a form or an Autodiscover request.
pub(crate) const SMALL_BODY: Duration = Duration::from_secs(30);
/// How long a server behind may take to accept a connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long DNS may take over a question.
pub(crate) const DNS: Duration = Duration::from_secs(2);
/// How long the directory may take over a question.
pub(crate) const DIRECTORY: Duration = Duration::from_secs(5);
/// How long a Mailbox server may take to open a mailbox.
pub(crate) const MAILBOX: Duration = Duration::from_secs(10);
/// How long a mail program may take to sign in: PreAuthenticatedConnectionTimeout.
pub(crate) const MAIL_SIGN_IN: Duration = Duration::from_secs(60);
/// How long a server behind may take to let a mail program in, from the dial on.
pub(crate) const MAIL_BEHIND: Duration = Duration::from_secs(3);
/// How long a ticket is used before another is fetched.
pub(crate) const TICKET: Duration = Duration::from_secs(60);

/// How long a server may take to answer when it is asked for its health.
pub(crate) const PING: Duration = Duration::from_secs(5);

/// Due at once, and then each time an interval has passed; one that was missed is not made up for.
pub(crate) fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval.max(SHORTEST));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

/// No round follows another sooner.
const SHORTEST: Duration = Duration::from_millis(50);

/// The limit has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs())]
pub(crate) struct TooLate(Duration);

/// What `work` comes to, if it does so within `limit`.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, TooLate> {
    tokio::time::timeout(limit, work).await.map_err(|_| TooLate(limit))
}

/// Now, for comparing ages.
pub(crate) fn now() -> Instant {
    Instant::now()
}

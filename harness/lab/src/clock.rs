//! The only clock of this crate: limits, the row of attempts at a thing that has no event, and today.

use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::time::{Interval, MissedTickBehavior};

/// How long a DNS client may keep a TCP connection idle.
pub(crate) const DNS_IDLE: Duration = Duration::from_secs(10);

/// How long an answer of DNS may be kept. The shortest there is: records are steered, and cases wait for the expiry.
pub(crate) const ANSWERS_KEPT: Duration = Duration::from_secs(1);

/// How long an answer may have been on its way, and its receiver's clock be behind.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// Between two attempts to connect to a process that does not tell when it is ready.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(5);

/// How long a server's container and the runner's may start apart: a busy machine starts dozens one after the other.
pub(crate) const STATION_REPORTS: Duration = Duration::from_secs(60);

/// How long servers on other machines may take: machines may have to be had first, and the image fetched by each.
pub(crate) const EVERYBODY_COMES: Duration = Duration::from_secs(600);

/// How long a stranger at a door to a network may take to say who it is.
pub(crate) const GREETING: Duration = Duration::from_secs(10);

/// How long one attempt at a door on another machine may take.
pub(crate) const ONE_ATTEMPT: Duration = Duration::from_secs(10);

/// Between two attempts at a door on another machine: each may ask for a name.
const BETWEEN_DISTANT_ATTEMPTS: Duration = Duration::from_millis(250);

/// After so long a silence the other machine is asked whether it is there, and then again and again.
pub(crate) const SILENT: Duration = Duration::from_secs(10);
pub(crate) const BETWEEN_PROBES: Duration = Duration::from_secs(5);

/// What a future gives, or `None` once the limit has passed.
pub async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Lets a time pass that somebody has declared, and of whose end nothing tells.
pub(crate) async fn pass(time: Duration) {
    let never = within(time, std::future::pending::<()>()).await;
    debug_assert!(never.is_none());
}

/// Waits until every answer that DNS has given so far has expired.
pub(crate) async fn answers_expire() {
    pass(ANSWERS_KEPT + ON_ITS_WAY).await;
}

/// How much later than declared a session may end: a tenth, and 250 ms at least.
pub fn owa_tolerance(timeout: Duration) -> Duration {
    (timeout / 10).max(Duration::from_millis(250))
}

/// Waits until every session that has begun so far is over.
pub(crate) async fn sessions_end(timeout: Duration) {
    pass(timeout + owa_tolerance(timeout)).await;
}

/// Waits until half of a session's time is over that was open at this moment, or is now: whoever comes back then has the other
/// half for it, however long it took to sign in.
pub(crate) async fn half_a_session(timeout: Duration, open: Option<Instant>) {
    pass((timeout / 2).saturating_sub(open.map_or(Duration::ZERO, |open| open.elapsed()))).await;
}

/// Paces attempts at what gives no event; the first one is due at once.
pub(crate) fn attempts() -> Interval {
    paced(BETWEEN_ATTEMPTS)
}

/// The same at what is on another machine.
pub(crate) fn distant_attempts() -> Interval {
    paced(BETWEEN_DISTANT_ATTEMPTS)
}

fn paced(between: Duration) -> Interval {
    let mut attempts = tokio::time::interval(between);
    attempts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    attempts
}

/// The moment from which certificates count their validity.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_a_session_counts_from_when_it_was_open() {
        let (session, second) = (Duration::from_secs(2), Duration::from_secs(1));
        let waited = async |open: Option<Instant>| {
            let began = tokio::time::Instant::now();
            half_a_session(session, open).await;
            began.elapsed()
        };
        assert!(waited(None).await >= second);
        assert!(waited(Instant::now().checked_sub(second * 3)).await < second / 2);
    }
}

//! The one place of the pages that looks at the clock.

use std::future::{Future, Pending, pending};
use std::pin::Pin;
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;
use tokio::time::{Instant, Timeout, timeout};

/// Now, for what expires.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, as an HTTP date (RFC 9110, 5.6.7).
pub(crate) fn http_date() -> String {
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    OffsetDateTime::now_utc().format(&form).expect("a date of today has every part")
}

/// Now, as Autodiscover's errors write it (wire facts 3.1): `21:25:04.8897083`.
pub(crate) fn time_of_day() -> String {
    let form = format_description!("[hour]:[minute]:[second].[subsecond digits:7]");
    OffsetDateTime::now_utc().format(&form).expect("a time of today has every part")
}

/// Now, as XML Schema writes it: `2026-11-22T21:25:04Z`.
pub(crate) fn xml_date() -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    OffsetDateTime::now_utc().format(&form).expect("a date of today has every part")
}

/// Waits for something, but not beyond a moment; `None` when it comes first.
pub(crate) async fn until<T>(moment: Instant, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(moment, work).await.ok()
}

/// A moment from now.
pub(crate) fn after(wait: Duration) -> Instant {
    now() + wait
}

/// Over when so much time has passed.
pub(super) type Lapse = Pin<Box<Timeout<Pending<()>>>>;

/// From now on.
pub(super) fn lapse(wait: Duration) -> Lapse {
    Box::pin(timeout(wait, pending()))
}

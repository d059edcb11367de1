//! The only clock and calendar of this crate.

use std::future::Future;
use std::time::Duration;

use model::subject::Day;

/// How long a program in a lab may take to end once it was asked to.
pub(crate) const PROGRAM: Duration = Duration::from_secs(2);

/// How long after a connection broke the end of the subject may become known.
pub(crate) const DEATH: Duration = Duration::from_millis(500);

/// How long one half of a lab in containers may take to say what the other one waits for.
pub(crate) const OTHER_HALF: Duration = Duration::from_secs(10);

/// How long this machine may take to reach a container on it.
#[cfg(feature = "docker")]
pub(crate) const REACH: Duration = Duration::from_secs(5);

/// What is not there in time is not there.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

/// A pause after the system has refused a connection: of that there is no event.
pub(crate) async fn relief() {
    let _ = within(Duration::from_millis(20), std::future::pending::<()>()).await;
}

/// Today, in UTC.
pub(crate) fn today() -> Day {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    day(seconds / 86_400)
}

/// The day so many days after 1970-01-01 (the proleptic Gregorian calendar).
fn day(days: u64) -> Day {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}").parse().expect("a calendar's day is a day")
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(super::day(0).to_string(), "1970-01-01");
        assert_eq!(super::day(19_782).to_string(), "2024-02-29");
        assert_eq!(super::day(20_454).to_string(), "2026-01-01");
    }
}

//! The only clock of these tests.

use std::time::Duration;

/// The longest that any run here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What a future gives; too late is a failure.
pub(crate) async fn within<F: Future>(limit: Duration, what: &str, future: F) -> F::Output {
    match tokio::time::timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not within {limit:?}"),
    }
}

/// Waits until something is so. A foreign process tells nobody, so it is looked at again and again.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    within(LIMIT, what, async {
        while !is_so() {
            looks.tick().await;
        }
    })
    .await;
}

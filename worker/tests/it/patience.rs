//! Waiting for conditions, with a timeout.

use std::time::Duration;

/// Far longer than any condition takes, also on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often the condition is checked.
const PAUSE: Duration = Duration::from_millis(10);

/// The result of `check`, as soon as there is one.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let checking = async {
        let mut pauses = tokio::time::interval(PAUSE);
        loop {
            pauses.tick().await;
            if let Some(result) = check().await {
                return result;
            }
        }
    };
    tokio::time::timeout(TIMEOUT, checking).await.unwrap_or_else(|_| panic!("timed out: {what}"))
}

/// The output of `work`, which must end in time.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIMEOUT, work).await.unwrap_or_else(|_| panic!("timed out: {what}"))
}

//! Waiting for a thing itself, and not for ever.

use std::time::Duration;

/// How long to wait for what must come: far more than it takes, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to look for it.
const PAUSE: Duration = Duration::from_millis(10);

/// What `look` finds, as soon as it finds something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut pauses = tokio::time::interval(PAUSE);
        loop {
            pauses.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// What comes of `what`, which must come to an end.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("did not end: {what}"))
}

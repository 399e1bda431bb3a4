//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// How long a condition may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Polls until `check` returns a value.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "timed out waiting until {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Polls until `count` returns `target`. Only a count that stops growing fails, so that a slow machine may take its time.
pub(crate) async fn eventually_all(what: &str, target: usize, mut count: impl AsyncFnMut() -> usize) {
    let mut reached = 0;
    while reached < target {
        reached = eventually(&format!("more than {reached} of {target} {what}"), async || {
            Some(count().await).filter(|now| *now > reached || *now >= target)
        })
        .await;
    }
}

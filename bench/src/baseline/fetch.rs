//! Baseline of a sync with an unchanged body: downloads and hashes it.

use std::time::{Duration, Instant};

use xxhash_rust::xxh3::Xxh3Default;

use crate::Failure;

/// The time to download and hash the body.
pub(crate) async fn time_read_and_hash(url: &str) -> Result<Duration, Failure> {
    let started = Instant::now();
    let mut response = reqwest::Client::new().get(url).send().await?.error_for_status()?;
    let mut hash = Xxh3Default::new();
    while let Some(chunk) = response.chunk().await? {
        hash.update(&chunk);
    }
    std::hint::black_box(hash.digest());
    Ok(started.elapsed())
}

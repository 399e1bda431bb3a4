//! Peer of a sync whose body is the same: reads and hashes the body.

use std::time::{Duration, Instant};

use xxhash_rust::xxh3::Xxh3Default;

use crate::Failure;

/// How long a GET took whose chunks were hashed as they came.
pub(crate) async fn read_and_hash(url: &str) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let mut response = reqwest::Client::new().get(url).send().await?.error_for_status()?;
    let mut hash = Xxh3Default::new();
    while let Some(chunk) = response.chunk().await? {
        hash.update(&chunk);
    }
    std::hint::black_box(hash.digest());
    Ok(begun.elapsed())
}

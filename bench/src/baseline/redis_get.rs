//! Baseline of hits in Redis: GETs of one value by many tasks on one multiplexed connection.

use std::time::{Duration, Instant};

use redis::AsyncCommands;

use crate::{Failure, settings::RedisGetSettings};

/// Prints the number of GETs per second.
#[expect(clippy::print_stdout, reason = "the parent process parses the number")]
pub(crate) async fn run(settings: RedisGetSettings) -> Result<(), Failure> {
    let connection = redis::Client::open(settings.url.as_str())?.get_multiplexed_async_connection().await?;
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(settings.seconds);
    let tasks: Vec<_> = (0..settings.tasks)
        .map(|_| {
            let (mut connection, key) = (connection.clone(), settings.key.clone());
            tokio::spawn(async move {
                let mut count = 0_u64;
                while Instant::now() < end {
                    let value: Option<Vec<u8>> = connection.get(&key).await?;
                    if value.is_none_or(|value| value.is_empty()) {
                        return Err(Failure::from("the key does not exist"));
                    }
                    count += 1;
                }
                Ok(count)
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    println!("{}", count as f64 / begin.elapsed().as_secs_f64());
    Ok(())
}

//! Baseline of a batch on PostgreSQL: `COPY` of its rows into an empty database, and their sums.

use std::time::{Duration, Instant};

use migration::testing::{Backend, TestDatabase};
use sqlx::{Connection, Executor, PgConnection};

use crate::Failure;

const COPY: &str = "COPY rate (batch_id, position, orig_place_id, dest_place_id, day, price) FROM STDIN (FORMAT csv)";

/// Queries read the sums.
const SUMS: &str = "INSERT INTO rate_day (orig_place_id, dest_place_id, day, price_count, price_sum) \
    SELECT orig_place_id, dest_place_id, day, COUNT(*), SUM(price)::bigint FROM rate WHERE batch_id = 1 \
    GROUP BY orig_place_id, dest_place_id, day ORDER BY orig_place_id, dest_place_id, day \
    ON CONFLICT (orig_place_id, dest_place_id, day) DO UPDATE SET \
    price_count = rate_day.price_count + excluded.price_count, price_sum = rate_day.price_sum + excluded.price_sum";

/// The time to copy the rows of batch 1, encoded beforehand, and to compute their sums, in one transaction.
pub(crate) async fn time_batch(messages: &[Vec<u8>]) -> Result<Duration, Failure> {
    let empty = TestDatabase::migrated(Backend::Postgres).await;
    let outcome = write(empty.settings.url.expose(), messages).await;
    empty.remove().await;
    outcome
}

async fn write(url: &str, messages: &[Vec<u8>]) -> Result<Duration, Failure> {
    let mut connection = PgConnection::connect(url).await?;
    let started = Instant::now();
    connection.execute("BEGIN").await?;
    let mut copy = connection.copy_in_raw(COPY).await?;
    for message in messages {
        copy.send(message.as_slice()).await?;
    }
    copy.finish().await?;
    connection.execute(SUMS).await?;
    connection.execute("COMMIT").await?;
    let elapsed = started.elapsed();
    connection.close().await?;
    Ok(elapsed)
}

//! Peer of a miss: the query of a search, written out, prepared and fetched through the same driver; its rows are dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{Failure, samples::Samples};

/// As many as the API has.
const CONNECTIONS: u32 = 16;

/// One more row than is answered, as the API reads it to know whether there is a next page.
const QUERY: &str = "SELECT event.id, event.local_start, event.local_end, event.min_price, event.max_price, event.starts_at, \
    base_event.title, provider.currency_digits \
    FROM event JOIN base_event ON event.base_event_id = base_event.id JOIN provider ON base_event.provider_id = provider.id \
    WHERE event.shown AND event.starts_at >= $1 AND event.ends_at <= $2 AND event.starts_at <= $2 \
    ORDER BY event.starts_at, event.id LIMIT $3";

/// A pool that asks the bare query.
#[derive(Clone, Debug)]
pub(crate) struct Select {
    pool: PgPool,
    rows: i64,
}

impl Select {
    /// Of this many rows of a database.
    pub(crate) async fn of(url: &str, rows: i64) -> Result<Self, Failure> {
        Ok(Self { pool: PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?, rows: rows + 1 })
    }

    /// The median time of asking for these ranges, in microseconds since 1970, by some tasks at once, until they end or time is up.
    pub(crate) async fn half(&self, ranges: Vec<(i64, i64)>, tasks: usize, seconds: f64) -> Result<Duration, Failure> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let (ranges, next) = (Arc::new(ranges), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let (select, ranges, next) = (self.clone(), ranges.clone(), next.clone());
                tokio::spawn(async move {
                    let mut times = Samples::default();
                    while let Some((from, until)) = ranges.get(next.fetch_add(1, Ordering::Relaxed))
                        && Instant::now() < end
                    {
                        let begin = Instant::now();
                        let query = sqlx::query(QUERY).bind(from).bind(until).bind(select.rows);
                        let found = query.fetch_all(&select.pool).await?;
                        times.push(begin.elapsed());
                        if found.len() as i64 != select.rows {
                            return Err(Failure::from(format!("{} rows were found", found.len())));
                        }
                    }
                    Ok(times)
                })
            })
            .collect();
        let mut times = Samples::default();
        for task in tasks {
            times.append(task.await??);
        }
        times.median().map(Duration::from_secs_f64).ok_or_else(|| "nothing was asked".into())
    }

    pub(crate) async fn close(self) {
        self.pool.close().await;
    }
}

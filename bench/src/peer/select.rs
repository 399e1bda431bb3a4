//! Peers of misses: the query of a search, written out, prepared and fetched through the same driver; its rows are dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{
    PgPool, Postgres,
    postgres::{PgArguments, PgPoolOptions},
    query::Query,
};

use crate::{Failure, samples::Samples};

/// As many as the API has.
const CONNECTIONS: u32 = 16;

/// One more row than is answered, as the API reads it to know whether there is a next page.
const OF_RANGE: &str = "SELECT event.id, event.local_start, event.local_end, event.min_price, event.max_price, event.starts_at, \
    base_event.title, provider.currency_digits \
    FROM event JOIN base_event ON event.base_event_id = base_event.id JOIN provider ON base_event.provider_id = provider.id \
    WHERE event.shown AND event.starts_at >= $1 AND event.ends_at <= $2 AND event.starts_at <= $2 \
    ORDER BY event.starts_at, event.id LIMIT $3";

/// The same of a band's concerts.
const OF_BAND: &str = "SELECT event_performer.starts_at, performer.name, venue.name, venue.latitude, venue.longitude \
    FROM performer JOIN event_performer ON event_performer.performer_id = performer.id JOIN venue ON venue.id = event_performer.venue_id \
    WHERE performer.source_id = $1 AND event_performer.shown AND event_performer.venue_id IS NOT NULL \
    ORDER BY event_performer.starts_at DESC, event_performer.event_id DESC, event_performer.position DESC LIMIT $2";

type Bound = Query<'static, Postgres, PgArguments>;

/// A pool that asks a bare query for one key and another.
#[derive(Debug)]
pub(crate) struct Select<Key> {
    pool: PgPool,
    bound: fn(Key) -> Bound,
    rows: i64,
}

impl Select<(i64, i64)> {
    /// For this many events between two instants, in microseconds since 1970.
    pub(crate) async fn of_ranges(url: &str, rows: i64) -> Result<Self, Failure> {
        Self::of(url, rows, |(from, until)| sqlx::query(OF_RANGE).bind(from).bind(until)).await
    }
}

impl Select<String> {
    /// For this many concerts of a band, by the provider's id.
    pub(crate) async fn of_bands(url: &str, rows: i64) -> Result<Self, Failure> {
        Self::of(url, rows, |band| sqlx::query(OF_BAND).bind(band)).await
    }
}

impl<Key: Clone + Send + Sync + 'static> Select<Key> {
    async fn of(url: &str, rows: i64, bound: fn(Key) -> Bound) -> Result<Self, Failure> {
        Ok(Self { pool: PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?, bound, rows: rows + 1 })
    }

    /// The median time of asking for these keys by some tasks at once, until they end or time is up.
    pub(crate) async fn half(&self, keys: Vec<Key>, tasks: usize, seconds: f64) -> Result<Duration, Failure> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let (keys, next) = (Arc::new(keys), Arc::new(AtomicUsize::new(0)));
        let (bound, rows) = (self.bound, self.rows);
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let (pool, keys, next) = (self.pool.clone(), keys.clone(), next.clone());
                tokio::spawn(async move {
                    let mut times = Samples::default();
                    while let Some(key) = keys.get(next.fetch_add(1, Ordering::Relaxed))
                        && Instant::now() < end
                    {
                        let begin = Instant::now();
                        let found = bound(key.clone()).bind(rows).fetch_all(&pool).await?;
                        times.push(begin.elapsed());
                        if found.len() as i64 != rows {
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

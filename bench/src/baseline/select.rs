//! Baselines of misses: the plain query, prepared, with the same driver; its rows are dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{
    PgPool, Postgres,
    postgres::{PgArguments, PgPoolOptions, PgRow},
    query::Query,
};

use super::find::BareQuery;
use crate::{Failure, samples::Samples};

/// The pool size of the API.
const CONNECTIONS: u32 = 16;

/// One more row than is returned, as in the API, which detects the next page by it.
const OF_RANGE: &str = "SELECT event.id, event.local_start, event.local_end, event.min_price, event.max_price, event.starts_at, \
    base_event.title, provider.currency_digits \
    FROM event JOIN base_event ON event.base_event_id = base_event.id JOIN provider ON base_event.provider_id = provider.id \
    WHERE event.shown AND event.starts_at >= $1 AND event.ends_at <= $2 AND event.starts_at <= $2 \
    ORDER BY event.starts_at, event.id LIMIT $3";

/// Concerts of a band.
const OF_BAND: &str = "SELECT event_performer.starts_at, performer.name, venue.name, venue.latitude, venue.longitude, event.id, \
    base_event.title, event.min_price, event.currency, event.currency_digits, event.status, provider.currency, \
    provider.currency_digits \
    FROM performer JOIN event_performer ON event_performer.performer_id = performer.id JOIN venue ON venue.id = event_performer.venue_id \
    JOIN event ON event.id = event_performer.event_id JOIN base_event ON base_event.id = event.base_event_id \
    JOIN provider ON provider.id = base_event.provider_id \
    WHERE performer.source_id = $1 AND event_performer.shown AND event_performer.venue_id IS NOT NULL \
    ORDER BY event_performer.starts_at DESC, event_performer.event_id DESC, event_performer.position DESC LIMIT $2";

/// Daily sums of all routes between a place and a region.
const OF_RATES: &str = "SELECT rate_day.day, SUM(rate_day.price_count)::bigint, SUM(rate_day.price_sum)::bigint \
    FROM place AS orig JOIN rate_day ON rate_day.orig_place_id = orig.id JOIN place AS dest ON dest.id = rate_day.dest_place_id \
    JOIN region ON region.id = dest.region_id \
    WHERE orig.code = $1 AND orig.listed AND region.slug = $2 AND dest.listed AND rate_day.day BETWEEN $3 AND $4 \
    GROUP BY rate_day.day ORDER BY rate_day.day DESC";

type Bound = Query<'static, Postgres, PgArguments>;

/// A query with its connection pool.
#[derive(Debug)]
pub(crate) struct Select<Key> {
    pool: PgPool,
    /// Binds a key and a row limit.
    bound: fn(Key, i64) -> Bound,
    rows: i64,
}

impl Select<(i64, i64)> {
    /// Events between two instants in microseconds since 1970.
    pub(crate) async fn for_ranges(url: &str, rows: i64) -> Result<Self, Failure> {
        Self::connect(url, rows + 1, |(from, until), rows| sqlx::query(OF_RANGE).bind(from).bind(until).bind(rows)).await
    }
}

impl Select<String> {
    /// Concerts of a band, by the provider's id.
    pub(crate) async fn for_bands(url: &str, rows: i64) -> Result<Self, Failure> {
        Self::connect(url, rows + 1, |band, rows| sqlx::query(OF_BAND).bind(band).bind(rows)).await
    }
}

impl Select<BareQuery> {
    /// Events by filters.
    pub(crate) async fn for_bare(url: &str, rows: i64) -> Result<Self, Failure> {
        Self::connect(url, rows + 1, BareQuery::build).await
    }
}

impl Select<(String, String, i32, i32)> {
    /// Rates from a place to a region, between two days since 1970.
    pub(crate) async fn for_rates(url: &str, days: i64) -> Result<Self, Failure> {
        Self::connect(url, days, |(orig, dest, first, last), _| {
            sqlx::query(OF_RATES).bind(orig).bind(dest).bind(first).bind(last)
        })
        .await
    }
}

impl<Key: Clone + Send + Sync + 'static> Select<Key> {
    async fn connect(url: &str, rows: i64, bound: fn(Key, i64) -> Bound) -> Result<Self, Failure> {
        Ok(Self { pool: PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?, bound, rows })
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The rows for a key.
    pub(crate) async fn fetch(&self, key: Key) -> Result<Vec<PgRow>, Failure> {
        Ok((self.bound)(key, self.rows).fetch_all(&self.pool).await?)
    }

    /// The median time of a query, see [`Self::times`].
    pub(crate) async fn median_time(&self, keys: Vec<Key>, tasks: usize, seconds: f64) -> Result<Duration, Failure> {
        let times = self.times(keys, tasks, seconds).await?;
        times.median().map(Duration::from_secs_f64).ok_or_else(|| "no query was executed".into())
    }

    /// The times of queries, with concurrent tasks, until all keys are queried or the time is over.
    pub(crate) async fn times(&self, keys: Vec<Key>, tasks: usize, seconds: f64) -> Result<Samples, Failure> {
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
                        let found = bound(key.clone(), rows).fetch_all(&pool).await?;
                        times.push(begin.elapsed());
                        if found.len() as i64 != rows {
                            return Err(Failure::from(format!("the query returned {} rows", found.len())));
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
        Ok(times)
    }

    pub(crate) async fn close(self) {
        self.pool.close().await;
    }
}

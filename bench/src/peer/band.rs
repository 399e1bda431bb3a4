//! Peer of a search for a band's concerts: one query for it, written out, prepared and fetched through the same driver; its rows are dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{Failure, samples::Samples};

/// One more row than is answered, as the API reads it to know whether there is a next page.
const QUERY: &str = "SELECT event_performer.starts_at, performer.name, venue.name, venue.latitude, venue.longitude \
    FROM performer JOIN event_performer ON event_performer.performer_id = performer.id JOIN venue ON venue.id = event_performer.venue_id \
    WHERE performer.source_id = $1 AND event_performer.shown AND event_performer.venue_id IS NOT NULL \
    ORDER BY event_performer.starts_at DESC, event_performer.event_id DESC, event_performer.position DESC LIMIT $2";

/// A pool that asks the bare query.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    pool: PgPool,
    rows: i64,
}

impl Band {
    /// Of this many rows of a database.
    pub(crate) async fn of(url: &str, rows: i64) -> Result<Self, Failure> {
        Ok(Self { pool: PgPoolOptions::new().connect(url).await?, rows: rows + 1 })
    }

    /// The median time of asking for these bands by some tasks at once, until they end or time is up.
    pub(crate) async fn half(&self, bands: Vec<String>, tasks: usize, seconds: f64) -> Result<Duration, Failure> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        let (bands, next) = (Arc::new(bands), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let (band, bands, next) = (self.clone(), bands.clone(), next.clone());
                tokio::spawn(async move {
                    let mut times = Samples::default();
                    while let Some(id) = bands.get(next.fetch_add(1, Ordering::Relaxed))
                        && Instant::now() < end
                    {
                        let begin = Instant::now();
                        let found = sqlx::query(QUERY).bind(id).bind(band.rows).fetch_all(&band.pool).await?;
                        times.push(begin.elapsed());
                        if found.len() as i64 != band.rows {
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

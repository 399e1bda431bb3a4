//! Bounded reads: a limit on concurrent reads, on waiting reads, and on the time that each may take.
//!
//! Cached responses never come here, so they are the last to be shed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use sea_orm::DatabaseConnection;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::Availability;
use crate::error::ApiError;

/// Concurrent reads: one for each connection of the pool, so that no read waits for a connection inside the pool.
const MAX_READS: usize = 16;
/// The same for each core. A database on the same machine shares its cores with the service, and each read takes time from requests
/// that only need to be rejected; four leave enough concurrency where one read is slow.
const READS_PER_CORE: usize = 4;
/// Reads that may wait: four rounds of those that run. More would wait longer without finishing sooner.
const MAX_WAITING: usize = 64;
/// How long a read may wait: a client is better served by a 503 now than by a response later.
const WAITING_TIME: Duration = Duration::from_secs(1);
/// How long one read may take: 3 s for a connection, 5 s for the longest statement, and a margin. After this the database's own
/// limits have failed because the server or the network stopped responding. Less than the drain time.
const READ_TIME: Duration = Duration::from_secs(9);

/// Reads on behalf of requests.
#[derive(Debug)]
pub struct Reader {
    /// The connection pool.
    pub database: DatabaseConnection,
    availability: Arc<Availability>,
    reads: Semaphore,
    waiting: Semaphore,
    metrics: Metrics,
}

#[derive(Debug)]
struct Metrics {
    seconds: Histogram,
    waiting: Gauge,
    shed: Counter,
}

impl Reader {
    /// A reader of `database` that fails fast while `availability` reports that the database is unavailable.
    #[must_use]
    pub fn new(database: DatabaseConnection, availability: Arc<Availability>) -> Self {
        let metrics = Metrics {
            seconds: histogram!("marquee_database_seconds"),
            waiting: gauge!("marquee_database_waiting"),
            shed: counter!("marquee_shed_requests_total"),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let reads = Ord::min(MAX_READS, READS_PER_CORE * cores);
        Self { database, availability, reads: Semaphore::new(reads), waiting: Semaphore::new(MAX_WAITING), metrics }
    }

    /// Runs a query.
    ///
    /// # Errors
    ///
    /// When the query fails, when the database is unavailable or stops responding, and immediately when too many reads wait.
    pub async fn read<T, E: Into<ApiError>>(&self, query: impl Future<Output = Result<T, E>>) -> Result<T, ApiError> {
        if !self.availability.is_available() {
            return Err(ApiError::DatabaseStillUnavailable);
        }
        let _permit = self.acquire().await?;
        let started = Instant::now();
        let result = tokio::select! {
            result = timeout(READ_TIME, query) => result.map_err(|_| ApiError::DatabaseTimeout)?.map_err(Into::into),
            () = self.availability.wait_until_unavailable() => Err(ApiError::DatabaseStillUnavailable),
        };
        self.metrics.seconds.record(started.elapsed());
        if let Err(ApiError::DatabaseUnavailable(error)) = &result
            && entity::is_connection_lost(error)
        {
            self.availability.report_lost_connection(error);
        }
        result
    }

    /// Whether a read would be shed now because too many wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting.available_permits() == 0
    }

    /// Counts a request that is shed, and returns its error.
    pub(crate) fn shed(&self) -> ApiError {
        self.metrics.shed.increment(1);
        ApiError::Overloaded
    }

    async fn acquire(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        if let Ok(permit) = self.reads.try_acquire() {
            return Ok(permit);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| self.shed())?;
        self.record_waiting();
        let permit = tokio::select! {
            permit = timeout(WAITING_TIME, self.reads.acquire()) => permit,
            () = self.availability.wait_until_unavailable() => return Err(ApiError::DatabaseStillUnavailable),
        };
        self.record_waiting();
        match permit {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.shed()),
        }
    }

    fn record_waiting(&self) {
        self.metrics.waiting.set((MAX_WAITING - self.waiting.available_permits()) as f64);
    }
}

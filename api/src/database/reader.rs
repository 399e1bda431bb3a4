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

use super::{Availability, Replica};
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

/// A database from which requests read.
#[derive(Clone, Debug)]
pub struct ReadSource {
    /// The connection pool.
    pub connection: DatabaseConnection,
    /// Whether it responds.
    pub availability: Arc<Availability>,
}

/// Reads on behalf of requests.
#[derive(Debug)]
pub struct Reader {
    primary: ReadSource,
    replica: Option<Arc<Replica>>,
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
    /// A reader of the primary and the replica, if there is one.
    #[must_use]
    pub fn new(primary: ReadSource, replica: Option<Arc<Replica>>) -> Self {
        let metrics = Metrics {
            seconds: histogram!("marquee_database_seconds"),
            waiting: gauge!("marquee_database_waiting"),
            shed: counter!("marquee_shed_requests_total"),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let reads = Ord::min(MAX_READS, READS_PER_CORE * cores);
        Self { primary, replica, reads: Semaphore::new(reads), waiting: Semaphore::new(MAX_WAITING), metrics }
    }

    /// The primary, for reads of what a client may have just written. While it is unavailable, the replica.
    #[must_use]
    pub fn primary(&self) -> &ReadSource {
        match &self.replica {
            Some(replica) if !self.primary.availability.is_available() => &replica.source,
            _ => &self.primary,
        }
    }

    /// The replica, if it has this version of the catalogue, or else the primary.
    #[must_use]
    pub fn with_version(&self, version: Option<i64>) -> &ReadSource {
        match &self.replica {
            Some(replica) if replica.source.availability.is_available() && replica.version() >= version => &replica.source,
            _ => self.primary(),
        }
    }

    /// The replica, if there is one.
    #[must_use]
    pub fn replica(&self) -> Option<&Arc<Replica>> {
        self.replica.as_ref()
    }

    /// Runs a query on a source.
    ///
    /// # Errors
    ///
    /// When the query fails, when the database is unavailable or stops responding, and immediately when too many reads wait.
    pub async fn read<T, E: Into<ApiError>>(
        &self,
        source: &ReadSource,
        query: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        let availability = &source.availability;
        if !availability.is_available() {
            return Err(ApiError::DatabaseStillUnavailable);
        }
        let _permit = self.acquire(availability).await?;
        let started = Instant::now();
        let result = tokio::select! {
            result = timeout(READ_TIME, query) => result.map_err(|_| ApiError::DatabaseTimeout)?.map_err(Into::into),
            () = availability.wait_until_unavailable() => Err(ApiError::DatabaseStillUnavailable),
        };
        self.metrics.seconds.record(started.elapsed());
        if let Err(ApiError::DatabaseUnavailable(error)) = &result
            && entity::is_connection_lost(error)
        {
            availability.report_lost_connection(error);
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

    async fn acquire(&self, availability: &Availability) -> Result<SemaphorePermit<'_>, ApiError> {
        if let Ok(permit) = self.reads.try_acquire() {
            return Ok(permit);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| self.shed())?;
        self.record_waiting();
        let permit = tokio::select! {
            permit = timeout(WAITING_TIME, self.reads.acquire()) => permit,
            () = availability.wait_until_unavailable() => return Err(ApiError::DatabaseStillUnavailable),
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

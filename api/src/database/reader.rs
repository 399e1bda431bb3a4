//! The database as requests read it: so many at a time, so many that wait, and no longer than there is hope.
//!
//! Answers that are kept never come here, so they are the last to be refused.

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

use crate::{cache::version::Catalogue, error::ApiError};

/// Reads at a time, at most: one for each connection of the pool, so that none waits for a connection inside.
const MAX_READS: usize = 16;
/// The same for each core. A database on the same machine has no others, and each read under way takes its share of them from those who
/// only want to hear that there is no room; four leave others a way where one read is slow.
const READS_PER_CORE: usize = 4;
/// Reads that may wait for their turn: four rounds of those that read. More would only wait longer, and be no sooner done.
const WAITING: usize = 64;
/// How long a read may wait for its turn: a client would rather hear 503 now than an answer later.
const WAITING_TIME: Duration = Duration::from_secs(1);
/// How long the database may take for one answer: 3 s for a connection, 5 s for the longest statement, and some. Past this its
/// own limits have not held, because the server or the line to it fell silent. Less than the drain time.
const READ_TIME: Duration = Duration::from_secs(9);

/// Reads for requests.
#[derive(Debug)]
pub struct Reader {
    /// Where to read.
    pub database: DatabaseConnection,
    catalogue: Arc<Catalogue>,
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
    /// Reads from `database`, unless `catalogue` knows that it is away.
    #[must_use]
    pub fn new(database: DatabaseConnection, catalogue: Arc<Catalogue>) -> Self {
        let metrics = Metrics {
            seconds: histogram!("marquee_database_seconds"),
            waiting: gauge!("marquee_database_waiting"),
            shed: counter!("marquee_shed_total"),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let reads = Ord::min(MAX_READS, READS_PER_CORE * cores);
        Self { database, catalogue, reads: Semaphore::new(reads), waiting: Semaphore::new(WAITING), metrics }
    }

    /// What a query finds.
    ///
    /// # Errors
    ///
    /// When the query fails, when the database is away or falls silent, and at once when too many wait already.
    pub async fn read<T, E: Into<ApiError>>(&self, query: impl Future<Output = Result<T, E>>) -> Result<T, ApiError> {
        if self.catalogue.is_away() {
            return Err(ApiError::DatabaseStillUnavailable);
        }
        let _turn = self.turn().await?;
        let begun = Instant::now();
        let found = tokio::select! {
            found = timeout(READ_TIME, query) => found.map_err(|_| ApiError::DatabaseTimeout)?.map_err(Into::into),
            () = self.catalogue.went_away() => Err(ApiError::DatabaseStillUnavailable),
        };
        self.metrics.seconds.record(begun.elapsed());
        if let Err(ApiError::DatabaseUnavailable(error)) = &found
            && entity::is_connection_lost(error)
        {
            self.catalogue.lost(error);
        }
        found
    }

    /// Whether a read would be refused now because too many wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting.available_permits() == 0
    }

    /// Refuses one that would wait in vain.
    pub(crate) fn shed(&self) -> ApiError {
        self.metrics.shed.increment(1);
        ApiError::Overloaded
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        if let Ok(turn) = self.reads.try_acquire() {
            return Ok(turn);
        }
        let _place = self.waiting.try_acquire().map_err(|_| self.shed())?;
        self.metrics.waiting.set((WAITING - self.waiting.available_permits()) as f64);
        let turn = tokio::select! {
            turn = timeout(WAITING_TIME, self.reads.acquire()) => turn,
            () = self.catalogue.went_away() => return Err(ApiError::DatabaseStillUnavailable),
        };
        self.metrics.waiting.set((WAITING - self.waiting.available_permits()) as f64);
        match turn {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(self.shed()),
        }
    }
}

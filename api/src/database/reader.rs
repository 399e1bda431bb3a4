//! Bounded reads: a limit on concurrent reads, on waiting reads, and on the time that each may take. Small and large reads have separate
//! limits, so that clients that read everything do not delay those that read a page.
//!
//! Cached responses never come here, so they are the last to be shed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{Counter, Histogram, counter, histogram};
use sea_orm::DatabaseConnection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{Availability, Replica, read_lane::ReadLane};
use crate::error::ApiError;

/// Concurrent reads: with snapshots, one for each connection of the pool, so that no read waits for a connection inside the pool.
const MAX_READS: usize = 14;
/// Snapshots at the same time. Each has a connection for as long as its client takes to receive it, so they do not share the permits of
/// other reads.
const MAX_SNAPSHOTS: usize = 2;
/// The same for each core. A database on the same machine shares its cores with the service, and each read takes time from requests
/// that only need to be rejected; four leave enough concurrency where one read is slow.
const READS_PER_CORE: usize = 4;
/// The share of large reads. They keep a core busy while they are serialized, so a few of them use all cores that small reads leave.
const LARGE_SHARE: usize = 4;
/// Small reads that may wait: about ten rounds of those that run. More would wait longer without finishing sooner.
const MAX_WAITING_SMALL: usize = 64;
/// How long a small read may wait: a client is better served by a 503 now than by a response later.
const WAITING_TIME_SMALL: Duration = Duration::from_secs(1);
/// The same for large reads. Their clients expect to wait, and a retry would cost them more.
const MAX_WAITING_LARGE: usize = 64;
const WAITING_TIME_LARGE: Duration = Duration::from_secs(5);
/// The rows of a page. A read of more is large.
const SMALL_ROWS: u64 = 100;
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

/// Whether a read is one of many in a moment, or one that takes as long as hundreds of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadSize {
    /// At most `SMALL_ROWS` rows: a page, or one row by its id.
    Small,
    /// Possibly a whole list.
    Large,
}

impl ReadSize {
    /// The size of a read of up to this many rows.
    #[must_use]
    pub fn of_rows(rows: u64) -> Self {
        if rows <= SMALL_ROWS { Self::Small } else { Self::Large }
    }
}

/// Reads on behalf of requests.
#[derive(Debug)]
pub struct Reader {
    primary: ReadSource,
    replica: Option<Arc<Replica>>,
    small: ReadLane,
    large: ReadLane,
    snapshots: Arc<Semaphore>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Metrics {
    seconds: Histogram,
    shed: Counter,
}

impl Reader {
    /// A reader of the primary and the replica, if there is one.
    #[must_use]
    pub fn new(primary: ReadSource, replica: Option<Arc<Replica>>) -> Self {
        let metrics = Metrics { seconds: histogram!("marquee_database_seconds"), shed: counter!("marquee_shed_requests_total") };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let reads = Ord::min(MAX_READS, READS_PER_CORE * cores);
        let large = reads / LARGE_SHARE;
        Self {
            primary,
            replica,
            small: ReadLane::new("small", reads - large, MAX_WAITING_SMALL, WAITING_TIME_SMALL),
            large: ReadLane::new("large", large, MAX_WAITING_LARGE, WAITING_TIME_LARGE),
            snapshots: Arc::new(Semaphore::new(MAX_SNAPSHOTS)),
            metrics,
        }
    }

    /// The primary, for reads of what a client may have just written. While it is unavailable, the replica.
    #[must_use]
    pub fn primary(&self) -> &ReadSource {
        match &self.replica {
            Some(replica) if !self.primary.availability.is_available() => &replica.source,
            _ => &self.primary,
        }
    }

    /// The primary, even while it is unavailable: for what a replica cannot know.
    #[must_use]
    pub fn only_primary(&self) -> &ReadSource {
        &self.primary
    }

    /// Whether a source of this reader is the primary.
    #[must_use]
    pub fn is_primary(&self, source: &ReadSource) -> bool {
        std::ptr::eq(source, &raw const self.primary)
    }

    /// Closes connections to a server that was the primary.
    pub(crate) async fn leave_demoted_primary(&self) {
        entity::close_read_only_connections(&self.primary.connection).await;
    }

    /// The replica, if it has this version of the catalogue, or else the primary. While the primary is unavailable, the replica, if it has
    /// the newest takedown.
    #[must_use]
    pub fn with_version(&self, version: Option<i64>, takedown: Option<i64>) -> &ReadSource {
        match &self.replica {
            Some(replica) if replica.source.availability.is_available() && replica.version() >= version => &replica.source,
            Some(replica) if replica.version() < takedown => &self.primary,
            _ => self.primary(),
        }
    }

    /// Whether a source of this reader has this version of the catalogue. The primary has the newest one.
    pub(crate) fn has_version(&self, source: &ReadSource, version: Option<i64>) -> bool {
        self.is_primary(source) || self.replica.as_ref().is_none_or(|replica| replica.version() >= version)
    }

    /// The replica, if there is one.
    #[must_use]
    pub fn replica(&self) -> Option<&Arc<Replica>> {
        self.replica.as_ref()
    }

    /// Runs a query on a source. If the future is dropped, its statements are cancelled.
    ///
    /// # Errors
    ///
    /// When the query fails, when the database is unavailable or stops responding, and immediately when too many reads wait.
    pub async fn read<T, E: Into<ApiError>>(
        &self,
        source: &ReadSource,
        size: ReadSize,
        query: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        let availability = &source.availability;
        if !availability.is_available() {
            return Err(availability.still_unavailable());
        }
        let _permit = tokio::select! {
            permit = self.lane(size).acquire() => permit.ok_or_else(|| self.shed())?,
            () = availability.wait_until_unavailable() => return Err(availability.still_unavailable()),
        };
        self.run(source, query).await
    }

    /// A permit for a snapshot.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub(super) fn reserve_snapshot(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.snapshots.clone().try_acquire_owned().map_err(|_| self.shed())
    }

    /// Runs a query without a permit.
    pub(super) async fn run<T, E: Into<ApiError>>(
        &self,
        source: &ReadSource,
        query: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        let availability = &source.availability;
        if !availability.is_available() {
            return Err(availability.still_unavailable());
        }
        let started = Instant::now();
        let result = tokio::select! {
            result = timeout(READ_TIME, entity::cancel_on_drop(query)) => result.map_err(|_| ApiError::DatabaseTimeout)?.map_err(Into::into),
            () = availability.wait_until_unavailable() => Err(availability.still_unavailable()),
        };
        self.metrics.seconds.record(started.elapsed());
        match &result {
            Err(ApiError::DatabaseUnavailable(error)) if entity::is_connection_lost(error) => {
                availability.report_lost_connection(error);
            }
            Err(ApiError::DatabaseCorrupt(error)) => availability.report_corruption(error),
            _ => (),
        }
        result
    }

    /// Whether a read of this size would be shed now because too many wait.
    #[must_use]
    pub fn is_full(&self, size: ReadSize) -> bool {
        self.lane(size).is_full()
    }

    /// Counts a request that is shed, and returns its error.
    pub(crate) fn shed(&self) -> ApiError {
        self.metrics.shed.increment(1);
        ApiError::Overloaded
    }

    fn lane(&self, size: ReadSize) -> &ReadLane {
        match size {
            ReadSize::Small => &self.small,
            ReadSize::Large => &self.large,
        }
    }
}

//! Bounded writes: a limit on concurrent writes, and on the time that each may take.

use std::{sync::Arc, time::Duration};

use rates::IdempotencyKeys;
use sea_orm::DatabaseConnection;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

use super::{
    Availability,
    fair_share::{FairShare, SharePermit},
};
use crate::{auth::CallerName, error::ApiError};

/// Batches of prices in progress: each uses a thread while its body is read, and disk space until it is committed.
const MAX_BATCHES: u32 = 64;
/// The same of one caller, so that other callers can import while the batches of one arrive slowly.
const MAX_BATCHES_OF_CALLER: u32 = MAX_BATCHES / 2;
/// Memory for request bodies in KiB: three lists of places of the maximum size.
const MAX_BODIES_KIB: u32 = 192 * 1024;
/// The same of one caller: one such list.
const MAX_BODIES_OF_CALLER_KIB: u32 = MAX_BODIES_KIB / 3;
/// How long a request waits, its body unread, for memory: a client that is rejected earlier than it has sent its body may not read why.
const BODY_WAITING_TIME: Duration = Duration::from_secs(30);
/// How long a list of places waits for another one. The largest takes some seconds.
const PLACES_WAITING_TIME: Duration = Duration::from_secs(30);

/// Writes on behalf of requests.
#[derive(Debug)]
pub struct Writer {
    /// The connection pool.
    pub database: DatabaseConnection,
    /// Idempotency keys of batches in progress.
    pub keys: IdempotencyKeys,
    availability: Arc<Availability>,
    batches: FairShare,
    bodies: FairShare,
    batch_commit: Semaphore,
    places: Semaphore,
}

impl Writer {
    /// A writer to `database` that reports what it finds about the database to `availability`.
    #[must_use]
    pub fn new(database: DatabaseConnection, availability: Arc<Availability>) -> Self {
        Self {
            database,
            keys: IdempotencyKeys::default(),
            availability,
            batches: FairShare::new(MAX_BATCHES, MAX_BATCHES_OF_CALLER),
            bodies: FairShare::new(MAX_BODIES_KIB, MAX_BODIES_OF_CALLER_KIB),
            batch_commit: Semaphore::new(1),
            places: Semaphore::new(1),
        }
    }

    /// A permit for a batch.
    ///
    /// # Errors
    ///
    /// When too many batches are in progress, of the caller or together.
    pub fn reserve_batch(&self, caller: &CallerName) -> Result<SharePermit, ApiError> {
        self.batches.try_acquire(caller, 1).ok_or(ApiError::Overloaded)
    }

    /// A permit to hold a request body of up to this many bytes in memory.
    ///
    /// # Errors
    ///
    /// When too many bytes are in memory, of the caller or together, and they are not released in time.
    pub async fn reserve_body(&self, caller: &CallerName, bytes: u64) -> Result<SharePermit, ApiError> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).max(1);
        self.bodies.acquire_within(BODY_WAITING_TIME, caller, kib).await.ok_or(ApiError::Overloaded)
    }

    /// Runs a write of this many items. At the deadline its transaction is abandoned. The database usually rolls it back, but may have
    /// committed it: a retry with the same idempotency key finds out.
    ///
    /// # Errors
    ///
    /// When the write fails, the database does not respond in time, or its schema excludes this program.
    pub async fn write<T, E: Into<ApiError>>(
        &self,
        items: u64,
        write: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        self.write_until(deadline(items), write).await
    }

    /// [`Self::write`] of a batch, which waits for the batch before it. Only one is committed or deleted at a time: two batches on the same
    /// routes would wait for each other inside the database, where waiting counts as statement time, and SQLite has one writer anyway.
    ///
    /// # Errors
    ///
    /// As [`Self::write`], and when the batches before it take too long.
    pub async fn write_batch<T, E: Into<ApiError>>(
        &self,
        items: u64,
        write: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        let deadline = deadline(items);
        let turn = timeout_at(deadline, self.batch_commit.acquire()).await.map_err(|_| ApiError::Overloaded)?;
        let _turn = turn.map_err(|_| ApiError::ShuttingDown)?;
        self.write_until(deadline, write).await
    }

    async fn write_until<T, E: Into<ApiError>>(
        &self,
        deadline: Instant,
        write: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        if self.availability.is_schema_too_new() {
            return Err(ApiError::SchemaTooNew);
        }
        let result = timeout_at(deadline, write).await.map_err(|_| ApiError::DatabaseTimeout)?.map_err(Into::into);
        if let Err(ApiError::DatabaseCorrupt(error)) = &result {
            self.availability.report_corruption(error);
        }
        result
    }

    /// The permit to parse and write a list of places. There is one: a parsed list uses more memory than its body, and the database
    /// writes one list at a time anyway.
    ///
    /// # Errors
    ///
    /// When other lists take too long.
    pub async fn lock_places(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        match timeout(PLACES_WAITING_TIME, self.places.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(ApiError::Overloaded),
        }
    }
}

/// After this time the database's own limits, such as 8 s for SQLite's lock, have failed.
fn deadline(items: u64) -> Instant {
    Instant::now() + entity::deadline::write_time(items)
}

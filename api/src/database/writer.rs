//! Bounded writes.

use std::{sync::Arc, time::Duration};

use rates::IdempotencyKeys;
use sea_orm::DatabaseConnection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::error::ApiError;

/// Batches of prices in progress: each uses a thread while its body is read, and disk space until it is committed.
const MAX_BATCHES: usize = 64;
/// Request bodies in memory.
const MAX_BODIES: usize = 8;
/// How long a request waits, its body unread, for one of [`MAX_BODIES`].
const BODY_WAITING_TIME: Duration = Duration::from_secs(5);

/// Writes on behalf of requests.
#[derive(Debug)]
pub struct Writer {
    /// The connection pool.
    pub database: DatabaseConnection,
    /// Idempotency keys of batches in progress.
    pub keys: IdempotencyKeys,
    batches: Arc<Semaphore>,
    bodies: Semaphore,
    batch_commit: Semaphore,
}

impl Writer {
    /// A writer to `database`.
    #[must_use]
    pub fn new(database: DatabaseConnection) -> Self {
        Self {
            database,
            keys: IdempotencyKeys::default(),
            batches: Arc::new(Semaphore::new(MAX_BATCHES)),
            bodies: Semaphore::new(MAX_BODIES),
            batch_commit: Semaphore::new(1),
        }
    }

    /// A permit for a batch, valid until it is dropped.
    ///
    /// # Errors
    ///
    /// When too many batches are in progress.
    pub fn reserve_batch(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.batches.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)
    }

    /// A permit to hold a request body in memory, valid until it is dropped.
    ///
    /// # Errors
    ///
    /// When too many bodies are in memory and none is released in time.
    pub async fn reserve_body(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        match timeout(BODY_WAITING_TIME, self.bodies.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(ApiError::Overloaded),
        }
    }

    /// The permit to commit or delete a batch. There is one: two batches on the same routes would wait for each other inside the
    /// database, where waiting counts as statement time, and SQLite has one writer anyway.
    ///
    /// # Errors
    ///
    /// Never while the process serves.
    pub async fn lock_batches(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.batch_commit.acquire().await.map_err(|_| ApiError::ShuttingDown)
    }
}

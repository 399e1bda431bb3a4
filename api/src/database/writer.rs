//! The database as requests write it: so many at a time.

use std::{sync::Arc, time::Duration};

use rates::IdempotencyKeys;
use sea_orm::DatabaseConnection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::error::ApiError;

/// Batches of prices that may come or wait at a time: each takes a thread while it comes, and room on the disk until it is written.
const BATCHES: usize = 64;
/// Bodies that are held in memory at a time, and how long the next one waits, unread, for one of them to be done with.
const HELD_BODIES: usize = 8;
const BODY_PATIENCE: Duration = Duration::from_secs(5);
/// Writes for requests.
#[derive(Debug)]
pub struct Writer {
    /// Where to write.
    pub database: DatabaseConnection,
    /// Idempotency keys of batches under way.
    pub keys: IdempotencyKeys,
    batches: Arc<Semaphore>,
    held_bodies: Semaphore,
    /// The one batch that is written, or taken back.
    settling: Semaphore,
}

impl Writer {
    /// Writes to `database`.
    #[must_use]
    pub fn new(database: DatabaseConnection) -> Self {
        Self {
            database,
            keys: IdempotencyKeys::default(),
            batches: Arc::new(Semaphore::new(BATCHES)),
            held_bodies: Semaphore::new(HELD_BODIES),
            settling: Semaphore::new(1),
        }
    }

    /// The right to bring a batch, until it is dropped.
    ///
    /// # Errors
    ///
    /// When so many do already.
    pub fn bring_batch(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.batches.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded)
    }

    /// The right to hold a body in memory, until it is dropped.
    ///
    /// # Errors
    ///
    /// When so many do already, and go on.
    pub async fn hold_body(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        match timeout(BODY_PATIENCE, self.held_bodies.acquire()).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(ApiError::Overloaded),
        }
    }

    /// The turn to write many rows: one after the other, in the order in which they ask. Two batches on the same routes would wait for each
    /// other in the database, where waiting counts as time of a statement, and SQLite has one writer anyway.
    ///
    /// # Errors
    ///
    /// Never as long as the process serves.
    pub async fn settle(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.settling.acquire().await.map_err(|_| ApiError::ShuttingDown)
    }
}

//! The tier of the cache that processes share: one Redis server, a cluster, or what sentinels name.
//!
//! It can only help. A read takes [`GET_TIME`] at most and is a miss for whatever reason; a write is sent in the background or
//! dropped. It knows nothing of what the keys and values mean, never deletes (keys carry the version of the catalogue, and
//! [`TIME_TO_LIVE`] clears the old), and never tells a caller of a fault: operators see faults in the log, once, and in the
//! metrics.

mod address;
mod keeper;
mod lines;
mod metrics;
mod ranges;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

use self::{
    address::Address,
    keeper::Board,
    lines::{Line, Target},
    metrics::{Dropped, Operation},
};
pub use self::{
    address::{RedisError, RedisSettings, RedisUrl},
    metrics::describe as describe_metrics,
};

/// How long a read may take: what the database takes for a search, so that a slow Redis costs no more than none.
pub const GET_TIME: Duration = Duration::from_millis(50);
/// How long a value is kept: keys of older catalogues die by it, and with a feed that seldom changes a search is asked again within.
pub const TIME_TO_LIVE: Duration = Duration::from_hours(1);
/// The largest value that is stored: what a gigabit line brings back well within [`GET_TIME`].
pub const VALUE_BYTES: usize = 4 * 1024 * 1024;
/// How many bytes may wait to be stored, and with [`WAITING_UNIT`] how many values: a Redis that hangs costs no more memory.
const WAITING_BYTES: usize = 64 * 1024 * 1024;
/// What a waiting value counts at least: so no more than 1,024 wait, however small.
const WAITING_UNIT: usize = 64 * 1024;

/// A Redis. Clones share all.
#[derive(Clone)]
pub struct Redis {
    board: Arc<Board>,
    waiting: Arc<Semaphore>,
    _keeper: Arc<AbortOnDropHandle<()>>,
}

impl Redis {
    /// The Redis of the settings, if they name one. It is looked for in the background, again and again: this returns at once,
    /// and reads are misses until it is found. Nothing goes on in the background once all clones are dropped.
    ///
    /// # Errors
    ///
    /// When the URL is none. What it says is not repeated.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, if there is a Redis.
    pub fn new(settings: &RedisSettings) -> Result<Option<Self>, RedisError> {
        let Some(url) = &settings.redis_url else { return Ok(None) };
        let target = Target::of(Address::of(url)?)?;
        let board = Arc::new(Board::new(url.clone()));
        let keeper = tokio::spawn(keeper::keep(target, board.clone()));
        Ok(Some(Self {
            board,
            waiting: Arc::new(Semaphore::new(WAITING_BYTES / WAITING_UNIT)),
            _keeper: Arc::new(AbortOnDropHandle::new(keeper)),
        }))
    }

    /// The value, or nothing: any fault, wait or refusal is a miss. It takes [`GET_TIME`] at most, whatever Redis does, and no
    /// time while it is known to be away.
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        let line = self.board.reads(key)?;
        let is_of_a_cluster = line.is_of_a_cluster();
        let started = Instant::now();
        let answer = line.get(key).await;
        metrics::took(Operation::Get, started.elapsed());
        match answer {
            Ok(value) => {
                self.board.answered(key, is_of_a_cluster);
                value.map(Bytes::from)
            }
            Err(fault) => {
                metrics::failed(Operation::Get);
                self.board.failed(key, is_of_a_cluster, &fault);
                None
            }
        }
    }

    /// Stores the value in the background, for [`TIME_TO_LIVE`]. It is dropped if it is larger than [`VALUE_BYTES`], if too much
    /// waits already, or if Redis is in trouble.
    pub fn put(&self, key: String, value: Bytes) {
        match self.admit(&key, &value) {
            Ok((line, place)) => drop(tokio::spawn(store(self.board.clone(), line, key, value, place))),
            Err(reason) => metrics::dropped(reason),
        }
    }

    /// Whether Redis is there, as far as is known: it has answered the last call, or at most a few since then have failed.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.board.is_up()
    }

    fn admit(&self, key: &str, value: &Bytes) -> Result<(Line, OwnedSemaphorePermit), Dropped> {
        if value.len() > VALUE_BYTES {
            return Err(Dropped::Large);
        }
        let line = self.board.writes(key).ok_or(Dropped::Away)?;
        let units = u32::try_from(value.len().div_ceil(WAITING_UNIT).max(1)).map_err(|_| Dropped::Large)?;
        let place = self.waiting.clone().try_acquire_many_owned(units).map_err(|_| Dropped::Busy)?;
        Ok((line, place))
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Redis").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

async fn store(board: Arc<Board>, line: Line, key: String, value: Bytes, place: OwnedSemaphorePermit) {
    let started = Instant::now();
    let answer = line.set(&key, &value).await;
    metrics::took(Operation::Put, started.elapsed());
    if let Err(fault) = answer {
        metrics::failed(Operation::Put);
        board.not_stored(&fault);
    }
    drop(place);
}

//! The cache tier that processes share: one Redis server, a cluster, or a service behind sentinels.
//!
//! A read takes at most [`GET_TIMEOUT`], and is a miss after any error. A write is sent in the background or dropped. The tier does
//! not know the meaning of keys and values, and never deletes: values state the release that they were read from, and expire after
//! [`TIME_TO_LIVE`]. Callers never see an error. Outages are logged once, and every failed call is counted.

mod address;
mod connection;
mod metrics;
mod supervisor;
mod tls;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use entity::RedactedUrl;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::AbortOnDropHandle;

use self::{
    address::RedisAddress,
    connection::{RedisConnection, RedisTarget},
    metrics::{DropReason, RedisOperation},
    supervisor::SharedConnections,
};
pub use self::{
    address::{RedisSettings, RedisUrlError},
    metrics::describe as describe_metrics,
    tls::CaFileError,
};

/// Why the settings of Redis are invalid.
#[derive(Debug, thiserror::Error)]
pub enum RedisSettingsError {
    /// The URL is invalid.
    #[error(transparent)]
    Url(#[from] RedisUrlError),
    /// The certificate authority cannot be used.
    #[error(transparent)]
    CaFile(#[from] CaFileError),
}

/// Limit of a read: the time of a search in the database, so that a slow Redis costs no more than none.
pub const GET_TIMEOUT: Duration = Duration::from_millis(50);
/// How long a value is stored, also one that a release has superseded. Popular searches are stored again within.
pub const TIME_TO_LIVE: Duration = Duration::from_mins(10);
/// The largest value that is stored: a network of 1 Gbit/s transfers it within [`GET_TIMEOUT`].
pub const MAX_VALUE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of values that wait to be stored, so that a Redis that does not respond costs no more memory.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;
/// The minimum that a waiting value counts, so that no more than 1,024 wait, however small.
const WAITING_UNIT_BYTES: usize = 64 * 1024;

/// The Redis tier. Clones share everything.
#[derive(Clone)]
pub struct Redis {
    /// The beginning of all keys.
    namespace: Arc<str>,
    shared: Arc<SharedConnections>,
    waiting: Arc<Semaphore>,
    _supervisor: Arc<AbortOnDropHandle<()>>,
}

impl Redis {
    /// The Redis of the settings, if there is one; all keys begin with `namespace`. It connects and reconnects in the background until all
    /// clones are dropped. Until it is connected, reads are misses.
    ///
    /// # Errors
    ///
    /// When the settings are invalid. The error does not contain the URL.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, if there is a Redis.
    pub fn new(settings: &RedisSettings, namespace: &str) -> Result<Option<Self>, RedisSettingsError> {
        let Some(url) = &settings.redis_url else { return Ok(None) };
        let target = open_target(settings, url)?;
        let shared = Arc::new(SharedConnections::new(url.clone()));
        let supervisor = tokio::spawn(supervisor::supervise(target, shared.clone()));
        Ok(Some(Self {
            namespace: namespace.into(),
            shared,
            waiting: Arc::new(Semaphore::new(MAX_WAITING_BYTES / WAITING_UNIT_BYTES)),
            _supervisor: Arc::new(AbortOnDropHandle::new(supervisor)),
        }))
    }

    /// Checks the settings without connecting.
    ///
    /// # Errors
    ///
    /// When they are invalid. The error does not contain the URL.
    pub fn validate(settings: &RedisSettings) -> Result<(), RedisSettingsError> {
        settings.redis_url.as_ref().map_or(Ok(()), |url| open_target(settings, url).map(drop))
    }

    /// Reads a value. Any error or timeout is a miss. It takes at most [`GET_TIMEOUT`], and no time while Redis is unavailable.
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        let connection = self.shared.for_reads()?;
        let is_cluster = connection.is_cluster();
        let started = Instant::now();
        let result = connection.get(&self.key(key)).await;
        metrics::record_duration(RedisOperation::Get, started.elapsed());
        match result {
            Ok(value) => {
                self.shared.report_success();
                value.map(Bytes::from)
            }
            Err(error) => {
                metrics::count_error(RedisOperation::Get);
                self.shared.report_failed_read(&error, is_cluster);
                None
            }
        }
    }

    /// Stores a value in the background, for [`TIME_TO_LIVE`]. It is dropped if it is larger than [`MAX_VALUE_BYTES`], if too many
    /// values are waiting, or if Redis is unavailable.
    pub fn put(&self, key: &str, value: Bytes) {
        match self.prepare_write(&value) {
            Ok((connection, permit)) => drop(tokio::spawn(store(self.shared.clone(), connection, self.key(key), value, permit))),
            Err(reason) => metrics::count_dropped(reason),
        }
    }

    /// Whether Redis is available: the last call succeeded, or only a few failed since.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.shared.is_up()
    }

    fn key(&self, key: &str) -> String {
        [&self.namespace, key].concat()
    }

    fn prepare_write(&self, value: &Bytes) -> Result<(RedisConnection, OwnedSemaphorePermit), DropReason> {
        if value.len() > MAX_VALUE_BYTES {
            return Err(DropReason::Large);
        }
        let connection = self.shared.for_writes().ok_or(DropReason::Unavailable)?;
        let units = u32::try_from(value.len().div_ceil(WAITING_UNIT_BYTES).max(1)).map_err(|_| DropReason::Large)?;
        let permit = self.waiting.clone().try_acquire_many_owned(units).map_err(|_| DropReason::Busy)?;
        Ok((connection, permit))
    }
}

fn open_target(settings: &RedisSettings, url: &RedactedUrl) -> Result<RedisTarget, RedisSettingsError> {
    let address = RedisAddress::parse(url)?;
    let certificates = tls::read_certificates(settings, address.is_tls())?;
    Ok(RedisTarget::new(address, certificates)?)
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Redis").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

async fn store(
    shared: Arc<SharedConnections>,
    connection: RedisConnection,
    key: String,
    value: Bytes,
    permit: OwnedSemaphorePermit,
) {
    let started = Instant::now();
    let result = connection.set(&key, &value).await;
    metrics::record_duration(RedisOperation::Put, started.elapsed());
    if let Err(error) = result {
        metrics::count_error(RedisOperation::Put);
        shared.report_failed_write(&error);
    }
    drop(permit);
}

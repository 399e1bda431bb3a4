//! A replica that serves reads, as far as it keeps up with the primary.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use entity::catalogue_version;
use metrics::{Gauge, gauge};
use sea_orm::DatabaseConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Availability, CheckError, ReadSource, is_schema_current};

/// How often the version of the replica is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long one read may take, connecting included.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// A replica, and the newest version of the catalogue that was read from it.
#[derive(Debug)]
pub struct Replica {
    /// The connections of requests.
    pub source: ReadSource,
    /// How long a version may have been superseded on the primary and still be read from the replica.
    pub max_lag: Duration,
    watch: DatabaseConnection,
    /// -1 while none was read.
    version: AtomicI64,
    up: Gauge,
}

impl Replica {
    /// A replica with the connections of requests, and one that is used for the version only.
    #[must_use]
    pub fn new(connection: DatabaseConnection, watch: DatabaseConnection, max_lag: Duration) -> Self {
        let source = ReadSource { connection, availability: Arc::new(Availability::new("replica")) };
        Self { source, max_lag, watch, version: AtomicI64::new(-1), up: gauge!("marquee_replica_up") }
    }

    /// The newest version that was read from it; `None` before the first.
    #[must_use]
    pub fn version(&self) -> Option<i64> {
        Some(self.version.load(Ordering::Relaxed)).filter(|version| *version >= 0)
    }

    /// Records the version of a snapshot that was read from it. A replica that was rebuilt from a backup may have a lower one than before.
    pub fn record_version(&self, version: i64) {
        self.version.store(version, Ordering::Relaxed);
    }

    /// Reads the version regularly until `shutdown` is cancelled.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let poll = async {
            loop {
                self.check().await;
                let _requested = timeout(POLL_INTERVAL, self.source.availability.wait_for_check_request()).await;
            }
        };
        shutdown.run_until_cancelled(poll).await;
    }

    /// Reads the version once.
    pub async fn check(&self) {
        let read = async {
            // One that lacks a migration only lags.
            let _is_current = is_schema_current(&self.watch).await?;
            Ok(catalogue_version::fetch_version(&self.watch).await?)
        };
        let version = timeout(READ_TIMEOUT, read).await.map_err(|_| CheckError::timed_out()).flatten();
        self.source.availability.record_check(version.as_ref().err());
        self.up.set(if version.is_ok() { 1.0 } else { 0.0 });
        if let Ok(version) = version {
            self.record_version(version);
        }
    }
}

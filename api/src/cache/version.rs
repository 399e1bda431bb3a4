//! Watches the version of the catalogue: which version the database holds, what the releases up to it changed, and since when this process
//! knows them.
//!
//! [`VersionWatch::run`] reads the version from the primary twice a second, and immediately when PostgreSQL notifies of a new version or
//! when a query loses its connection. It has its own connection, so that a busy pool is not mistaken for an unavailable database. It reads
//! no other row of the catalogue. It also checks whether the schema fits this program.

use std::{
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use entity::{DatabaseSettings, UtcInstant, catalogue_version, database_now, footprint::Selection, release};
use metrics::{Gauge, counter, gauge};
use sea_orm::{DatabaseConnection, DbErr};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant as TokioInstant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    MinVersion,
    release_log::{CAPACITY, EARLIER_HISTORY, ReleaseLog, SupersededBody},
};
use crate::{
    database::{Availability, CheckError, is_schema_current},
    error::ApiError,
};

/// How often the version is read: without notifications, a new version is detected within a second.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The same while the database is unavailable.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// How long one read may take, connecting included.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
/// How long after its time a poll must have ended: two reads. A process that was frozen for longer treats its responses as unconfirmed until
/// the next poll.
const POLL_GRACE: Duration = Duration::from_secs(3);
/// The pause before listening for notifications again.
const LISTEN_RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// For this long, a version lower than the known one may be that of a server that is no longer the primary; after that the database was
/// restored from a backup, or lost transactions in a failover.
const RESTORE_DETECTION_TIME: Duration = Duration::from_secs(2);

/// How long a request waits until this process knows the version that its client expects: several polls.
const MIN_VERSION_WAIT: Duration = Duration::from_secs(2);

/// A version that this process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownVersion {
    /// The number.
    pub version: i64,
    /// When the worker incremented the version to this number.
    pub raised_at: UtcInstant,
    /// How often the process had seen the database restored.
    pub restores: u64,
}

impl KnownVersion {
    /// Whether a row that was read later belongs to another history: versions never decrease, and each is raised once.
    fn is_contradicted_by(&self, row: &catalogue_version::Model) -> bool {
        row.version < self.version || row.version == self.version && row.raised_at != self.raised_at
    }
}

/// A body that later releases may have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Superseded {
    /// For how long this process has known the first of them, or longer.
    pub age: Duration,
    /// Whether any may have removed a part of it for legal reasons, so that it must not be served again.
    pub is_removed: bool,
}

/// The newest version that this process has seen.
#[derive(Debug)]
pub struct VersionWatch {
    database: DatabaseConnection,
    availability: Arc<Availability>,
    known: watch::Sender<Option<KnownVersion>>,
    /// The same without a lock: the version, or -1 while none is known.
    current: AtomicI64,
    releases: std::sync::Mutex<ReleaseLog>,
    /// How often the database was restored.
    restores: AtomicU64,
    /// Since when the row contradicts the known version.
    contradicted_since: std::sync::Mutex<Option<Instant>>,
    is_schema_outdated: AtomicBool,
    accepts_writes: AtomicBool,
    /// When the last read began, and its result.
    last_read: Mutex<Option<(Instant, Option<i64>)>>,
}

impl VersionWatch {
    /// A watch that knows no version yet. `database` is used for nothing but the version, and its results are recorded in
    /// `availability`.
    #[must_use]
    pub fn new(database: DatabaseConnection, availability: Arc<Availability>) -> Self {
        Self {
            database,
            availability,
            known: watch::Sender::new(None),
            current: AtomicI64::new(-1),
            releases: std::sync::Mutex::new(ReleaseLog::new(Instant::now())),
            restores: AtomicU64::new(0),
            contradicted_since: std::sync::Mutex::default(),
            is_schema_outdated: AtomicBool::new(false),
            accepts_writes: AtomicBool::new(true),
            last_read: Mutex::new(None),
        }
    }

    /// The newest version seen, if any.
    #[must_use]
    pub fn known(&self) -> Option<KnownVersion> {
        *self.known.borrow()
    }

    /// The newest version seen, and each one after it.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<KnownVersion>> {
        self.known.subscribe()
    }

    /// The number of [`known`](Self::known), without a lock.
    #[must_use]
    pub fn current(&self) -> Option<i64> {
        Some(self.current.load(Ordering::Acquire)).filter(|version| *version >= 0)
    }

    /// How often this process has seen that the database was restored. A version identifies a state of the catalogue only together with
    /// this number.
    #[must_use]
    pub fn restores(&self) -> u64 {
        self.restores.load(Ordering::Acquire)
    }

    /// What the later releases that this process knows mean for what was selected; `None` if none may have changed it. Without a
    /// selection, every release counts.
    #[must_use]
    pub fn superseded(&self, version: i64, selection: Option<&Selection>) -> Option<Superseded> {
        let superseded = self.lock_releases().superseded(version, selection);
        superseded.map(|SupersededBody { since, is_removed }| Superseded { age: since.elapsed(), is_removed })
    }

    /// The same for what was read before the database was restored.
    #[must_use]
    pub fn superseded_by_restore(&self) -> Option<Superseded> {
        self.superseded(EARLIER_HISTORY, None)
    }

    /// The version of the newest takedown that this process knows.
    #[must_use]
    pub fn newest_takedown(&self) -> Option<i64> {
        self.lock_releases().newest_takedown()
    }

    /// Whether a version that was raised at this instant belongs to the history that this process knows.
    #[must_use]
    pub fn contains(&self, version: i64, raised_at: UtcInstant) -> bool {
        self.lock_releases().contains(version, raised_at)
    }

    /// Whether the schema was older than this program when the database last responded.
    #[must_use]
    pub fn is_schema_outdated(&self) -> bool {
        self.is_schema_outdated.load(Ordering::Relaxed)
    }

    /// Whether the database accepted writes when it last responded.
    #[must_use]
    pub fn accepts_writes(&self) -> bool {
        self.accepts_writes.load(Ordering::Relaxed)
    }

    /// Knows at least this version, which a snapshot had, and the releases up to it.
    pub async fn follow(&self, version: i64) {
        if self.current().is_none_or(|current| current < version) {
            // The next check tries again if this one fails.
            let _version = self.refresh().await;
        }
    }

    /// Waits until this process knows the version that a client expects.
    ///
    /// # Errors
    ///
    /// When it does not exist, or this process does not learn of it in time.
    pub(crate) async fn wait_for(&self, minimum: MinVersion) -> Result<(), ApiError> {
        let Some(version) = minimum.version().filter(|version| self.current().is_none_or(|current| current < *version)) else {
            return Ok(());
        };
        let deadline = TokioInstant::now() + MIN_VERSION_WAIT;
        let mut known = self.subscribe();
        self.follow(version).await;
        let reached = known.wait_for(|known| known.is_some_and(|known| known.version >= version));
        match timeout_at(deadline, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(minimum.unavailable()),
        }
    }

    fn record(&self, head: &catalogue_version::Model, releases: Vec<release::ReleasedFootprint>) {
        let is_new = self.known.send_if_modified(|known| {
            let is_new = known.is_none_or(|known| known.version < head.version);
            if is_new {
                let followed = self.lock_releases().extend(releases, head, Instant::now());
                for (cause, versions) in followed {
                    counter!("marquee_cache_releases_total", "cause" => cause).increment(versions);
                }
                let (version, raised_at) = (head.version, head.raised_at);
                *known = Some(KnownVersion { version, raised_at, restores: self.restores() });
                self.current.store(version, Ordering::Release);
            }
            is_new
        });
        if is_new {
            gauge!("marquee_catalogue_version").set(head.version as f64);
        }
    }

    fn lock_releases(&self) -> MutexGuard<'_, ReleaseLog> {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the version. Concurrent calls share one or two reads: there is one connection, and a flood of calls must not make the
    /// database seem unavailable.
    ///
    /// # Errors
    ///
    /// When the database does not respond in time, has no schema, or one that excludes this program.
    pub async fn refresh(&self) -> Result<i64, CheckError> {
        let called = Instant::now();
        let mut last_read = self.last_read.lock().await;
        if let Some((started, version)) = *last_read
            && started >= called
        {
            return version.ok_or_else(|| DbErr::Custom("the previous read of the catalogue version failed".to_owned()).into());
        }
        let started = Instant::now();
        let version = self.read().await;
        *last_read = Some((started, version.as_ref().ok().copied()));
        version
    }

    async fn read(&self) -> Result<i64, CheckError> {
        let known = self.known();
        let read = async {
            let is_schema_current = is_schema_current(&self.database).await?;
            self.record_schema(is_schema_current);
            self.accepts_writes.store(entity::accepts_writes(&self.database).await?, Ordering::Relaxed);
            let row = catalogue_version::fetch(&self.database).await?;
            let position = self.lock_releases().position(row.version).filter(|_| is_schema_current);
            let releases = match position {
                Some(version) => release::list_after(&self.database, version, CAPACITY.unsigned_abs()).await?,
                None => Vec::new(),
            };
            Ok((row, releases))
        };
        let read = timeout(READ_TIMEOUT, read).await.map_err(|_| CheckError::timed_out()).flatten();
        self.availability.record_check(read.as_ref().err());
        let (row, releases) = read?;
        let is_contradiction = known.is_some_and(|known| known.is_contradicted_by(&row));
        if self.confirm_restore(is_contradiction) {
            self.restart(&row);
        } else if !is_contradiction {
            self.record(&row, releases);
        }
        Ok(row.version)
    }

    /// Whether all rows have contradicted the known version for [`RESTORE_DETECTION_TIME`].
    fn confirm_restore(&self, is_contradiction: bool) -> bool {
        let mut since = self.contradicted_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = since.filter(|_| is_contradiction).or_else(|| is_contradiction.then(Instant::now));
        since.take_if(|since| since.elapsed() > RESTORE_DETECTION_TIME).is_some()
    }

    /// Begins a new history with this row.
    fn restart(&self, row: &catalogue_version::Model) {
        tracing::warn!(catalogue.version = row.version, "database restored: its catalogue version contradicts the known one");
        counter!("marquee_cache_restarts_total").increment(1);
        self.restores.fetch_add(1, Ordering::AcqRel);
        self.lock_releases().restart(Instant::now());
        self.current.store(-1, Ordering::Release);
        self.known.send_replace(None);
        self.record(row, Vec::new());
    }

    fn record_schema(&self, is_current: bool) {
        let was_outdated = self.is_schema_outdated.swap(!is_current, Ordering::Relaxed);
        match (was_outdated, is_current) {
            (false, false) => tracing::error!(
                schema.migration = entity::NEWEST_MIGRATION,
                "schema outdated: the database lacks a migration; run `marquee-migrate up`"
            ),
            (true, true) => tracing::info!("schema up to date"),
            _ => (),
        }
    }

    /// Watches the version until `shutdown` is cancelled. `notifier` is the database that sends notifications, if it can.
    pub async fn run(&self, notifier: &DatabaseSettings, shutdown: &CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => (),
            () = self.poll() => (),
            () = self.listen(notifier) => (),
        }
    }

    async fn poll(&self) {
        let mut age = VersionAge { gauge: gauge!("marquee_catalogue_version_age_seconds"), last: None };
        let up = gauge!("marquee_database_up");
        loop {
            let version = self.refresh().await;
            up.set(if version.is_ok() { 1.0 } else { 0.0 });
            if version.is_ok() {
                age.read(&self.database, self.known()).await;
            }
            age.record();
            let interval = if self.availability.is_available() { POLL_INTERVAL } else { RETRY_INTERVAL };
            self.availability.expect_check_within(interval + POLL_GRACE);
            let _requested = timeout(interval, self.availability.wait_for_check_request()).await;
        }
    }

    async fn listen(&self, notifier: &DatabaseSettings) {
        let mut was_listening = true;
        loop {
            match catalogue_version::VersionListener::listen(notifier).await {
                Ok(None) => std::future::pending().await,
                Ok(Some(mut raises)) => {
                    was_listening = true;
                    // The version may have changed before we listened.
                    self.availability.request_check();
                    while raises.next().await.is_ok() {
                        self.availability.request_check();
                    }
                    // A proxy may have closed an idle connection: only a check can tell whether the server failed.
                    self.availability.request_check();
                }
                Err(error) if self.availability.is_available() && std::mem::take(&mut was_listening) => {
                    let error = telemetry::with_causes(&error);
                    tracing::warn!(error, "listening for new versions failed: polling only");
                }
                Err(_) => (),
            }
            sleep(LISTEN_RETRY_INTERVAL).await;
        }
    }
}

/// The age of the known version by the database's clock. While the database is unavailable, it grows with monotonic time.
struct VersionAge {
    gauge: Gauge,
    /// The age, and when it was read. The age is unknown if the clock was set back since the version was raised.
    last: Option<(Option<Duration>, Instant)>,
}

impl VersionAge {
    async fn read(&mut self, database: &DatabaseConnection, known: Option<KnownVersion>) {
        if let Some(known) = known
            && let Ok(Ok(now)) = timeout(READ_TIMEOUT, database_now(database)).await
        {
            self.last = Some((known.raised_at.age_at(now), Instant::now()));
        }
    }

    fn record(&self) {
        if let Some((age, read_at)) = self.last {
            self.gauge.set(age.map_or(f64::INFINITY, |age| (age + read_at.elapsed()).as_secs_f64()));
        }
    }
}

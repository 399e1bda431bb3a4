//! What this process knows of the catalogue: which version the database holds, since when, and whether the database answers.
//!
//! [`Catalogue::follow`] asks twice a second, and at once when PostgreSQL tells of a new version or a query fails. It has a
//! connection of its own, so that a busy pool is not taken for a database that is away. It reads no row of the catalogue itself.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use entity::{DatabaseSettings, UtcInstant, catalogue_version};
use metrics::{Gauge, gauge};
use sea_orm::{DatabaseConnection, DbErr};
use tokio::{
    sync::{Mutex, Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How often the version is asked for: whoever is not told of a new one learns of it within a second.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How often a database that is away is asked whether it is back.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How long one such question may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait before listening again where listening failed.
const LISTEN_AGAIN: Duration = Duration::from_secs(2);
/// For so long a lower version than the known one may be a replica that lags; after that it is a database that was restored.
const RESTORED_AFTER: Duration = Duration::from_secs(10);

/// A version and since when it is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The number.
    pub version: i64,
    /// When the worker raised it to that.
    pub raised_at: UtcInstant,
    /// When this process learned of it.
    pub since: Instant,
}

/// What is known now.
#[derive(Debug)]
pub struct Catalogue {
    database: DatabaseConnection,
    known: watch::Sender<Option<Known>>,
    /// The same for readers that cannot wait for a lock: the version, or -1 while none is known.
    version: AtomicI64,
    started: Instant,
    /// Milliseconds from `started` to the last answer of the database.
    contact: AtomicU64,
    away: watch::Sender<bool>,
    ask_now: Notify,
    /// When the last question was begun, and what came of it.
    last_asked: Mutex<Option<(Instant, Option<i64>)>>,
}

impl Catalogue {
    /// Knows nothing yet. `database` is asked for the version and nothing else.
    #[must_use]
    pub fn new(database: DatabaseConnection) -> Self {
        Self {
            database,
            known: watch::Sender::new(None),
            version: AtomicI64::new(-1),
            started: Instant::now(),
            contact: AtomicU64::new(0),
            away: watch::Sender::new(false),
            ask_now: Notify::new(),
            last_asked: Mutex::new(None),
        }
    }

    /// The newest version that this process has seen, or nothing while it has seen none.
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        *self.known.borrow()
    }

    /// The number of [`known`](Self::known), cheaply.
    #[must_use]
    pub fn version(&self) -> Option<i64> {
        Some(self.version.load(Ordering::Acquire)).filter(|version| *version >= 0)
    }

    /// Whether the database did not answer when it was last asked.
    #[must_use]
    pub fn is_away(&self) -> bool {
        *self.away.borrow()
    }

    /// How long ago the database last answered.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.contact.load(Ordering::Relaxed)))
    }

    /// Returns once the database is away.
    pub async fn went_away(&self) {
        let mut away = self.away.subscribe();
        if away.wait_for(|away| *away).await.is_err() {
            // The sender lives in `self`.
            std::future::pending::<()>().await;
        }
    }

    /// Takes the database for away until it answers the next question, which is asked at once: a connection broke, and only the
    /// question can tell whether it was the connection alone.
    pub fn lost(&self, error: &DbErr) {
        self.set_away(Some(error));
        self.ask_now.notify_one();
    }

    fn set_away(&self, error: Option<&DbErr>) {
        let is_away = error.is_some();
        if self.away.send_if_modified(|away| std::mem::replace(away, is_away) != is_away) {
            match error {
                Some(error) => tracing::error!(error = telemetry::with_causes(error), "the database is away"),
                None => tracing::info!("the database is back"),
            }
        }
    }

    /// Notes that a snapshot held this version.
    pub fn acknowledge(&self, version: i64, raised_at: UtcInstant) {
        let is_new = self.known.send_if_modified(|known| {
            let is_new = known.is_none_or(|known| known.version < version);
            if is_new {
                *known = Some(Known { version, raised_at, since: Instant::now() });
                self.version.store(version, Ordering::Release);
            }
            is_new
        });
        if is_new {
            gauge!("marquee_catalogue_version").set(version as f64);
        }
    }

    /// Asks the database for its version. However many ask at once, they cost one question or two: there is one connection for it, and
    /// a flood of calls must not make the database look away.
    ///
    /// # Errors
    ///
    /// When it does not answer, or has no schema.
    pub async fn ask(&self) -> Result<i64, DbErr> {
        let came = Instant::now();
        let mut last_asked = self.last_asked.lock().await;
        if let Some((begun, version)) = *last_asked
            && begun >= came
        {
            return version.ok_or_else(|| DbErr::Custom("the database did not answer a moment ago".to_owned()));
        }
        let begun = Instant::now();
        let answer = self.ask_alone().await;
        *last_asked = Some((begun, answer.as_ref().ok().copied()));
        answer
    }

    async fn ask_alone(&self) -> Result<i64, DbErr> {
        let asked = timeout(PATIENCE, catalogue_version::fetch(&self.database)).await;
        let row = asked.map_err(|_| DbErr::Custom("the database does not answer in time".to_owned())).flatten();
        self.set_away(row.as_ref().err());
        let row = row?;
        let contact = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.contact.store(contact, Ordering::Relaxed);
        self.acknowledge(row.version, row.raised_at);
        Ok(row.version)
    }

    /// Keeps itself up to date until `shutdown` is cancelled. `told_by` is the database that tells of new versions, if it is one that does.
    pub async fn follow(&self, told_by: &DatabaseSettings, shutdown: &CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => (),
            () = self.keep_asking() => (),
            () = self.listen(told_by) => (),
        }
    }

    async fn keep_asking(&self) {
        let age = gauge!("marquee_catalogue_version_age_seconds");
        let reachable = gauge!("marquee_database_up");
        let mut lower_since: Option<Instant> = None;
        loop {
            let asked = self.ask().await;
            reachable.set(if asked.is_ok() { 1.0 } else { 0.0 });
            set_age(&age, self.known());
            let is_lower = asked.is_ok_and(|version| self.version().is_some_and(|known| version < known));
            lower_since = lower_since.filter(|_| is_lower).or_else(|| is_lower.then(Instant::now));
            if lower_since.is_some_and(|since| since.elapsed() > RESTORED_AFTER) {
                tracing::warn!("the database holds an older version than before: taking it for one that was restored");
                self.forget();
                lower_since = None;
            }
            let pause = if self.is_away() { ASK_AGAIN } else { ASK_EVERY };
            let _asked_sooner = timeout(pause, self.ask_now.notified()).await;
        }
    }

    /// Takes the next version that is seen for the newest, whatever it is.
    fn forget(&self) {
        self.version.store(-1, Ordering::Release);
        self.known.send_replace(None);
    }

    async fn listen(&self, told_by: &DatabaseSettings) {
        let mut was_heard = true;
        loop {
            match catalogue_version::VersionListener::listen(told_by).await {
                Ok(None) => std::future::pending().await,
                Ok(Some(mut raises)) => {
                    was_heard = true;
                    // For what was raised while nobody listened.
                    self.ask_now.notify_one();
                    let lost = loop {
                        match raises.next().await {
                            Ok(()) => self.ask_now.notify_one(),
                            Err(error) => break error,
                        }
                    };
                    self.lost(&lost);
                }
                Err(error) if !self.is_away() && std::mem::take(&mut was_heard) => {
                    let error = telemetry::with_causes(&error);
                    tracing::warn!(error, "not told of new versions by the database: asking for them instead");
                }
                Err(_) => (),
            }
            sleep(LISTEN_AGAIN).await;
        }
    }
}

fn set_age(age: &Gauge, known: Option<Known>) {
    if let Some(known) = known {
        let micros = UtcInstant::now().0.saturating_sub(known.raised_at.0).max(0);
        age.set(Duration::from_micros(micros.unsigned_abs()).as_secs_f64());
    }
}

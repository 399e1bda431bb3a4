//! One background task connects to Redis, checks the connections and replaces them. Readers and writers only look whether a
//! connection exists, and report the result of their calls. They never wait for a connection.
//!
//! There are three states: *unavailable*, without connections, when a connection is attempted every [`RETRY_PAUSE`]; *available*; and
//! *suspect*, after several failed calls in a row, when calls are skipped until the task has checked the connection. Only the
//! transitions between unavailable and available are logged.

use std::{
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use entity::RedactedUrl;
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    connection::{CallError, ConnectionPair, RedisConnection, RedisTarget},
    metrics,
};

/// Failed reads in a row after which the connection is suspect, and the number of checks that must fail then. One or two are a
/// hiccup of the network or of this process.
const FAILURE_THRESHOLD: u32 = 3;
/// The pause between connection attempts: short enough for hits soon after a restart, and no load for a starting server.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How often an idle connection is checked: an outage is detected before it delays a request, and firewalls keep the connection open.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Minimum age of connections before they are replaced because of a wrong server or failed calls. If the cause persists, new
/// connections rarely help.
const MIN_REPLACEMENT_AGE: Duration = Duration::from_secs(5);

/// The connections, and the state that readers, writers and the background task share.
pub(super) struct SharedConnections {
    url: RedactedUrl,
    pair: RwLock<Option<ConnectionPair>>,
    /// Calls are skipped until the background task has checked the connection.
    is_suspect: AtomicBool,
    failures_in_a_row: AtomicU32,
    needs_replacement: AtomicBool,
    attention: Notify,
}

impl SharedConnections {
    pub(super) fn new(url: RedactedUrl) -> Self {
        metrics::set_up(false);
        Self {
            url,
            pair: RwLock::new(None),
            is_suspect: AtomicBool::new(false),
            failures_in_a_row: AtomicU32::new(0),
            needs_replacement: AtomicBool::new(false),
            attention: Notify::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.pair.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The connection for reads, unless Redis is unavailable or suspect.
    pub(super) fn for_reads(&self) -> Option<RedisConnection> {
        self.select(|pair| pair.reads.clone())
    }

    /// The connection for writes, unless Redis is unavailable or suspect.
    pub(super) fn for_writes(&self) -> Option<RedisConnection> {
        self.select(|pair| pair.writes.clone())
    }

    fn select(&self, choose: impl FnOnce(&ConnectionPair) -> RedisConnection) -> Option<RedisConnection> {
        if self.is_suspect.load(Ordering::Relaxed) {
            return None;
        }
        self.pair.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(choose)
    }

    /// Reports a successful read.
    pub(super) fn report_success(&self) {
        // Loaded first: a store by every reader would move the cache line from core to core.
        if self.failures_in_a_row.load(Ordering::Relaxed) != 0 {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Reports a failed read.
    pub(super) fn report_failed_read(&self, error: &CallError, is_cluster: bool) {
        if error.is_response() {
            self.report_success();
            if error.is_wrong_server() {
                self.request_replacement();
            }
            return;
        }
        if is_cluster {
            // A cluster connection learns of a failover only from nodes that respond, so a new one may help.
            self.request_replacement();
        }
        let failures = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURE_THRESHOLD || error.is_disconnect() && !is_cluster {
            self.is_suspect.store(true, Ordering::Relaxed);
            self.attention.notify_one();
        }
    }

    /// Reports a failed write. It does not affect reads: a server that is out of memory refuses writes and serves reads.
    pub(super) fn report_failed_write(&self, error: &CallError) {
        if error.is_wrong_server() || !error.is_response() {
            self.request_replacement();
        }
    }

    fn request_replacement(&self) {
        self.needs_replacement.store(true, Ordering::Relaxed);
        self.attention.notify_one();
    }

    fn replace(&self, pair: Option<ConnectionPair>) {
        let previous = std::mem::replace(&mut *self.pair.write().unwrap_or_else(PoisonError::into_inner), pair);
        self.needs_replacement.store(false, Ordering::Relaxed);
        self.clear_suspicion();
        // After the lock is released: this ends tasks and frees the commands in their queues.
        drop(previous);
    }

    fn clear_suspicion(&self) {
        self.failures_in_a_row.store(0, Ordering::Relaxed);
        self.is_suspect.store(false, Ordering::Relaxed);
    }

    /// Checks the connection, repeatedly if it does not respond.
    async fn check(&self) -> Result<(), CallError> {
        let pair = self.pair.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(ConnectionPair { reads, .. }) = pair else { return Ok(()) };
        let mut result = reads.check().await;
        for _ in 1..FAILURE_THRESHOLD {
            match &result {
                Err(error) if !error.is_disconnect() => result = reads.check().await,
                Ok(()) | Err(_) => break,
            }
        }
        result
    }
}

/// Connects, checks and replaces connections until it is aborted.
pub(super) async fn supervise(mut target: RedisTarget, shared: std::sync::Arc<SharedConnections>) {
    let mut attempts = interval(RETRY_PAUSE);
    attempts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_logged_outage = false;
    loop {
        attempts.tick().await;
        match target.connect().await {
            Ok(pair) => {
                shared.replace(Some(pair));
                metrics::set_up(true);
                if std::mem::take(&mut has_logged_outage) {
                    tracing::info!(redis.url = %shared.url, "Redis available again");
                }
            }
            // The connections that were to be replaced are still in use.
            Err(_) if shared.is_up() => {}
            Err(error) => log_outage(&shared, &mut has_logged_outage, &error),
        }
        if let Some(error) = watch(&shared).await {
            shared.replace(None);
            log_outage(&shared, &mut has_logged_outage, &error);
        }
    }
}

/// Checks the connections until they fail, and returns why, or until they must be replaced.
async fn watch(shared: &SharedConnections) -> Option<CallError> {
    let since = Instant::now();
    while shared.is_up() {
        // A timeout is the heartbeat.
        let _ = timeout(HEARTBEAT, shared.attention.notified()).await;
        if let Err(error) = shared.check().await {
            return Some(error);
        }
        shared.clear_suspicion();
        if since.elapsed() >= MIN_REPLACEMENT_AGE && shared.needs_replacement.swap(false, Ordering::Relaxed) {
            return None;
        }
    }
    None
}

fn log_outage(shared: &SharedConnections, has_logged_outage: &mut bool, error: &CallError) {
    metrics::set_up(false);
    if !std::mem::replace(has_logged_outage, true) {
        let error = telemetry::with_causes(error);
        tracing::warn!(redis.url = %shared.url, error, "Redis unavailable, continuing without it");
    }
}

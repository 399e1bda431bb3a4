//! Whether the database responds, as far as this process knows.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use entity::Failure;
use sea_orm::DbErr;
use tokio::sync::{Notify, watch};

use crate::error::ApiError;

/// Shared by everything that uses the database. It starts as available.
#[derive(Debug)]
pub struct Availability {
    /// What the database is called in logs.
    role: &'static str,
    unavailable: watch::Sender<bool>,
    started: Instant,
    /// Milliseconds from `started` to the last response of the database.
    last_response: AtomicU64,
    check_requested: Notify,
    corrupt: AtomicBool,
}

impl Availability {
    /// Of the database with this role: `primary` or `replica`.
    #[must_use]
    pub fn new(role: &'static str) -> Self {
        Self {
            role,
            unavailable: watch::Sender::new(false),
            started: Instant::now(),
            last_response: AtomicU64::new(0),
            check_requested: Notify::new(),
            corrupt: AtomicBool::new(false),
        }
    }

    /// Whether the last check succeeded and no connection has been lost since.
    #[must_use]
    pub fn is_available(&self) -> bool {
        !*self.unavailable.borrow()
    }

    /// Time since the last successful check.
    #[must_use]
    pub fn time_since_response(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last_response.load(Ordering::Relaxed)))
    }

    /// Returns once the database is unavailable.
    pub async fn wait_until_unavailable(&self) {
        let mut unavailable = self.unavailable.subscribe();
        if unavailable.wait_for(|unavailable| *unavailable).await.is_err() {
            // The sender lives in `self`.
            std::future::pending::<()>().await;
        }
    }

    /// Treats the database as unavailable until the next check, which is requested immediately: only a check can tell whether the
    /// server failed or one connection.
    pub fn report_lost_connection(&self, error: &DbErr) {
        self.set(Some(error));
        self.request_check();
    }

    /// Whether a query has found damaged files. It remains so until the process is restarted, because only some queries read them.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        self.corrupt.load(Ordering::Relaxed)
    }

    /// Records that a query has found damaged files.
    pub fn report_corruption(&self, error: &DbErr) {
        if !self.corrupt.swap(true, Ordering::Relaxed) {
            tracing::error!(error = telemetry::with_causes(error), "database corrupt: restore a backup, then restart");
        }
    }

    /// The error of a request that does not wait for the database.
    pub(crate) fn still_unavailable(&self) -> ApiError {
        if self.is_corrupt() { ApiError::DatabaseStillCorrupt } else { ApiError::DatabaseStillUnavailable }
    }

    /// Records the result of a check.
    pub(crate) fn record_check(&self, error: Option<&DbErr>) {
        self.set(error);
        if let Some(error) = error.filter(|error| Failure::of(error) == Failure::Corrupt) {
            self.report_corruption(error);
        }
        if error.is_none() {
            let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last_response.store(elapsed, Ordering::Relaxed);
        }
    }

    /// Requests a check now from the task that performs them.
    pub(crate) fn request_check(&self) {
        self.check_requested.notify_one();
    }

    /// Returns once a check is requested.
    pub(crate) async fn wait_for_check_request(&self) {
        self.check_requested.notified().await;
    }

    fn set(&self, error: Option<&DbErr>) {
        let is_unavailable = error.is_some();
        let has_changed =
            self.unavailable.send_if_modified(|unavailable| std::mem::replace(unavailable, is_unavailable) != is_unavailable);
        if has_changed {
            match error {
                Some(error) => {
                    tracing::error!(database.role = self.role, error = telemetry::with_causes(error), "database unavailable");
                }
                None => tracing::info!(database.role = self.role, "database available again"),
            }
        }
    }
}

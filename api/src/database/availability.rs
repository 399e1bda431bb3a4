//! Whether the database can be used, as far as this process knows: it responds, and its schema does not exclude this program.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use entity::{Failure, NEWEST_MIGRATION};
use sea_orm::DbErr;
use tokio::sync::{Notify, watch};

use super::CheckError;
use crate::error::ApiError;

/// Why the database cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    Unresponsive,
    SchemaTooNew,
}

/// Shared by everything that uses the database. It starts as available.
#[derive(Debug)]
pub struct Availability {
    /// What the database is called in logs.
    role: &'static str,
    outage: watch::Sender<Option<Outage>>,
    started: Instant,
    /// Milliseconds from `started` to the last response of the database.
    last_response: AtomicU64,
    /// Milliseconds from `started` until when the next check must have ended.
    check_due: AtomicU64,
    check_requested: Notify,
    corrupt: AtomicBool,
}

impl Availability {
    /// Of the database with this role: `primary` or `replica`.
    #[must_use]
    pub fn new(role: &'static str) -> Self {
        Self {
            role,
            outage: watch::Sender::new(None),
            started: Instant::now(),
            last_response: AtomicU64::new(0),
            check_due: AtomicU64::new(u64::MAX),
            check_requested: Notify::new(),
            corrupt: AtomicBool::new(false),
        }
    }

    /// Whether the last check succeeded and no connection has been lost since.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.outage.borrow().is_none()
    }

    /// Whether the last check found a schema that excludes this program.
    #[must_use]
    pub fn is_schema_too_new(&self) -> bool {
        *self.outage.borrow() == Some(Outage::SchemaTooNew)
    }

    /// Time since the last successful check.
    #[must_use]
    pub fn time_since_response(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last_response.load(Ordering::Relaxed)))
    }

    /// Whether the expected check was not performed: the process was frozen, and does not know what has changed since.
    #[must_use]
    pub fn is_check_overdue(&self) -> bool {
        self.check_due.load(Ordering::Relaxed) < to_milliseconds(self.started.elapsed())
    }

    /// Expects that the next check ends within this time.
    pub(crate) fn expect_check_within(&self, time: Duration) {
        self.check_due.store(to_milliseconds(self.started.elapsed() + time), Ordering::Relaxed);
    }

    /// Returns once the database is unavailable.
    pub async fn wait_until_unavailable(&self) {
        let mut outage = self.outage.subscribe();
        if outage.wait_for(Option::is_some).await.is_err() {
            // The sender lives in `self`.
            std::future::pending::<()>().await;
        }
    }

    /// Treats the database as unavailable until the next check, which is requested immediately: only a check can tell whether the
    /// server failed or one connection.
    pub fn report_lost_connection(&self, error: &DbErr) {
        self.record_unresponsive(error);
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
        if self.is_corrupt() {
            ApiError::DatabaseStillCorrupt
        } else if self.is_schema_too_new() {
            ApiError::SchemaTooNew
        } else {
            ApiError::DatabaseStillUnavailable
        }
    }

    /// Records the result of a check.
    pub(crate) fn record_check(&self, error: Option<&CheckError>) {
        match error {
            None => {
                self.last_response.store(to_milliseconds(self.started.elapsed()), Ordering::Relaxed);
                if self.set(None) {
                    tracing::info!(database.role = self.role, "database available again");
                }
            }
            Some(CheckError::Unresponsive(error)) => {
                self.record_unresponsive(error);
                if Failure::of(error) == Failure::Corrupt {
                    self.report_corruption(error);
                }
            }
            Some(CheckError::SchemaTooNew { required }) => {
                if self.set(Some(Outage::SchemaTooNew)) {
                    tracing::error!(
                        database.role = self.role,
                        schema.required = required,
                        schema.known = NEWEST_MIGRATION,
                        "schema too new: the database requires programs of a newer release"
                    );
                }
            }
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

    fn record_unresponsive(&self, error: &DbErr) {
        if self.set(Some(Outage::Unresponsive)) {
            tracing::error!(database.role = self.role, error = telemetry::with_causes(error), "database unavailable");
        }
    }

    /// Returns whether the state has changed.
    fn set(&self, outage: Option<Outage>) -> bool {
        self.outage.send_if_modified(|current| std::mem::replace(current, outage) != outage)
    }
}

fn to_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

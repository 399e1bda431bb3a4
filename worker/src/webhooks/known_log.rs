//! Detects that the database was restored from a backup, or has lost transactions in a failover: then receivers may have got changes that
//! the log no longer has.
//!
//! Only a process that runs before and after it can detect that: the positions in the rows were restored with the log.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use entity::{
    catalogue_version,
    change_log::{ChangePosition, cursor_after_release, is_of_log},
    webhook::WebhookHead,
};
use sea_orm::{DatabaseConnection, DbErr, prelude::Uuid};
use tokio::time::Instant;

/// How long the log must contradict the known one. Until then it may be that of a server that is behind, and no job is enqueued. The
/// programs of the API wait as long.
const CONFIRMATION_TIME: Duration = Duration::from_secs(10);

/// Whether a log continues the known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogState {
    /// It does.
    Continued,
    /// It does not, but has not done so for long.
    Contradicted,
    /// It was restored.
    Restored,
}

/// What a process knows about the log.
#[derive(Debug, Default)]
pub(super) struct KnownLog {
    end: Option<ChangePosition>,
    /// Up to where receivers may have got changes.
    reached: HashMap<Uuid, ChangePosition>,
    contradicted_since: Option<Instant>,
}

impl KnownLog {
    /// Compares the log with the known one.
    pub(super) async fn compare(
        &mut self,
        database: &DatabaseConnection,
        catalogue: &catalogue_version::Model,
    ) -> Result<LogState, DbErr> {
        let is_continued = match self.end {
            Some(end) => is_of_log(database, catalogue, end).await?,
            None => true,
        };
        if is_continued {
            self.contradicted_since = None;
            return Ok(LogState::Continued);
        }
        let since = *self.contradicted_since.get_or_insert_with(Instant::now);
        Ok(if since.elapsed() < CONFIRMATION_TIME { LogState::Contradicted } else { LogState::Restored })
    }

    /// The endpoints that may have got changes that the log no longer has.
    pub(super) async fn find_lost(
        &self,
        database: &DatabaseConnection,
        catalogue: &catalogue_version::Model,
    ) -> Result<Vec<Uuid>, DbErr> {
        let mut lost = Vec::new();
        for (id, position) in &self.reached {
            if !is_of_log(database, catalogue, *position).await? {
                lost.push(*id);
            }
        }
        Ok(lost)
    }

    /// Must be called before jobs are enqueued: in them, the endpoints that are due may get all changes.
    pub(super) fn record(&mut self, catalogue: &catalogue_version::Model, heads: &[WebhookHead], due: &[Uuid]) {
        let end = cursor_after_release(catalogue).sort_key;
        let due: HashSet<Uuid> = due.iter().copied().collect();
        let reached = |head: &WebhookHead| if due.contains(&head.id) { end } else { head.reached() };
        self.reached = heads.iter().map(|head| (head.id, reached(head))).collect();
        self.end = Some(end);
    }
}

//! Finds the endpoints that have something to receive, and enqueues their jobs.
//!
//! Every worker does so, from the state of the rows alone: a job that exists is not enqueued again, and one that was missed is enqueued
//! the next time. The changes of a release are read once for all endpoints that are at the end of the log, so that a release that concerns
//! none of them costs no job.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use entity::{
    UtcInstant, catalogue_version,
    change_log::{ChangeCursor, ChangesQuery, LoggedChange},
    database_now, deadline, is_unavailable,
    job::{WebhookJob, queue},
    sql::begin_snapshot,
    webhook::{self, WebhookHead, WebhookSelection},
};
use sea_orm::{DatabaseConnection, DbErr, prelude::Uuid};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    known_log::{KnownLog, LogState},
    source::read,
};
use crate::database::RECONNECT_PAUSE;

/// How often the version of the catalogue is read.
const POLL_PAUSE: Duration = Duration::from_millis(200);
/// How often all endpoints are looked at without a new version: attempts that are due, and jobs that were missed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Changes that are read for endpoints at one position. Those that are further behind have a job, which reads what it selects.
const MAX_CHANGES: u64 = 1_000;
/// Bytes of the states of those changes.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Endpoints with filters, of up to 64 KiB each, that are in memory at the same time.
const SELECTIONS: usize = 50;
/// Positions at which endpoints are looked at. Usually all are at the same one.
const MAX_POSITIONS: usize = 8;
/// How often positions are stored of endpoints that select nothing, so that they do not seem to be behind.
const STORE_INTERVAL: Duration = Duration::from_secs(10);

/// Enqueues jobs until `shutdown` is cancelled.
pub async fn run(database: DatabaseConnection, wake: Arc<Notify>, shutdown: CancellationToken) {
    shutdown.run_until_cancelled(Dispatcher::new(database, wake).run()).await;
}

/// What a worker knows about the endpoints.
struct Dispatcher {
    database: DatabaseConnection,
    wake: Arc<Notify>,
    /// Up to where the log was examined for endpoints at one position, which select nothing there.
    examined: HashMap<Uuid, Examined>,
    stored_at: Instant,
    known: KnownLog,
    /// The revisions of endpoints with filters that this program cannot read.
    unreadable: HashMap<Uuid, i64>,
}

/// What was examined for an endpoint.
#[derive(Clone, Copy, Debug)]
struct Examined {
    from: ChangeCursor,
    to: ChangeCursor,
}

/// The endpoints at the same position, by its order.
type Positions = BTreeMap<(i64, i32), (ChangeCursor, Vec<WebhookHead>)>;

impl Dispatcher {
    fn new(database: DatabaseConnection, wake: Arc<Notify>) -> Self {
        let (known, stored_at) = (KnownLog::default(), Instant::now());
        Self { database, wake, examined: HashMap::new(), stored_at, known, unreadable: HashMap::new() }
    }

    async fn run(mut self) {
        let (mut version, mut checked_at, mut is_unavailable) = (None, None::<Instant>, false);
        loop {
            let pause = match self.check(version, checked_at).await {
                Ok(Some(current)) => {
                    (version, checked_at) = (Some(current), Some(Instant::now()));
                    is_unavailable = false;
                    POLL_PAUSE
                }
                Ok(None) => POLL_PAUSE,
                // The outage is logged where jobs are claimed.
                Err(error) => {
                    if !std::mem::replace(&mut is_unavailable, true) {
                        tracing::debug!(error = telemetry::with_causes(&error), "webhooks cannot be dispatched, retrying");
                    }
                    RECONNECT_PAUSE
                }
            };
            sleep(pause.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
        }
    }

    /// Enqueues what is due, if there is a new version or the last time was long ago. Returns the version if it did.
    async fn check(&mut self, last: Option<i64>, checked_at: Option<Instant>) -> Result<Option<i64>, DbErr> {
        let database = self.database.clone();
        let version = deadline::within(deadline::SHORT, &database, catalogue_version::fetch_version(&database)).await?;
        let is_recent = checked_at.is_some_and(|at| at.elapsed() < CHECK_INTERVAL);
        if last == Some(version) && is_recent {
            return Ok(None);
        }
        let (catalogue, mut heads, now) = deadline::within(deadline::SHORT, &database, read_heads(&database)).await?;
        let state = deadline::within(deadline::SHORT, &database, self.known.compare(&database, &catalogue)).await?;
        if state == LogState::Contradicted {
            return Ok(None);
        }
        // A delivery that began before the restore may have written a position after it.
        let end = catalogue.version;
        let mut lost: Vec<Uuid> = heads.iter().filter(|head| head.reached().version > end).map(|head| head.id).collect();
        if state == LogState::Restored {
            tracing::warn!(catalogue.version = end, "database restored: webhooks that got changes that were lost are disabled");
            lost.extend(deadline::within(deadline::SHORT, &database, self.known.find_lost(&database, &catalogue)).await?);
            self.examined.clear();
        }
        if !lost.is_empty() {
            deadline::within(deadline::SHORT, &database, webhook::disable_expired(&database, &lost, now)).await?;
            heads.retain(|head| !lost.contains(&head.id));
        }
        self.dispatch(heads, &catalogue, now).await?;
        Ok(Some(end))
    }

    async fn dispatch(
        &mut self,
        heads: Vec<WebhookHead>,
        catalogue: &catalogue_version::Model,
        now: UtcInstant,
    ) -> Result<(), DbErr> {
        let by_id: HashMap<Uuid, &WebhookHead> = heads.iter().map(|head| (head.id, head)).collect();
        self.examined.retain(|id, examined| by_id.get(id).is_some_and(|head| head.position() == examined.from));
        self.unreadable.retain(|id, revision| by_id.get(id).is_some_and(|head| head.revision == *revision));
        let delivering = heads.iter().filter(|head| head.batch_id.is_some() && head.is_due(now));
        let mut due: Vec<Uuid> = delivering.map(|head| head.id).collect();
        for (index, (start, heads)) in self.group_idle(&heads, catalogue.version).into_values().rev().enumerate() {
            if index < MAX_POSITIONS {
                due.extend(self.examine(start, heads).await?);
            } else {
                due.extend(heads.into_iter().map(|head| head.id));
            }
        }
        self.known.record(catalogue, &heads, &due);
        let database = self.database.clone();
        for webhook in due {
            let job = WebhookJob { webhook };
            let enqueuing = queue::enqueue(&database, &job);
            if deadline::within(deadline::SHORT, &database, enqueuing).await?.is_some() {
                self.wake.notify_one();
            }
        }
        self.store_positions().await
    }

    /// The endpoints without a batch that are not at the end of the log.
    fn group_idle(&self, heads: &[WebhookHead], version: i64) -> Positions {
        let mut positions = Positions::new();
        for head in heads.iter().filter(|head| head.batch_id.is_none() && !self.unreadable.contains_key(&head.id)) {
            let start = self.examined.get(&head.id).map_or_else(|| head.position(), |examined| examined.to);
            if start.sort_key.order() < (version, i32::MAX) {
                positions.entry(start.sort_key.order()).or_insert_with(|| (start, Vec::new())).1.push(head.clone());
            }
        }
        positions
    }

    /// The endpoints that select something after a position, or are too far behind it.
    async fn examine(&mut self, start: ChangeCursor, heads: Vec<WebhookHead>) -> Result<Vec<Uuid>, DbErr> {
        let query = ChangesQuery::all_after(start, MAX_CHANGES);
        let query = ChangesQuery { has_fields: false, max_bytes: MAX_BYTES, ..query };
        let page = match deadline::within(deadline::SHORT, &self.database, read(&self.database, &query)).await {
            Ok(page) => page.filter(|page| page.is_last),
            Err(error) if is_unavailable(&error) => return Err(error),
            // One row that this program cannot read, of a later release. Only endpoints that select it wait for a worker that can.
            Err(error) => {
                tracing::debug!(error = telemetry::with_causes(&error), "changes cannot be read");
                None
            }
        };
        let Some(page) = page else { return Ok(heads.into_iter().map(|head| head.id).collect()) };
        let states: Vec<_> = page.rows.iter().map(LoggedChange::states).collect();
        let mut due = Vec::new();
        for heads in heads.chunks(SELECTIONS) {
            let ids = heads.iter().map(|head| head.id).collect();
            let selections = if page.rows.is_empty() {
                HashMap::new()
            } else {
                deadline::within(deadline::SHORT, &self.database, webhook::list_selections(&self.database, ids)).await?
            };
            for head in heads {
                let selects = |selection: WebhookSelection| {
                    let query = selection.into_query(start, MAX_CHANGES);
                    let mut changes = page.rows.iter().zip(&states);
                    changes.any(|(row, states)| query.selects(row.kind, &row.provider, states.as_ref()))
                };
                // Without changes, or if the endpoint was deleted, it selects nothing.
                match selections.get(&head.id).map_or(Ok(false), |text| serde_json::from_str(text).map(selects)) {
                    Ok(true) => due.push(head.id),
                    Ok(false) => {
                        self.examined.insert(head.id, Examined { from: head.position(), to: page.next });
                    }
                    Err(_) => {
                        tracing::error!(webhook.id = %head.id, "a later release wrote the filters of a webhook; deploy it to all workers");
                        self.unreadable.insert(head.id, head.revision);
                    }
                }
            }
        }
        Ok(due)
    }

    /// Stores the positions of endpoints that select nothing.
    async fn store_positions(&mut self) -> Result<(), DbErr> {
        if self.examined.is_empty() || self.stored_at.elapsed() < STORE_INTERVAL {
            return Ok(());
        }
        self.stored_at = Instant::now();
        let mut moves: Vec<(Examined, Vec<Uuid>)> = Vec::new();
        for (id, examined) in std::mem::take(&mut self.examined) {
            match moves.iter_mut().find(|(known, _)| known.from == examined.from && known.to == examined.to) {
                Some((_, ids)) => ids.push(id),
                None => moves.push((examined, vec![id])),
            }
        }
        for (Examined { from, to }, ids) in moves {
            let advancing = webhook::advance(&self.database, ids, from, to);
            deadline::within(deadline::SHORT, &self.database, advancing).await?;
        }
        Ok(())
    }
}

/// The catalogue and the active endpoints of one snapshot, and the time.
async fn read_heads(database: &DatabaseConnection) -> Result<(catalogue_version::Model, Vec<WebhookHead>, UtcInstant), DbErr> {
    let snapshot = begin_snapshot(database).await?;
    let catalogue = catalogue_version::fetch(&snapshot).await?;
    let (heads, now) = (webhook::list_active(&snapshot).await?, database_now(&snapshot).await?);
    // Not a rollback, which would close the connection.
    snapshot.commit().await?;
    Ok((catalogue, heads, now))
}

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
    change_log::{ChangeCursor, ChangesQuery},
    database_now, deadline,
    job::{WebhookJob, queue},
    webhook::{self, WebhookHead, WebhookSelection},
};
use sea_orm::{DatabaseConnection, DbErr, prelude::Uuid};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::source::read;
use crate::database::RECONNECT_PAUSE;

/// How often the version of the catalogue is read.
const POLL_PAUSE: Duration = Duration::from_millis(200);
/// How often all endpoints are looked at without a new version: attempts that are due, and jobs that were missed.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Changes that are read for endpoints at one position. Those that are further behind have a job, which reads what it selects.
const MAX_CHANGES: u64 = 1_000;
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
}

/// What was examined for an endpoint.
#[derive(Clone, Copy, Debug)]
struct Examined {
    from: ChangeCursor,
    to: ChangeCursor,
}

impl Dispatcher {
    fn new(database: DatabaseConnection, wake: Arc<Notify>) -> Self {
        Self { database, wake, examined: HashMap::new(), stored_at: Instant::now() }
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
        let reading = async { Ok::<_, DbErr>((webhook::list_active(&database).await?, database_now(&database).await?)) };
        let (heads, now) = deadline::within(deadline::SHORT, &database, reading).await?;
        self.dispatch(heads, version, now).await?;
        Ok(Some(version))
    }

    async fn dispatch(&mut self, heads: Vec<WebhookHead>, version: i64, now: UtcInstant) -> Result<(), DbErr> {
        self.examined.retain(|id, examined| heads.iter().any(|head| head.id == *id && head.position() == examined.from));
        let (delivering, idle): (Vec<_>, Vec<_>) = heads.into_iter().partition(|head| head.batch_id.is_some());
        let mut due: Vec<Uuid> = delivering.iter().filter(|head| head.is_due(now)).map(|head| head.id).collect();
        let mut positions: BTreeMap<(i64, i32), (ChangeCursor, Vec<WebhookHead>)> = BTreeMap::new();
        for head in idle {
            let start = self.examined.get(&head.id).map_or_else(|| head.position(), |examined| examined.to);
            if start.sort_key.order() < (version, i32::MAX) {
                positions.entry(start.sort_key.order()).or_insert_with(|| (start, Vec::new())).1.push(head);
            }
        }
        for (index, (start, heads)) in positions.into_values().rev().enumerate() {
            if index < MAX_POSITIONS {
                due.extend(self.examine(start, heads).await?);
            } else {
                due.extend(heads.into_iter().map(|head| head.id));
            }
        }
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

    /// The endpoints that select something after a position, or are too far behind it.
    async fn examine(&mut self, start: ChangeCursor, heads: Vec<WebhookHead>) -> Result<Vec<Uuid>, DbErr> {
        let query = ChangesQuery::all_after(start, MAX_CHANGES);
        let page = deadline::within(deadline::SHORT, &self.database, read(&self.database, &query)).await?;
        let Some(page) = page.filter(|page| page.is_last) else { return Ok(heads.into_iter().map(|head| head.id).collect()) };
        let states: Vec<_> = page.rows.iter().map(entity::change_log::LoggedChange::states).collect();
        let mut due = Vec::new();
        for head in heads {
            let from = head.position();
            // One that this program cannot read waits for a worker of a later release.
            let Ok(selection) = serde_json::from_str::<WebhookSelection>(&head.selection) else { continue };
            let query = selection.into_query(start, MAX_CHANGES);
            let mut changes = page.rows.iter().zip(&states);
            if changes.any(|(row, states)| query.selects(row.kind, &row.provider, states.as_ref())) {
                due.push(head.id);
            } else {
                self.examined.insert(head.id, Examined { from, to: page.next });
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

//! When each provider is polled.
//!
//! tokio-cron-scheduler fires the ticks; it would let runs of one provider overlap and would not wait for them at the end, so
//! both are seen to here. A tick that falls into a running sync is dropped: the run under way, or the next tick, does its work.

use std::{sync::Arc, time::Duration};

use entity::{UtcInstant, provider};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use tokio::sync::Semaphore;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    provider::{entry::ProviderEntry, fetch::Client},
    sync::{self, Source},
};

/// How long running syncs may take to end once the process was told to stop: platforms kill after 30 seconds by default.
const DRAIN_TIME: Duration = Duration::from_secs(25);

/// Why nothing can be scheduled.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The scheduler does not start.
    #[error("the scheduler does not start")]
    Scheduler(#[from] JobSchedulerError),
    /// The copy's state cannot be read.
    #[error("the providers cannot be read from the database")]
    Database(#[from] DbErr),
}

/// One provider that is polled, at most once at a time in this process.
struct Poller {
    database: DatabaseConnection,
    entry: ProviderEntry,
    source: Source,
    turn: Arc<Semaphore>,
    runs: TaskTracker,
}

impl Poller {
    /// Begins a sync unless one is running.
    fn poll(self: &Arc<Self>) {
        let Ok(turn) = self.turn.clone().try_acquire_owned() else {
            tracing::warn!(provider = self.entry.slug, "tick dropped: the sync of an earlier tick is still running");
            return;
        };
        let poller = self.clone();
        self.runs.spawn(async move {
            // The outcome is in the ledger and the log; the next tick is the retry.
            let _ended = sync::sync(&poller.database, &poller.entry, &poller.source).await;
            drop(turn);
        });
    }
}

/// Polls every provider on its schedule until `shutdown` is cancelled, then waits for the syncs that have begun. A provider
/// that was never copied is polled at once. Answers whether all syncs ended within the drain time.
///
/// # Errors
///
/// When the scheduler does not start or the database is away at the start.
pub async fn run(
    database: &DatabaseConnection,
    providers: Vec<ProviderEntry>,
    client: &Client,
    shutdown: CancellationToken,
) -> Result<bool, ScheduleError> {
    let mut scheduler = JobScheduler::new().await?;
    let runs = TaskTracker::new();
    for entry in providers {
        let poller = Arc::new(Poller {
            database: database.clone(),
            entry,
            source: Source::Provider(client.clone()),
            turn: Arc::new(Semaphore::new(1)),
            runs: runs.clone(),
        });
        if !was_ever_copied(database, &poller.entry).await? {
            poller.poll();
        }
        let schedule = poller.entry.schedule.to_string();
        let tick = Job::new_async(schedule, move |_, _| {
            poller.poll();
            Box::pin(std::future::ready(()))
        })?;
        scheduler.add(tick).await?;
    }
    scheduler.start().await?;

    shutdown.cancelled().await;
    if let Err(error) = scheduler.shutdown().await {
        // The syncs that have begun are waited for all the same.
        tracing::error!(error = telemetry::with_causes(&error), "the scheduler does not stop");
    }
    runs.close();
    let drained = tokio::time::timeout(DRAIN_TIME, runs.wait()).await.is_ok();
    if !drained {
        tracing::error!(syncs = runs.len(), "syncs did not end within the drain time; nothing of them is kept");
    }
    Ok(drained)
}

async fn was_ever_copied(database: &DatabaseConnection, entry: &ProviderEntry) -> Result<bool, DbErr> {
    let last_success: Option<UtcInstant> = provider::Entity::find()
        .filter(provider::COLUMN.slug.eq(entry.slug.as_str()))
        .one(database)
        .await?
        .and_then(|provider| provider.last_success_at);
    Ok(last_success.is_some())
}

//! When each provider is polled.
//!
//! tokio-cron-scheduler is only the clock: a [`tick`] enqueues a job, so that syncs do not overlap and none is lost when the process
//! ends. The cron schedule, and not the moment at which the clock fired, decides which tick it is, so that all workers agree.

pub mod tick;

use std::{sync::Arc, time::Duration};

use entity::{UtcInstant, job::queue, provider};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use tokio::sync::{Notify, Semaphore};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use self::tick::{TickOutcome, enqueue_tick};
use crate::{jobs::cleanup::CleanupJob, provider::entry::ProviderEntry};

/// The pause before a tick is tried again when the database is unavailable.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// The pause before a tick is tried again when another worker has locked the provider's row.
const LOCKED_PAUSE: Duration = Duration::from_millis(200);
/// When old rows are deleted: hourly, at an uncommon minute.
const CLEANUP_SCHEDULE: &str = "0 17 * * * *";

/// Ticks of this process that are enqueued at the same time: hundreds can fall on one second, and running jobs need the pool's
/// connections too.
static TICK_SLOTS: Semaphore = Semaphore::const_new(2);
/// Pending notifications of the scheduler. It sends several for each tick, every provider may tick in the same second, and the
/// excess is lost.
const NOTIFICATIONS: usize = 16_384;

/// Why the schedules cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The scheduler failed.
    #[error("the scheduler could not be started")]
    Scheduler(#[from] JobSchedulerError),
    /// The state of the providers cannot be read.
    #[error("the providers could not be read from the database")]
    Database(#[from] DbErr),
}

/// Running schedules.
#[expect(missing_debug_implementations, reason = "the scheduler does not implement it")]
pub struct Schedules(JobScheduler);

impl Schedules {
    /// Stops all schedules.
    pub async fn stop(mut self) {
        if let Err(error) = self.0.shutdown().await {
            tracing::error!(error = telemetry::with_causes(&error), "the scheduler could not be stopped");
        }
    }
}

/// The schedule of one provider.
struct Ticker {
    database: DatabaseConnection,
    entry: ProviderEntry,
    wake: Arc<Notify>,
    shutdown: CancellationToken,
    turn: Semaphore,
}

/// Enqueues every provider's ticks until `shutdown` is cancelled. The last tick that was missed while no worker ran, and the first
/// copy of a provider, are enqueued immediately.
///
/// # Errors
///
/// When the scheduler fails or the database is unavailable at the start.
pub async fn start(
    database: &DatabaseConnection,
    providers: &[ProviderEntry],
    wake: &Arc<Notify>,
    shutdown: &CancellationToken,
) -> Result<Schedules, ScheduleError> {
    let scheduler = JobScheduler::new_with_channel_size(NOTIFICATIONS).await?;
    for entry in providers {
        let ticker = Arc::new(Ticker {
            database: database.clone(),
            entry: entry.clone(),
            wake: wake.clone(),
            shutdown: shutdown.clone(),
            turn: Semaphore::new(1),
        });
        ticker.catch_up().await?;
        let fired = Job::new_async(entry.schedule.to_string(), move |_, _| {
            let ticker = ticker.clone();
            // As a task: the scheduler's clock must not wait for a database.
            tokio::spawn(async move { ticker.tick().await });
            Box::pin(std::future::ready(()))
        })?;
        scheduler.add(fired).await?;
    }
    scheduler.add(cleanup_schedule(database.clone(), wake.clone())?).await?;
    scheduler.start().await?;
    Ok(Schedules(scheduler))
}

/// The schedule of the cleanup. A missed tick is covered by the next one.
fn cleanup_schedule(database: DatabaseConnection, wake: Arc<Notify>) -> Result<Job, JobSchedulerError> {
    Job::new_async(CLEANUP_SCHEDULE, move |_, _| {
        let (database, wake) = (database.clone(), wake.clone());
        tokio::spawn(async move {
            match queue::enqueue(&database, &CleanupJob {}).await {
                Ok(_) => wake.notify_one(),
                Err(error) => tracing::warn!(error = telemetry::with_causes(&error), "the cleanup could not be enqueued"),
            }
        });
        Box::pin(std::future::ready(()))
    })
}

impl Ticker {
    /// Enqueues the last tick, if it was missed.
    async fn catch_up(self: &Arc<Self>) -> Result<(), DbErr> {
        let slug = self.entry.slug.as_str();
        let stored = provider::Entity::find().filter(provider::COLUMN.slug.eq(slug)).one(&self.database).await?;
        let (handled, was_copied) = stored.map_or((None, false), |provider| {
            (provider.last_tick_at.max(provider.last_success_at), provider.last_success_at.is_some())
        });
        let last = self.entry.schedule.last_at(UtcInstant::now());
        let tick = match last {
            Some(last) if handled.is_none_or(|handled| handled < last) => Some(last),
            _ if was_copied => return Ok(()),
            _ => None,
        };
        if enqueue_tick(&self.database, &self.entry, tick).await? == TickOutcome::Locked {
            // Another worker writes this provider's copy; the other providers must not wait for that.
            let ticker = self.clone();
            tokio::spawn(async move { ticker.tick().await });
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Enqueues the newest tick. If an earlier call still waits for the database, this one returns: the waiting call reads the clock
    /// again before each try.
    async fn tick(&self) {
        let Ok(_turn) = self.turn.try_acquire() else { return };
        let mut is_logged = false;
        loop {
            let Ok(slot) = TICK_SLOTS.acquire().await else { return };
            let Some(tick) = self.entry.schedule.last_at(UtcInstant::now()) else { return };
            let outcome = enqueue_tick(&self.database, &self.entry, Some(tick)).await;
            drop(slot);
            let pause = match outcome {
                Ok(TickOutcome::Locked) => LOCKED_PAUSE,
                Ok(outcome) => {
                    tracing::debug!(provider.slug = self.entry.slug, tick.at = tick.0, tick.outcome = ?outcome, "tick handled");
                    self.wake.notify_one();
                    if self.entry.schedule.last_at(UtcInstant::now()) == Some(tick) {
                        return;
                    }
                    continue;
                }
                Err(error) => {
                    if !is_logged {
                        let error = telemetry::with_causes(&error);
                        tracing::warn!(provider.slug = self.entry.slug, error, "the tick could not be enqueued, retrying");
                        is_logged = true;
                    }
                    RECONNECT_PAUSE
                }
            };
            if self.shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }
}

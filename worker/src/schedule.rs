//! When each provider is polled.
//!
//! tokio-cron-scheduler is the clock and nothing else: a tick only enqueues a job, so no sync overlaps another and none is lost
//! when the process ends. Which tick it is says the schedule, not the moment at which the clock fired, so that it is the same
//! on every worker. What the job does is `jobs`' business.

use std::{sync::Arc, time::Duration};

use entity::{UtcInstant, provider};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use tokio::sync::{Notify, Semaphore};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::{
    jobs::{
        tick::{Enqueued, enqueue_tick},
        tidying,
    },
    provider::entry::ProviderEntry,
};

/// How long to wait for a database that is away, before the tick is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// How long to wait for another worker that is at the provider's row: it enqueues the same tick or writes the copy.
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// Ticks of this process that are enqueued at the same time: hundreds fall on one second, and the runner needs the pool's connections to
/// answer them meanwhile.
static TURNS: Semaphore = Semaphore::const_new(2);
/// Notices that the scheduler may leave unread. It sends several for each tick, and every provider of the file may tick in one second;
/// what goes over is lost.
const NOTICES: usize = 16_384;

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

/// Schedules that fire.
#[expect(missing_debug_implementations, reason = "the scheduler has none")]
pub struct Ticking(JobScheduler);

impl Ticking {
    /// Lets no tick fire any more.
    pub async fn end(mut self) {
        if let Err(error) = self.0.shutdown().await {
            tracing::error!(error = telemetry::with_causes(&error), "the scheduler does not stop");
        }
    }
}

/// The ticks of one provider.
struct Ticker {
    database: DatabaseConnection,
    entry: ProviderEntry,
    wake: Arc<Notify>,
    shutdown: CancellationToken,
    turn: Semaphore,
}

/// Enqueues every provider's ticks until `shutdown` is cancelled. A tick that nobody answered while no worker ran is enqueued at
/// once, the last one of them; so is the first copy of a provider.
///
/// # Errors
///
/// When the scheduler does not start or the database is away at the start.
pub async fn start(
    database: &DatabaseConnection,
    providers: &[ProviderEntry],
    wake: &Arc<Notify>,
    shutdown: &CancellationToken,
) -> Result<Ticking, ScheduleError> {
    let scheduler = JobScheduler::new_with_channel_size(NOTICES).await?;
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
            // In a task of its own: the scheduler's clock must not wait for a database.
            tokio::spawn(async move { ticker.tick().await });
            Box::pin(std::future::ready(()))
        })?;
        scheduler.add(fired).await?;
    }
    scheduler.add(tidying(database.clone(), wake.clone())?).await?;
    scheduler.start().await?;
    Ok(Ticking(scheduler))
}

/// The ticks of what is done for the whole deployment. One that is missed is answered by the next.
fn tidying(database: DatabaseConnection, wake: Arc<Notify>) -> Result<Job, JobSchedulerError> {
    Job::new_async(tidying::SCHEDULE, move |_, _| {
        let (database, wake) = (database.clone(), wake.clone());
        tokio::spawn(async move {
            match tidying::enqueue(&database).await {
                Ok(()) => wake.notify_one(),
                Err(error) => tracing::warn!(error = telemetry::with_causes(&error), "a tick cannot be enqueued"),
            }
        });
        Box::pin(std::future::ready(()))
    })
}

impl Ticker {
    /// Answers what was missed.
    async fn catch_up(self: &Arc<Self>) -> Result<(), DbErr> {
        let slug = self.entry.slug.as_str();
        let known = provider::Entity::find().filter(provider::COLUMN.slug.eq(slug)).one(&self.database).await?;
        let (answered, was_copied) = known.map_or((None, false), |provider| {
            (provider.last_tick_at.max(provider.last_success_at), provider.last_success_at.is_some())
        });
        let last = self.entry.schedule.last_at(UtcInstant::now());
        let tick = match last {
            Some(last) if answered.is_none_or(|answered| answered < last) => Some(last),
            _ if was_copied => return Ok(()),
            _ => None,
        };
        if enqueue_tick(&self.database, &self.entry, tick).await? == Enqueued::Busy {
            // Another worker writes this provider's copy; the others do not wait for that.
            let ticker = self.clone();
            tokio::spawn(async move { ticker.tick().await });
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Answers the newest tick. While an earlier one still waits for the database this one has nothing to do: what waits looks at
    /// the clock each time.
    async fn tick(&self) {
        let Ok(_turn) = self.turn.try_acquire() else { return };
        let mut is_told = false;
        loop {
            let Ok(turn) = TURNS.acquire().await else { return };
            let Some(tick) = self.entry.schedule.last_at(UtcInstant::now()) else { return };
            let enqueued = enqueue_tick(&self.database, &self.entry, Some(tick)).await;
            drop(turn);
            let pause = match enqueued {
                Ok(Enqueued::Busy) => BUSY_PAUSE,
                Ok(enqueued) => {
                    tracing::debug!(provider = self.entry.slug, tick = tick.0, ?enqueued, "tick");
                    self.wake.notify_one();
                    if self.entry.schedule.last_at(UtcInstant::now()) == Some(tick) {
                        return;
                    }
                    continue;
                }
                Err(error) => {
                    if !is_told {
                        tracing::warn!(
                            provider = self.entry.slug,
                            error = telemetry::with_causes(&error),
                            "a tick cannot be enqueued; trying again until it can"
                        );
                        is_told = true;
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

//! When each provider is polled.
//!
//! A [`tick`] only enqueues a job, so that syncs do not overlap and none is lost when the process ends. Ticks occur by the database's clock,
//! so that all workers agree on them, whatever their own clocks show ([ADR 28](../../../docs/adr/0028-clocks.md)).

mod clock;
mod due;
pub mod tick;

use std::{convert::Infallible, sync::Arc, time::Duration};

use entity::{Schedule, UtcInstant, database_now, deadline, job::queue, provider};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    clock::ClockWatch,
    due::DueTimes,
    tick::{TickOutcome, enqueue_tick, forget_future_tick},
};
use crate::{
    backfill::totals::Totals,
    database::RECONNECT_PAUSE,
    jobs::{backfill::BackfillJob, boundary::BoundaryJob, cleanup::CleanupJob},
    provider::entry::ProviderEntry,
    reload::Providers,
};

/// How often the database's clock is read at least: so that a clock that is set is detected within this time. It is one query for all
/// providers.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);
/// The pause before a tick is tried again when another worker has locked the provider's row.
const LOCKED_PAUSE: Duration = Duration::from_millis(200);
/// When old rows are deleted: hourly, at an uncommon minute. A missed tick is covered by the next one.
const CLEANUP_SCHEDULE: &str = "0 17 * * * *";
/// When to look for boundaries that have passed: sales begin on the minute, and visitors wait for them. It reads one row of an index.
const BOUNDARY_SCHEDULE: &str = "* * * * * *";
/// When to look for totals that are not valid: until they are, calendars read more rows. It reads one row of each provider.
const TOTALS_SCHEDULE: &str = "33 * * * * *";

/// Ticks of this process that are enqueued at the same time: hundreds can fall on one second, and running jobs need the pool's
/// connections too.
static TICK_SLOTS: Semaphore = Semaphore::const_new(2);

/// Why the schedules cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The state of the providers cannot be read.
    #[error("the providers could not be read from the database")]
    Database(#[from] DbErr),
}

/// Running schedules.
#[derive(Debug)]
#[must_use = "the schedules are stopped when this is dropped"]
pub struct Schedules {
    _stop: DropGuard,
}

/// What occurs on a schedule.
enum Task {
    /// Wakes the ticker of a provider.
    Poll(Arc<Notify>),
    Enqueue(ScheduledJob),
}

/// A job of which one is enough for the whole deployment.
#[derive(Clone, Copy, Debug)]
enum ScheduledJob {
    Cleanup,
    Boundary,
    Totals,
}

/// Enqueues the ticks of one provider.
struct Ticker {
    database: DatabaseConnection,
    entry: ProviderEntry,
    /// Notified when a tick occurs. A notification during the handling of another tick is not lost.
    due: Arc<Notify>,
    /// Notified when a job was enqueued.
    wake: Arc<Notify>,
}

/// Enqueues every provider's ticks until `shutdown` is cancelled. The last tick that was missed while no worker ran, and the first
/// copy of a provider, are enqueued immediately.
///
/// # Errors
///
/// When the database is unavailable at the start.
pub async fn start(
    database: &DatabaseConnection,
    providers: &[ProviderEntry],
    wake: &Arc<Notify>,
    shutdown: &CancellationToken,
) -> Result<Schedules, ScheduleError> {
    let stop = shutdown.child_token();
    let schedules = Schedules { _stop: stop.clone().drop_guard() };
    let now = database_now(database).await?;
    let mut tasks = Vec::with_capacity(providers.len() + 3);
    for entry in providers {
        let due = Arc::new(Notify::new());
        let ticker = Ticker { database: database.clone(), entry: entry.clone(), due: due.clone(), wake: wake.clone() };
        deadline::within(deadline::BULK, database, ticker.catch_up()).await?;
        let stop = stop.clone();
        tokio::spawn(async move { ticker.run(&stop).await });
        tasks.push((DueTimes::new(entry.schedule.clone(), now), Task::Poll(due)));
    }
    for (schedule, job) in [
        (CLEANUP_SCHEDULE, ScheduledJob::Cleanup),
        (BOUNDARY_SCHEDULE, ScheduledJob::Boundary),
        (TOTALS_SCHEDULE, ScheduledJob::Totals),
    ] {
        let schedule: Schedule = schedule.parse().map_err(DbErr::Custom)?;
        tasks.push((DueTimes::new(schedule, now), Task::Enqueue(job)));
    }
    let (clock, wake) = (ClockWatch::new(database.clone()), wake.clone());
    tokio::spawn(async move { stop.run_until_cancelled(run(clock, tasks, &wake)).await });
    Ok(schedules)
}

impl Schedules {
    /// Replaces the schedules with each change of the providers, and never returns.
    pub async fn follow(
        mut self,
        database: &DatabaseConnection,
        mut providers: watch::Receiver<Providers>,
        wake: &Arc<Notify>,
        shutdown: &CancellationToken,
    ) -> Infallible {
        while providers.changed().await.is_ok() {
            let current = providers.borrow_and_update().clone();
            self = loop {
                match start(database, &current, wake, shutdown).await {
                    Ok(schedules) => break schedules,
                    // An outage is logged where jobs are claimed.
                    Err(error) => {
                        tracing::debug!(error = telemetry::with_causes(&error), "the schedules could not be changed, retrying");
                        sleep(RECONNECT_PAUSE).await;
                    }
                }
            };
        }
        std::future::pending().await
    }
}

/// Starts tasks when they are due. The pauses are of monotonic time: only the database's clock decides what is due.
async fn run(mut clock: ClockWatch, mut tasks: Vec<(DueTimes, Task)>, wake: &Arc<Notify>) {
    loop {
        let Some(now) = clock.read().await else {
            sleep(RECONNECT_PAUSE).await;
            continue;
        };
        let mut pause = CLOCK_INTERVAL;
        for (due, task) in &mut tasks {
            if let Some(tick) = due.advance(now) {
                task.start(tick, clock.database(), wake);
            }
            pause = pause.min(due.until_next(now));
        }
        sleep(pause).await;
    }
}

impl Task {
    /// Returns immediately: the other schedules must not wait for a locked row.
    fn start(&self, tick: UtcInstant, database: &DatabaseConnection, wake: &Arc<Notify>) {
        match self {
            Self::Poll(due) => due.notify_one(),
            Self::Enqueue(job) => {
                let (job, database, wake) = (*job, database.clone(), wake.clone());
                tokio::spawn(async move {
                    match deadline::within(deadline::SHORT, &database, job.enqueue(&database, tick)).await {
                        Ok(_) => wake.notify_one(),
                        Err(error) => {
                            let error = telemetry::with_causes(&error);
                            tracing::warn!(job = ?job, error, "a scheduled job could not be enqueued");
                        }
                    }
                });
            }
        }
    }
}

impl ScheduledJob {
    async fn enqueue(self, database: &DatabaseConnection, tick: UtcInstant) -> Result<Option<i64>, DbErr> {
        match self {
            Self::Cleanup => queue::enqueue(database, &CleanupJob::new(tick)).await,
            Self::Boundary => BoundaryJob::enqueue_if_due(database, tick).await,
            Self::Totals => BackfillJob::<Totals>::enqueue_if_due(database).await,
        }
    }
}

impl Ticker {
    /// Enqueues the last tick, if it was missed.
    async fn catch_up(&self) -> Result<(), DbErr> {
        let slug = self.entry.slug.as_str();
        let stored = provider::Entity::find().filter(provider::COLUMN.slug.eq(slug)).one(&self.database).await?;
        // After the row: another worker may have handled a tick since the start, which must not seem to be in the future.
        let now = database_now(&self.database).await?;
        if let Some(provider) = &stored {
            forget_future_tick(&self.database, provider, now).await?;
        }
        let (handled, was_copied) = stored.map_or((None, false), |provider| {
            let handled = [provider.last_tick_at, provider.last_success_at].into_iter().flatten();
            // An instant in the future proves nothing: the clock was set back since.
            (handled.filter(|at| !at.is_from_future(now)).max(), provider.last_success_at.is_some())
        });
        let tick = match self.entry.schedule.last_at(now) {
            Some(last) if handled.is_none_or(|handled| handled < last) => Some(last),
            _ if was_copied => return Ok(()),
            _ => None,
        };
        if enqueue_tick(&self.database, &self.entry, tick).await? == TickOutcome::Locked {
            // Another worker writes this provider's copy; the other providers must not wait for that.
            self.due.notify_one();
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Enqueues ticks until `stop` is cancelled, but not within a transaction.
    async fn run(&self, stop: &CancellationToken) {
        let mut is_logged = false;
        while stop.run_until_cancelled(self.due.notified()).await.is_some() {
            let pause = match self.enqueue_newest_tick().await {
                Ok(TickOutcome::Locked) => LOCKED_PAUSE,
                Ok(_) => {
                    is_logged = false;
                    self.wake.notify_one();
                    continue;
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_logged, true) {
                        let error = telemetry::with_causes(&error);
                        tracing::warn!(provider.slug = self.entry.slug, error, "the tick could not be enqueued, retrying");
                    }
                    RECONNECT_PAUSE
                }
            };
            stop.run_until_cancelled(sleep(pause)).await;
            self.due.notify_one();
        }
    }

    /// Enqueues the newest tick: a later one may have occurred since the notification.
    async fn enqueue_newest_tick(&self) -> Result<TickOutcome, DbErr> {
        let Ok(_slot) = TICK_SLOTS.acquire().await else { return Ok(TickOutcome::Handled) };
        let enqueuing = async {
            let now = database_now(&self.database).await?;
            let Some(tick) = self.entry.schedule.last_at(now) else { return Ok(TickOutcome::Handled) };
            let outcome = enqueue_tick(&self.database, &self.entry, Some(tick)).await?;
            tracing::debug!(provider.slug = self.entry.slug, tick.at = tick.0, tick.outcome = ?outcome, "tick handled");
            Ok(outcome)
        };
        deadline::within(deadline::SHORT, &self.database, enqueuing).await
    }
}

//! The metrics of a worker.
//!
//! Labels are slugs of the providers file and words of this program, never anything that a provider sends, so the number of series is
//! bounded. Counters and histograms of syncs are of this process; the gauges here are read from the database, so that every worker
//! reports the same values.

use std::time::{Duration, Instant};

use entity::{
    UtcInstant, database_now, deadline,
    job::{Backlog, queue},
    provider,
    webhook::{self, WebhookCounts},
};
use metrics::{Unit, describe_gauge, gauge};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use tokio_util::sync::CancellationToken;

use crate::{boundary, release_metrics, sync, webhooks};

const DATABASE_UP: &str = "marquee_database_up";
const FRESHNESS: &str = "marquee_provider_freshness_seconds";
const OVERDUE: &str = "marquee_provider_overdue_seconds";
const JOBS: &str = "marquee_jobs";
const OLDEST_JOB: &str = "marquee_oldest_due_job_seconds";
const OLDEST_BOUNDARY: &str = "marquee_oldest_due_boundary_seconds";

/// How often the gauges are read from the database: more often than Prometheus usually scrapes.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);

/// Registers the help texts of all metrics.
pub fn describe() {
    sync::metrics::describe();
    release_metrics::describe();
    webhooks::metrics::describe();
    describe_gauge!(DATABASE_UP, "Whether the last read of the database by this process succeeded");
    describe_gauge!(FRESHNESS, Unit::Seconds, "Time since the last successful sync of each provider, +Inf if there was none");
    describe_gauge!(OVERDUE, Unit::Seconds, "Time since the first tick of each provider that no successful sync followed");
    describe_gauge!(JOBS, "Jobs of the deployment by state: queued, running, dead");
    describe_gauge!(OLDEST_JOB, Unit::Seconds, "How long the oldest due job has waited");
    describe_gauge!(
        OLDEST_BOUNDARY,
        Unit::Seconds,
        "Time since the oldest sale or event began or ended that is not in the change log"
    );
}

/// Records whether the database can be used.
pub(crate) fn set_database_up(is_up: bool) {
    gauge!(DATABASE_UP).set(if is_up { 1.0 } else { 0.0 });
}

/// Reads the gauges from the database periodically until `shutdown` is cancelled. While it is unavailable, the ages grow.
pub async fn sample(database: DatabaseConnection, shutdown: CancellationToken) {
    let mut next = tokio::time::interval(SAMPLE_INTERVAL);
    let mut latest = None;
    while shutdown.run_until_cancelled(next.tick()).await.is_some() {
        let sample = deadline::within(deadline::SHORT, &database, Sample::read(&database)).await;
        set_database_up(sample.is_ok());
        match sample {
            Ok(sample) => latest = Some(sample),
            // The outage is logged where jobs are claimed.
            Err(error) => tracing::debug!(error = telemetry::with_causes(&error), "the gauges could not be read"),
        }
        if let Some(sample) = &latest {
            sample.record();
        }
    }
}

/// What was read from the database, and when.
struct Sample {
    now: UtcInstant,
    read_at: Instant,
    providers: Vec<provider::Model>,
    backlog: Backlog,
    boundary_lag: Option<Duration>,
    webhooks: WebhookCounts,
}

impl Sample {
    async fn read(database: &DatabaseConnection) -> Result<Self, DbErr> {
        Ok(Self {
            now: database_now(database).await?,
            read_at: Instant::now(),
            providers: provider::Entity::find().filter(provider::COLUMN.retired_at.is_null()).all(database).await?,
            backlog: queue::backlog(database).await?,
            boundary_lag: boundary::find_lag(database).await?,
            webhooks: webhook::count(database).await?,
        })
    }

    /// Sets the gauges to what they are now, by monotonic time since the sample was read.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn record(&self) {
        let elapsed = self.read_at.elapsed();
        let now = self.now + elapsed;
        for provider in &self.providers {
            // An unknown age is not fresh: alerts must fire.
            let seconds = |age: Option<Duration>| age.map_or(f64::INFINITY, |age| age.as_secs_f64());
            gauge!(FRESHNESS, "provider" => provider.slug.clone()).set(seconds(provider.freshness(now)));
            gauge!(OVERDUE, "provider" => provider.slug.clone()).set(seconds(provider.overdue(now)));
        }
        let Backlog { queued, running, dead, oldest_due } = self.backlog;
        for (state, count) in [("queued", queued), ("running", running), ("dead", dead)] {
            gauge!(JOBS, "state" => state).set(count as f64);
        }
        let since = |age: Option<Duration>| age.map_or(0.0, |age| (age + elapsed).as_secs_f64());
        gauge!(OLDEST_JOB).set(since(oldest_due));
        gauge!(OLDEST_BOUNDARY).set(since(self.boundary_lag));
        webhooks::metrics::record(&self.webhooks, now);
    }
}

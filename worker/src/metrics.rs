//! The metrics of a worker.
//!
//! Labels are slugs of the providers file and words of this program, never anything that a provider sends, so the number of series is
//! bounded. Counters and histograms of syncs are of this process; the gauges here are read from the database, so that every worker
//! reports the same values.

use std::time::Duration;

use entity::{database_now, deadline, job, provider};
use metrics::{Unit, describe_gauge, gauge};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use tokio_util::sync::CancellationToken;

use crate::sync;

const FRESHNESS: &str = "marquee_provider_freshness_seconds";
const JOBS: &str = "marquee_jobs";
const OLDEST_JOB: &str = "marquee_oldest_due_job_seconds";

/// How often the gauges are read from the database: more often than Prometheus usually scrapes.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);

/// Registers the help texts of all metrics.
pub fn describe() {
    sync::metrics::describe();
    describe_gauge!(FRESHNESS, Unit::Seconds, "Time since the last successful sync of each provider");
    describe_gauge!(JOBS, "Jobs of the deployment by state: queued, running, dead");
    describe_gauge!(OLDEST_JOB, Unit::Seconds, "How long the oldest due job has waited");
}

/// Reads the gauges from the database periodically until `shutdown` is cancelled.
pub async fn sample(database: DatabaseConnection, shutdown: CancellationToken) {
    let mut next = tokio::time::interval(SAMPLE_INTERVAL);
    while shutdown.run_until_cancelled(next.tick()).await.is_some() {
        if let Err(error) = deadline::within(deadline::SHORT, &database, sample_once(&database)).await {
            // The gauges retain their last values; the outage is logged where jobs are claimed.
            tracing::debug!(error = telemetry::with_causes(&error), "the gauges could not be read");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
async fn sample_once(database: &DatabaseConnection) -> Result<(), DbErr> {
    let now = database_now(database).await?;
    for provider in provider::Entity::find().all(database).await? {
        if let (Some(last_success), None) = (provider.last_success_at, provider.retired_at) {
            // An unknown age is not fresh: alerts must fire.
            let age = last_success.age_at(now).map_or(f64::INFINITY, |age| age.as_secs() as f64);
            gauge!(FRESHNESS, "provider" => provider.slug).set(age);
        }
    }
    let backlog = job::queue::backlog(database).await?;
    for (state, count) in [("queued", backlog.queued), ("running", backlog.running), ("dead", backlog.dead)] {
        gauge!(JOBS, "state" => state).set(count as f64);
    }
    gauge!(OLDEST_JOB).set(backlog.oldest_due.unwrap_or_default().as_secs_f64());
    Ok(())
}

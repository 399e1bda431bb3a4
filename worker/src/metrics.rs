//! What the worker tells Prometheus: their names, their labels, and when they are set.
//!
//! Labels are slugs of the file of providers and words of this program, never anything that a provider says: the number of series is
//! bounded. Counters and histograms are of this process; gauges of freshness and of the queue are read from the database, so that
//! every worker tells the same.

use std::time::Duration;

use entity::{UtcInstant, job, provider, sync_run::RunState};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use tokio_util::sync::CancellationToken;

use crate::sync::{Counts, Durations};

const RUNS: &str = "marquee_sync_runs_total";
const DURATION: &str = "marquee_sync_duration_seconds";
const ITEMS: &str = "marquee_sync_events_total";
const REJECTS: &str = "marquee_sync_rejects_total";
const BYTES: &str = "marquee_sync_bytes_total";
const FRESHNESS: &str = "marquee_provider_freshness_seconds";
const JOBS: &str = "marquee_jobs";
const OLDEST_JOB: &str = "marquee_oldest_due_job_seconds";

/// How often gauges are read from the database: finer than Prometheus usually asks.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// Tells what each metric is.
pub fn describe() {
    describe_counter!(RUNS, "Sync runs that ended, by outcome; of failed ones with the reason");
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "How long a sync run took: in total, and its phases fetch, parse, diff and write"
    );
    describe_counter!(ITEMS, "Events of feeds by what became of them: inserted, updated, unchanged, left");
    describe_counter!(REJECTS, "Items of feeds that could not be taken");
    describe_counter!(BYTES, Unit::Bytes, "Documents that were fetched, after decompression");
    describe_gauge!(FRESHNESS, Unit::Seconds, "Age of each provider's copy; there is none before its first success");
    describe_gauge!(JOBS, "Jobs of the whole deployment by state: queued, running, dead");
    describe_gauge!(OLDEST_JOB, Unit::Seconds, "For how long the oldest job that is due has waited");
}

/// Counts a run that ended.
pub(crate) fn run_ended(slug: &str, state: RunState, reason: &'static str, took: Duration) {
    let provider = || slug.to_owned();
    counter!(RUNS, "provider" => provider(), "state" => state.name(), "reason" => reason).increment(1);
    histogram!(DURATION, "provider" => provider(), "phase" => "total").record(took);
}

/// Counts what a run that ended well has done.
pub(crate) fn run_succeeded(slug: &str, bytes: u64, counts: &Counts, durations: &Durations) {
    let provider = || slug.to_owned();
    for (phase, took) in durations.phases() {
        histogram!(DURATION, "provider" => provider(), "phase" => phase).record(took);
    }
    let Counts { fetched: _, inserted, updated, unchanged, left, rejected } = *counts;
    for (kind, count) in [("inserted", inserted), ("updated", updated), ("unchanged", unchanged), ("left", left)] {
        counter!(ITEMS, "provider" => provider(), "kind" => kind).increment(count as u64);
    }
    counter!(REJECTS, "provider" => provider()).increment(rejected as u64);
    counter!(BYTES, "provider" => provider()).increment(bytes);
}

/// Reads the gauges from the database, again and again, until `shutdown` is cancelled.
pub async fn sample(database: DatabaseConnection, shutdown: CancellationToken) {
    let mut next = tokio::time::interval(SAMPLE_EVERY);
    while shutdown.run_until_cancelled(next.tick()).await.is_some() {
        if let Err(error) = sample_once(&database).await {
            // The gauges keep their last values; that the database is away is logged where it matters.
            tracing::debug!(error = telemetry::with_causes(&error), "gauges could not be read");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
async fn sample_once(database: &DatabaseConnection) -> Result<(), DbErr> {
    let now = UtcInstant::now();
    for provider in provider::Entity::find().all(database).await? {
        if let (Some(last_success), None) = (provider.last_success_at, provider.retired_at) {
            gauge!(FRESHNESS, "provider" => provider.slug).set(last_success.seconds_until(now) as f64);
        }
    }
    let backlog = job::queue::backlog(database).await?;
    for (state, count) in [("queued", backlog.queued), ("running", backlog.running), ("dead", backlog.dead)] {
        gauge!(JOBS, "state" => state).set(count as f64);
    }
    gauge!(OLDEST_JOB).set(backlog.oldest_due.unwrap_or_default().as_secs_f64());
    Ok(())
}

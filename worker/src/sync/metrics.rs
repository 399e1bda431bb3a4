//! The metrics of syncs.

use std::time::Duration;

use entity::sync_run::RunState;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::report::{Counts, Durations};

const RUNS: &str = "marquee_sync_runs_total";
const DURATION: &str = "marquee_sync_duration_seconds";
const EVENTS: &str = "marquee_sync_events_total";
const REJECTS: &str = "marquee_sync_rejects_total";
const WARNINGS: &str = "marquee_sync_warnings_total";
const BYTES: &str = "marquee_sync_bytes_total";

/// Registers the help texts.
pub(crate) fn describe() {
    describe_counter!(RUNS, "Completed sync runs by state, and by reason of failure");
    describe_histogram!(DURATION, Unit::Seconds, "Duration of sync runs: total, and the phases fetch, parse, diff and write");
    describe_counter!(EVENTS, "Events in feeds by what the sync did: inserted, updated, unchanged, left");
    describe_counter!(REJECTS, "Rejected items of feeds");
    describe_counter!(WARNINGS, "Details of feeds that were ignored or changed");
    describe_counter!(BYTES, Unit::Bytes, "Size of fetched documents after decompression");
}

/// Counts a completed run.
pub(super) fn count_run(slug: &str, state: RunState, reason: &'static str, duration: Duration) {
    let provider = || slug.to_owned();
    counter!(RUNS, "provider" => provider(), "state" => state.name(), "reason" => reason).increment(1);
    histogram!(DURATION, "provider" => provider(), "phase" => "total").record(duration);
}

/// Counts the events of a successful run.
pub(super) fn count_events(slug: &str, bytes: u64, counts: &Counts, durations: &Durations) {
    let provider = || slug.to_owned();
    for (phase, duration) in durations.phases() {
        histogram!(DURATION, "provider" => provider(), "phase" => phase).record(duration);
    }
    let Counts { fetched: _, inserted, updated, unchanged, left, rejected, warned } = *counts;
    for (kind, count) in [("inserted", inserted), ("updated", updated), ("unchanged", unchanged), ("left", left)] {
        counter!(EVENTS, "provider" => provider(), "kind" => kind).increment(count as u64);
    }
    counter!(REJECTS, "provider" => provider()).increment(rejected as u64);
    counter!(WARNINGS, "provider" => provider()).increment(warned as u64);
    counter!(BYTES, "provider" => provider()).increment(bytes);
}

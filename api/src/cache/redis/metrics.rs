//! What the tier tells Prometheus. Labels are words of this program: the number of series is fixed.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const UP: &str = "marquee_redis_up";
const ERRORS: &str = "marquee_redis_errors_total";
const DURATION: &str = "marquee_redis_seconds";
const DROPPED: &str = "marquee_redis_dropped_total";

/// What is asked of Redis.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Get,
    Put,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
        }
    }
}

/// Why a value was not even sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dropped {
    /// There is no connection.
    Away,
    /// Too much waits already.
    Busy,
    /// The value is too large.
    Large,
}

impl Dropped {
    fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Large => "large",
        }
    }
}

/// Tells what each metric is.
pub fn describe() {
    describe_gauge!(UP, "Whether Redis serves: 1, or 0 while every answer is made without it; absent where none is configured");
    describe_counter!(ERRORS, "Calls of Redis that failed, timed out or were refused, by operation: get, put");
    describe_histogram!(DURATION, Unit::Seconds, "How long calls of Redis took, failed ones too, by operation: get, put");
    describe_counter!(DROPPED, "Values that were not sent to Redis, by reason: away, busy, large");
}

pub(super) fn up(up: bool) {
    gauge!(UP).set(if up { 1.0 } else { 0.0 });
}

pub(super) fn failed(operation: Operation) {
    counter!(ERRORS, "operation" => operation.name()).increment(1);
}

pub(super) fn took(operation: Operation, took: Duration) {
    histogram!(DURATION, "operation" => operation.name()).record(took);
}

pub(super) fn dropped(reason: Dropped) {
    counter!(DROPPED, "reason" => reason.name()).increment(1);
}

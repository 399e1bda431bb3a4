//! Metrics of the Redis tier. All labels are constants, so the number of series is bounded.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const UP: &str = "marquee_redis_up";
const ERRORS: &str = "marquee_redis_errors_total";
const DURATION: &str = "marquee_redis_seconds";
const DROPPED: &str = "marquee_redis_dropped_total";

/// A kind of call.
#[derive(Clone, Copy, Debug)]
pub(super) enum RedisOperation {
    Get,
    Put,
}

impl RedisOperation {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
        }
    }
}

/// Why a value was not sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum DropReason {
    /// Redis is unavailable.
    Unavailable,
    /// Too many values are waiting.
    Busy,
    /// The value is too large.
    Large,
}

impl DropReason {
    fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Large => "large",
        }
    }
}

/// Describes each metric.
pub fn describe() {
    describe_gauge!(UP, "1 if Redis is available, 0 if it is not; absent if none is configured");
    describe_counter!(ERRORS, "Redis calls that failed or timed out, by operation: get, put");
    describe_histogram!(DURATION, Unit::Seconds, "Duration of Redis calls, including failed ones, by operation: get, put");
    describe_counter!(DROPPED, "Values that were not sent to Redis, by reason: unavailable, busy, large");
}

pub(super) fn set_up(is_up: bool) {
    gauge!(UP).set(if is_up { 1.0 } else { 0.0 });
}

pub(super) fn count_error(operation: RedisOperation) {
    counter!(ERRORS, "operation" => operation.name()).increment(1);
}

pub(super) fn record_duration(operation: RedisOperation, duration: Duration) {
    histogram!(DURATION, "operation" => operation.name()).record(duration);
}

pub(super) fn count_dropped(reason: DropReason) {
    counter!(DROPPED, "reason" => reason.name()).increment(1);
}

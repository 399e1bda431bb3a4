//! When a failed delivery is tried again, and when it is given up.

use std::time::Duration;

use entity::{
    UtcInstant, clock, job,
    webhook::{self, AttemptOutcome, DisabledReason},
};
use sea_orm::ActiveValue::Set;

use super::message::Sent;

/// The longest pause before the first retry.
const BASE_DELAY: Duration = Duration::from_secs(5);
/// The longest pause before any retry: a receiver that recovers gets its changes within an hour.
const MAX_DELAY: Duration = Duration::from_secs(3_600);
/// How long deliveries may fail: a weekend and the night after it.
pub(super) const MAX_FAILING: Duration = Duration::from_secs(3 * 24 * 3_600);
/// How much later than planned an attempt may end for the whole time to count. A longer time is one without workers, or a step of the
/// clock.
const TOLERANCE: Duration = Duration::from_secs(120);

/// The columns of an endpoint after a failed attempt.
pub(super) fn describe(webhook: &webhook::Model, sent: &Sent, now: UtcInstant, random: f64) -> webhook::ActiveModel {
    let failures = webhook.failures.saturating_add(1);
    let failing = measure(webhook, now);
    let columns = webhook::ActiveModel {
        failures: Set(failures),
        failing_micros: Set(clock::micros(failing)),
        attempted_at: Set(Some(now)),
        ..Default::default()
    };
    if sent.attempt.outcome == AttemptOutcome::Gone {
        return columns.disabled(DisabledReason::Gone, now);
    }
    if failing >= MAX_FAILING {
        return columns.disabled(DisabledReason::Failing, now);
    }
    // Between half of the longest pause and all of it.
    let backoff = job::backoff(BASE_DELAY, MAX_DELAY, failures.unsigned_abs(), 0.5 + random / 2.0);
    let delay = backoff.max(sent.retry_after.unwrap_or_default());
    webhook::ActiveModel { next_attempt_at: Set(Some(now + delay)), ..columns }
}

/// How long attempts have been failing: the sum of the pauses between them, of which each is at most as long as planned.
fn measure(webhook: &webhook::Model, now: UtcInstant) -> Duration {
    let before = Duration::from_micros(u64::try_from(webhook.failing_micros).unwrap_or_default());
    let Some(attempted_at) = webhook.attempted_at.filter(|_| webhook.failures > 0) else { return Duration::ZERO };
    let planned = webhook.next_attempt_at.map_or(Duration::ZERO, |next| attempted_at.until(next));
    before + attempted_at.age_at(now).unwrap_or_default().min(planned + TOLERANCE)
}

//! The metrics of webhooks. No label is from users.

use entity::{
    UtcInstant,
    webhook::{DeliveryAttempt, MessageKind, WebhookCounts},
};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const ATTEMPTS: &str = "marquee_webhook_attempts_total";
const CHANGES: &str = "marquee_webhook_changes_total";
const SECONDS: &str = "marquee_webhook_attempt_seconds";
const ENDPOINTS: &str = "marquee_webhooks";
const LAG: &str = "marquee_webhook_lag_seconds";

/// Registers the help texts.
pub(crate) fn describe() {
    describe_counter!(ATTEMPTS, "Attempts of this process to send webhooks by kind and outcome");
    describe_counter!(CHANGES, "Changes that this process has delivered by webhooks");
    describe_histogram!(SECONDS, Unit::Seconds, "Duration of attempts to send webhooks");
    describe_gauge!(ENDPOINTS, "Webhooks of the deployment by state: healthy, failing, disabled");
    describe_gauge!(LAG, Unit::Seconds, "How long the oldest batch of the webhooks in each state is being delivered");
}

/// Counts an attempt.
pub(super) fn count_attempt(attempt: &DeliveryAttempt) {
    let kind = match attempt.kind {
        MessageKind::Changes => "changes",
        MessageKind::Test => "test",
    };
    counter!(ATTEMPTS, "kind" => kind, "outcome" => attempt.outcome.name()).increment(1);
    histogram!(SECONDS).record(f64::from(attempt.duration_ms) / 1_000.0);
    if attempt.outcome == entity::webhook::AttemptOutcome::Delivered {
        counter!(CHANGES).increment(attempt.changes.into());
    }
}

/// Sets the gauges to what they are at an instant.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(crate) fn record(counts: &WebhookCounts, now: UtcInstant) {
    for (state, count) in [("healthy", counts.healthy.0), ("failing", counts.failing.0), ("disabled", counts.disabled)] {
        gauge!(ENDPOINTS, "state" => state).set(count as f64);
    }
    for (state, oldest) in [("healthy", counts.healthy.1), ("failing", counts.failing.1)] {
        let lag = oldest.and_then(|oldest| oldest.age_at(now));
        gauge!(LAG, "state" => state).set(lag.map_or(0.0, |lag| lag.as_secs_f64()));
    }
}

//! Sends a message to an endpoint, and classifies what became of it.

use std::time::{Duration, SystemTime};

use entity::{
    UtcInstant,
    webhook::{self, AttemptOutcome, DeliveryAttempt, MessageKind},
};
use outbound::{Message, Receipt, RequestError};
use tokio::time::Instant;

use super::{DeliveryContext, signature::sign};

/// How long a receiver may take to accept a connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to respond, as Standard Webhooks recommends. What takes longer must be queued by the receiver.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection waits for the next message.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a response that are read. Its content does not matter.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;
/// The longest pause that a receiver can request.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// A message that may be sent.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) id: &'a str,
    pub(super) kind: MessageKind,
    pub(super) changes: u32,
    pub(super) body: String,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) attempt: DeliveryAttempt,
    /// The pause that the receiver requests.
    pub(super) retry_after: Option<Duration>,
}

/// The database's clock: read once, and advanced by monotonic time.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobClock {
    read: UtcInstant,
    at: Instant,
}

impl JobClock {
    pub(super) fn new(now: UtcInstant) -> Self {
        Self { read: now, at: Instant::now() }
    }

    pub(super) fn now(self) -> UtcInstant {
        self.read + self.at.elapsed()
    }
}

/// Sends a message, once.
pub(super) async fn send(context: &DeliveryContext, webhook: &webhook::Model, message: Outgoing<'_>, clock: JobClock) -> Sent {
    let begun_at = Instant::now();
    let timestamp = clock.now().0.div_euclid(1_000_000);
    let Outgoing { id, kind, changes, body } = message;
    let signature = sign(webhook.secrets(clock.now()), (id, timestamp), &body);
    let posted = match context.settings.parse(&webhook.url) {
        Ok(url) => {
            let timestamp = timestamp.to_string();
            let headers = [("webhook-id", id), ("webhook-timestamp", timestamp.as_str()), ("webhook-signature", &signature)];
            let message = Message { headers, body, timeout: RESPONSE_TIMEOUT, response_bytes: MAX_RESPONSE_BYTES };
            context.client.post(&url, message).await.map_err(|error| classify_error(&error))
        }
        // The operator no longer allows it.
        Err(_) => Err(AttemptOutcome::AddressRefused),
    };
    let (outcome, status, retry_after) = match posted {
        Ok(receipt) => (classify(&receipt), Some(receipt.status), parse_retry_after(&receipt, SystemTime::now())),
        Err(outcome) => (outcome, None, None),
    };
    let duration_ms = u32::try_from(begun_at.elapsed().as_millis()).unwrap_or(u32::MAX);
    let attempt = DeliveryAttempt { at: clock.now(), message_id: id.to_owned(), kind, changes, outcome, status, duration_ms };
    Sent { attempt, retry_after }
}

fn classify(receipt: &Receipt) -> AttemptOutcome {
    match receipt {
        receipt if receipt.is_success() => AttemptOutcome::Delivered,
        receipt if receipt.is_gone() => AttemptOutcome::Gone,
        receipt if receipt.is_redirect() => AttemptOutcome::Redirected,
        _ => AttemptOutcome::Rejected,
    }
}

fn classify_error(error: &RequestError) -> AttemptOutcome {
    match error {
        RequestError::AddressRefused(_) => AttemptOutcome::AddressRefused,
        RequestError::TimedOut(_) => AttemptOutcome::TimedOut,
        RequestError::Unreachable(_) => AttemptOutcome::Unreachable,
        RequestError::NotHttp(_) => AttemptOutcome::InvalidResponse,
        // The client does not follow any.
        RequestError::RedirectRefused { .. } | RequestError::TooManyRedirects => AttemptOutcome::Redirected,
    }
}

/// The pause in `Retry-After`, in seconds or as a date of the receiver's clock.
fn parse_retry_after(receipt: &Receipt, now: SystemTime) -> Option<Duration> {
    let value = receipt.retry_after.as_deref()?.trim();
    let parse_date = |text: &str| httpdate::parse_http_date(text.trim()).ok();
    let pause = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let sent_at = receipt.date.as_deref().and_then(parse_date).unwrap_or(now);
        parse_date(value)?.duration_since(sent_at).unwrap_or_default()
    };
    Some(pause.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn retry_after_is_honored_within_an_hour() {
        let now = httpdate::parse_http_date("Tue, 04 Mar 2031 10:00:00 GMT").unwrap();
        for (value, date, seconds) in [
            ("120", None, Some(120)),
            ("99999999999999999999999", None, Some(3_600)),
            ("Tue, 04 Mar 2031 10:00:30 GMT", None, Some(30)),
            ("Tue, 04 Mar 2031 10:00:30 GMT", Some("Tue, 04 Mar 2031 10:00:20 GMT"), Some(10)),
            ("soon", None, None),
            ("", None, None),
        ] {
            let receipt = Receipt { status: 503, retry_after: Some(value.to_owned()), date: date.map(str::to_owned) };
            assert_eq!(parse_retry_after(&receipt, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn each_status_has_an_outcome() {
        let of = |status| classify(&Receipt { status, retry_after: None, date: None });
        for (status, outcome) in [
            (200, AttemptOutcome::Delivered),
            (204, AttemptOutcome::Delivered),
            (301, AttemptOutcome::Redirected),
            (307, AttemptOutcome::Redirected),
            (404, AttemptOutcome::Rejected),
            (410, AttemptOutcome::Gone),
            (500, AttemptOutcome::Rejected),
        ] {
            assert_eq!(of(status), outcome, "{status}");
        }
    }
}

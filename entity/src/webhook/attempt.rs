//! The last attempts to send a message to an endpoint. They are in its row, so that no additional write records them.

use serde::{Deserialize, Serialize};

use crate::UtcInstant;

/// Attempts of an endpoint that are stored: what its owner needs to find out why deliveries fail.
pub const MAX_ATTEMPTS: usize = 20;

/// What a message contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// A batch of changes.
    Changes,
    /// Nothing, to test the endpoint.
    Test,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The receiver responded with a status 2xx.
    Delivered,
    /// The receiver responded with 410.
    Gone,
    /// The receiver redirects, which is not followed.
    Redirected,
    /// The receiver responded with another status.
    Rejected,
    /// The receiver did not respond in time.
    TimedOut,
    /// No connection, or an untrusted TLS certificate.
    Unreachable,
    /// The response is not valid HTTP, or it is incomplete.
    InvalidResponse,
    /// The address is not public.
    AddressRefused,
}

impl AttemptOutcome {
    /// The name in JSON and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Redirected => "redirected",
            Self::Rejected => "rejected",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::InvalidResponse => "invalid_response",
            Self::AddressRefused => "address_refused",
        }
    }
}

/// An attempt to send a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    /// When it ended.
    pub at: UtcInstant,
    /// The `webhook-id` of the message.
    pub message_id: String,
    /// What the message contained.
    pub kind: MessageKind,
    /// How many changes it contained.
    pub changes: u32,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// How long it took.
    pub duration_ms: u32,
}

/// The attempts in a row, the newest first. None if a later release of the program wrote them in a form that this one does not know.
#[must_use]
pub fn parse_attempts(json: &str) -> Vec<DeliveryAttempt> {
    serde_json::from_str(json).unwrap_or_default()
}

/// The JSON of the attempts with another one. The oldest are removed.
#[must_use]
pub fn add_attempt(json: &str, attempt: DeliveryAttempt) -> String {
    let mut attempts = parse_attempts(json);
    attempts.insert(0, attempt);
    attempts.truncate(MAX_ATTEMPTS);
    // Texts and numbers always serialize.
    serde_json::to_string(&attempts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_attempts_are_stored() {
        let attempt = |at: i64| DeliveryAttempt {
            at: UtcInstant(at),
            message_id: "msg_1".to_owned(),
            kind: MessageKind::Changes,
            changes: 2,
            outcome: AttemptOutcome::TimedOut,
            status: None,
            duration_ms: 7,
        };
        let json = (0..30).fold(String::new(), |json, at| add_attempt(&json, attempt(at)));
        let attempts = parse_attempts(&json);
        assert_eq!((attempts.len(), attempts[0].clone(), attempts[19].at), (MAX_ATTEMPTS, attempt(29), UtcInstant(10)));
        assert!(json.contains(r#""outcome":"timed_out""#), "{json}");
    }
}

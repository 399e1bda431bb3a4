//! What a client sees of an endpoint. Secrets are shown when they are created, and then only their beginning.

use entity::webhook::{self, AttemptOutcome, DisabledReason, MessageKind, parse_attempts};
use poem_openapi::{Enum, Object, types::Example};
use serde::Serialize;

use crate::response::{Instant, Nullable, WebhookId};

/// A webhook.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Webhook {
    /// The id.
    pub id: WebhookId,
    /// The name of the API key that created it.
    pub owner: String,
    /// Where changes are sent.
    pub url: String,
    /// Which changes: a query string of `/changes`. Empty for all.
    pub query: String,
    /// Whether changes are delivered.
    pub state: WebhookState,
    /// Why they are not; null if they are.
    pub disabled: Nullable<DisabledWebhook>,
    /// When it was created.
    pub created_at: Instant,
    /// The position in the log: all changes before it were delivered or are not selected.
    pub position: String,
    /// The message that is being delivered; null if nothing is left to deliver.
    pub pending: Nullable<PendingBatch>,
    /// Failed attempts since the last successful one.
    pub failures: i32,
    /// When the next attempt is due, after a failed one; null if none is planned.
    pub next_attempt_at: Nullable<Instant>,
    /// When a message was last delivered; null if none was.
    pub delivered_at: Nullable<Instant>,
    /// The beginning of the secret, which identifies it.
    pub secret_prefix: String,
    /// Until when messages are signed with the previous secret, too; null if there is none.
    pub previous_secret_until: Nullable<Instant>,
}

/// Whether changes are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// They are.
    Active,
    /// They are not, until it is enabled again.
    Disabled,
}

/// Why and since when a webhook is disabled.
#[derive(Clone, Debug, Object, Serialize)]
pub struct DisabledWebhook {
    /// Why.
    pub reason: WebhookDisabledReason,
    /// What to do about it.
    pub detail: String,
    /// Since when.
    pub since: Instant,
}

/// Why a webhook is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum WebhookDisabledReason {
    /// All attempts of three days failed.
    Failing,
    /// The receiver responded with 410.
    Gone,
    /// The log no longer contains all changes after its position.
    CursorExpired,
}

/// A message that is being delivered.
#[derive(Clone, Debug, Object, Serialize)]
pub struct PendingBatch {
    /// Its `webhook-id`.
    pub message_id: String,
    /// How many changes it has.
    pub changes: i32,
    /// Since when it is being delivered.
    pub since: Instant,
}

/// A webhook with its attempts.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct WebhookDetails {
    /// The webhook.
    pub webhook: Webhook,
    /// The last 20 attempts to send a message, the newest first.
    pub attempts: Vec<WebhookAttempt>,
}

/// An attempt to send a message.
#[derive(Clone, Debug, Object, Serialize)]
pub struct WebhookAttempt {
    /// When it ended.
    pub at: Instant,
    /// The `webhook-id` of the message.
    pub message_id: String,
    /// What the message contained.
    pub kind: WebhookMessageKind,
    /// How many changes it contained.
    pub changes: u32,
    /// How it ended.
    pub outcome: WebhookOutcome,
    /// The status of the response; null if there was none.
    pub status: Nullable<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
}

/// What a message contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum WebhookMessageKind {
    /// A batch of changes.
    Changes,
    /// Nothing, to test the webhook.
    Test,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum WebhookOutcome {
    /// The receiver responded with a status 2xx.
    Delivered,
    /// The receiver responded with 410.
    Gone,
    /// The receiver redirects, which is not followed.
    Redirected,
    /// The receiver responded with another status.
    Rejected,
    /// The receiver did not respond within 15 seconds.
    TimedOut,
    /// No connection, or an untrusted TLS certificate.
    Unreachable,
    /// The response is not valid HTTP, or it is incomplete.
    InvalidResponse,
    /// The address of the host is not public.
    AddressRefused,
}

/// Webhooks.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct WebhookList {
    /// The webhooks, the oldest first.
    pub webhooks: Vec<Webhook>,
}

/// A webhook that was created.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct CreatedWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// The secret with which messages are signed. It is not shown again.
    pub secret: String,
}

/// A new secret.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct RotatedSecret {
    /// The secret with which messages are signed from now on. It is not shown again.
    pub secret: String,
    /// Until when they are signed with the previous one, too.
    pub previous_secret_until: Nullable<Instant>,
}

/// What to do about a webhook that is disabled.
pub(crate) fn describe_reason(reason: DisabledReason) -> &'static str {
    match reason {
        DisabledReason::Failing => {
            "all attempts of three days failed; correct the receiver, then enable the webhook, which continues where it ended"
        }
        DisabledReason::Gone => "the receiver responded with 410; enable the webhook if it is needed again, or delete it",
        DisabledReason::CursorExpired => {
            "changes after its position were removed; copy `/events.ndjson`, and replay from its cursor"
        }
    }
}

impl From<DisabledReason> for WebhookDisabledReason {
    fn from(reason: DisabledReason) -> Self {
        match reason {
            DisabledReason::Failing => Self::Failing,
            DisabledReason::Gone => Self::Gone,
            DisabledReason::CursorExpired => Self::CursorExpired,
        }
    }
}

impl From<&webhook::Model> for Webhook {
    fn from(row: &webhook::Model) -> Self {
        let disabled = row.disabled_reason.map(|reason| DisabledWebhook {
            reason: reason.into(),
            detail: describe_reason(reason).to_owned(),
            since: row.disabled_at.unwrap_or(row.created_at).into(),
        });
        let pending = row.batch_id.clone().map(|message_id| PendingBatch {
            message_id,
            changes: row.batch_changes.unwrap_or_default(),
            since: row.frozen_at.unwrap_or(row.created_at).into(),
        });
        Self {
            id: row.id.to_string().into(),
            owner: row.owner.clone(),
            url: row.url.clone(),
            query: row.query.clone(),
            state: match row.state {
                webhook::WebhookState::Active => WebhookState::Active,
                webhook::WebhookState::Disabled => WebhookState::Disabled,
            },
            disabled: disabled.into(),
            created_at: row.created_at.into(),
            position: row.position().encode(),
            pending: pending.into(),
            failures: row.failures,
            next_attempt_at: row.next_attempt_at.map(Instant::from).into(),
            delivered_at: row.delivered_at.map(Instant::from).into(),
            secret_prefix: row.secret.prefix(),
            previous_secret_until: row.previous_secret_until.map(Instant::from).into(),
        }
    }
}

impl From<Vec<webhook::Model>> for WebhookList {
    fn from(rows: Vec<webhook::Model>) -> Self {
        Self { webhooks: rows.iter().map(Webhook::from).collect() }
    }
}

impl From<&webhook::Model> for WebhookDetails {
    fn from(row: &webhook::Model) -> Self {
        let attempts = parse_attempts(&row.attempts).into_iter().map(WebhookAttempt::from).collect();
        Self { webhook: row.into(), attempts }
    }
}

impl From<&webhook::Model> for CreatedWebhook {
    fn from(row: &webhook::Model) -> Self {
        Self { webhook: row.into(), secret: row.secret.expose().to_owned() }
    }
}

impl From<&webhook::Model> for RotatedSecret {
    fn from(row: &webhook::Model) -> Self {
        let previous_secret_until = row.previous_secret_until.map(Instant::from).into();
        Self { secret: row.secret.expose().to_owned(), previous_secret_until }
    }
}

impl From<webhook::DeliveryAttempt> for WebhookAttempt {
    fn from(attempt: webhook::DeliveryAttempt) -> Self {
        Self {
            at: attempt.at.into(),
            message_id: attempt.message_id,
            kind: match attempt.kind {
                MessageKind::Changes => WebhookMessageKind::Changes,
                MessageKind::Test => WebhookMessageKind::Test,
            },
            changes: attempt.changes,
            outcome: match attempt.outcome {
                AttemptOutcome::Delivered => WebhookOutcome::Delivered,
                AttemptOutcome::Gone => WebhookOutcome::Gone,
                AttemptOutcome::Redirected => WebhookOutcome::Redirected,
                AttemptOutcome::Rejected => WebhookOutcome::Rejected,
                AttemptOutcome::TimedOut => WebhookOutcome::TimedOut,
                AttemptOutcome::Unreachable => WebhookOutcome::Unreachable,
                AttemptOutcome::InvalidResponse => WebhookOutcome::InvalidResponse,
                AttemptOutcome::AddressRefused => WebhookOutcome::AddressRefused,
            },
            status: attempt.status.into(),
            duration_ms: attempt.duration_ms,
        }
    }
}

const CURSOR: &str = "WzIsMTM5MDU2MTAzNDk4MTM3NDk3ODIseyJ2ZXJzaW9uIjo0Miwib3JkaW5hbCI6MCwiYXQiOjE2MTI4NjEyMDAxODMwMDB9XQ";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

impl Example for Webhook {
    fn example() -> Self {
        Self {
            id: "8e3c2a52-5d9e-4f6b-9a53-0c7f1f6f7a11".into(),
            owner: "tickets-app".to_owned(),
            url: "https://hooks.example/marquee".to_owned(),
            query: "city=Barcelona&kind=cancelled,rescheduled".to_owned(),
            state: WebhookState::Active,
            disabled: None.into(),
            created_at: "2021-02-01T09:00:00Z".into(),
            position: CURSOR.to_owned(),
            pending: None.into(),
            failures: 0,
            next_attempt_at: None.into(),
            delivered_at: Some(Instant::from("2021-02-09T09:00:00.241Z")).into(),
            secret_prefix: "whsec_MfKQ".to_owned(),
            previous_secret_until: None.into(),
        }
    }
}

impl Example for WebhookList {
    fn example() -> Self {
        Self { webhooks: vec![Webhook::example()] }
    }
}

impl Example for WebhookDetails {
    fn example() -> Self {
        let attempt = WebhookAttempt {
            at: "2021-02-09T09:00:00.241Z".into(),
            message_id: "msg_5f0c2b9e6f6d4e0a9a513f1d0c7b8a42".to_owned(),
            kind: WebhookMessageKind::Changes,
            changes: 3,
            outcome: WebhookOutcome::Delivered,
            status: Some(204).into(),
            duration_ms: 58,
        };
        Self { webhook: Webhook::example(), attempts: vec![attempt] }
    }
}

impl Example for CreatedWebhook {
    fn example() -> Self {
        let webhook = Webhook { delivered_at: None.into(), ..Webhook::example() };
        Self { webhook, secret: SECRET.to_owned() }
    }
}

impl Example for RotatedSecret {
    fn example() -> Self {
        Self { secret: SECRET.to_owned(), previous_secret_until: Some(Instant::from("2021-02-10T09:00:00Z")).into() }
    }
}

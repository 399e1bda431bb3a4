//! Kinds of jobs as typed payloads.
//!
//! A payload is all that the queue stores about the work, so the key, the lane and the text in the `payload` column follow from
//! its type. The kinds here are enqueued by both programs; what a job does is defined in the worker, beside its handler.

use sea_orm::{DbErr, prelude::Uuid};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A kind of job: a payload that is stored in the `payload` column as JSON.
///
/// Jobs outlive a release: a payload must still read what the previous release stored.
pub trait JobKind: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in the `kind` column.
    const KIND: &'static str;
    /// Names under which previous releases stored this kind.
    const PREVIOUS_KINDS: &'static [&'static str] = &[];
    /// Attempts before the job is marked as dead.
    const MAX_ATTEMPTS: i32;
    /// Whether a job waits for all earlier ordered jobs of its lane, including their retries.
    const IN_ORDER: bool = false;

    /// Identifies the job: a second one with the same key is not enqueued.
    fn key(&self) -> String;

    /// Jobs in a lane run one at a time in the whole deployment.
    fn lane(&self) -> String;

    /// The text for the `payload` column.
    ///
    /// # Errors
    ///
    /// When the payload has no JSON form.
    fn encode(&self) -> Result<String, DbErr> {
        serde_json::to_string(self).map_err(|error| DbErr::Json(error.to_string()))
    }

    /// Reads the text of the `payload` column.
    ///
    /// # Errors
    ///
    /// When it is not a payload of this kind.
    fn decode(payload: &str) -> Result<Self, serde_json::Error> {
        // A previous release stored an empty text for a kind without fields.
        serde_json::from_str(if payload.is_empty() { "{}" } else { payload })
    }
}

/// Copies a provider's catalogue once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncJob {
    /// The provider's slug.
    pub provider: String,
    /// What requested the sync. It distinguishes the job from other syncs of the provider; previous releases did not store it.
    #[serde(default)]
    pub trigger: String,
}

impl SyncJob {
    /// A sync of a provider.
    #[must_use]
    pub fn new(provider: impl Into<String>, trigger: impl Into<String>) -> Self {
        Self { provider: provider.into(), trigger: trigger.into() }
    }

    /// The lane of a provider: at most one sync of it runs at a time in the whole deployment.
    #[must_use]
    pub fn lane_of(provider: &str) -> String {
        format!("{}/{provider}", Self::KIND)
    }
}

impl JobKind for SyncJob {
    const KIND: &'static str = "sync";
    // Minutes, including the pauses between attempts. After that, the next tick is the retry.
    const MAX_ATTEMPTS: i32 = 5;

    fn key(&self) -> String {
        format!("{}/{}/{}", Self::KIND, self.provider, self.trigger)
    }

    fn lane(&self) -> String {
        Self::lane_of(&self.provider)
    }
}

/// Applies a feed that was pushed, in the order in which the feeds of a provider were accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushJob {
    /// The provider's slug.
    pub provider: String,
    /// Distinguishes the job from other pushes of the provider; previous releases did not store it.
    #[serde(default)]
    pub push: String,
}

impl PushJob {
    /// A push to a provider.
    #[must_use]
    pub fn new(provider: impl Into<String>, push: impl Into<String>) -> Self {
        Self { provider: provider.into(), push: push.into() }
    }
}

impl JobKind for PushJob {
    const KIND: &'static str = "push";
    // Only an error of our own or the end of a worker causes a second attempt, and a lost push is not sent again.
    const MAX_ATTEMPTS: i32 = 10;
    const IN_ORDER: bool = true;

    fn key(&self) -> String {
        format!("{}/{}/{}", Self::KIND, self.provider, self.push)
    }

    fn lane(&self) -> String {
        SyncJob::lane_of(&self.provider)
    }
}

/// Processes a datum, which proves that a worker is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatumJob {
    /// The id of the datum.
    pub id: i64,
}

impl JobKind for DatumJob {
    const KIND: &'static str = "datum";
    const MAX_ATTEMPTS: i32 = 5;

    fn key(&self) -> String {
        format!("{}/{}", Self::KIND, self.id)
    }

    /// One lane for all, so that the datum processed last is the latest.
    fn lane(&self) -> String {
        Self::KIND.to_owned()
    }
}

/// Delivers changes to an endpoint, until nothing is left to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookJob {
    /// The endpoint.
    pub webhook: Uuid,
}

impl JobKind for WebhookJob {
    const KIND: &'static str = "webhook";
    // The attempts to deliver are counted in the row of the endpoint. Only an error of our own or the end of a worker is another attempt
    // of the job, and a dead job would end all deliveries.
    const MAX_ATTEMPTS: i32 = i32::MAX;

    fn key(&self) -> String {
        format!("{}/{}", Self::KIND, self.webhook)
    }

    /// At most one message is being delivered to an endpoint.
    fn lane(&self) -> String {
        self.key()
    }
}

/// Sends a message without changes to an endpoint, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookTestJob {
    /// The endpoint.
    pub webhook: Uuid,
}

impl JobKind for WebhookTestJob {
    const KIND: &'static str = "webhook_test";
    // A dead job would prevent all later tests.
    const MAX_ATTEMPTS: i32 = i32::MAX;

    fn key(&self) -> String {
        format!("{}/{}", Self::KIND, self.webhook)
    }

    fn lane(&self) -> String {
        self.key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_payloads_of_the_previous_release() {
        let provider = || "northstage".to_owned();
        let sync = SyncJob::decode(r#"{"provider":"northstage"}"#).expect("a sync");
        assert_eq!(sync, SyncJob { provider: provider(), trigger: String::new() });
        let push = PushJob::decode(r#"{"provider":"northstage"}"#).expect("a push");
        assert_eq!(push, PushJob { provider: provider(), push: String::new() });
        assert_eq!(DatumJob::decode("7").expect("a datum"), DatumJob { id: 7 });
    }

    #[test]
    fn the_previous_release_reads_these_payloads() {
        let payload = SyncJob::new("northstage", "first").encode().expect("JSON");
        assert_eq!(payload, r#"{"provider":"northstage","trigger":"first"}"#, "additional fields are ignored");
        assert_eq!(DatumJob { id: 7 }.encode().expect("JSON"), "7");
    }

    #[test]
    fn a_push_shares_the_lane_of_the_providers_syncs() {
        let (sync, push) = (SyncJob::new("northstage", "first"), PushJob::new("northstage", "1"));
        assert_eq!((sync.lane(), push.lane()), ("sync/northstage".to_owned(), "sync/northstage".to_owned()));
        assert_eq!((sync.key(), push.key()), ("sync/northstage/first".to_owned(), "push/northstage/1".to_owned()));
    }
}

//! The responses of the operations on feeds.

use poem_openapi::{Enum, Object, types::Example};
use serde::{Deserialize, Serialize};

use crate::response::Nullable;

/// A queued sync run.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct QueuedRun {
    /// The id of the run. `/sync-runs/{id}` returns its state.
    #[oai(validator(minimum(value = "1")))]
    pub sync_run: i64,
}

/// What a document would change. All counts are 0 if it would fail.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
#[oai(example)]
#[serde(default)]
pub struct DryRunReport {
    /// The final state of the run.
    pub state: DryRunState,
    /// Why the run would fail: a stable code.
    pub reason_code: Nullable<String>,
    /// Why the run would fail: a sentence.
    pub reason: Nullable<String>,
    /// Valid events in the document.
    pub fetched: u64,
    /// Events that would be inserted.
    pub inserted: u64,
    /// Events that would be updated, or would return to the feed.
    pub updated: u64,
    /// Events that would not change.
    pub unchanged: u64,
    /// Events that would be removed from the feed.
    pub left: u64,
    /// Rejected items.
    pub rejected: u64,
    /// The first 1,000 rejected items.
    pub rejects: Vec<DryRunReject>,
}

/// How a run would end.
#[derive(Clone, Copy, Debug, Default, Deserialize, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DryRunState {
    /// The feed would be imported and change the copy.
    Succeeded,
    /// The feed would change nothing.
    Unchanged,
    /// The feed would be rejected.
    #[default]
    Failed,
}

/// A rejected item.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct DryRunReject {
    /// The line on which the item begins, from 1.
    #[oai(validator(minimum(value = "1")))]
    pub line: u64,
    /// The column at which the item begins, from 1.
    #[oai(validator(minimum(value = "1")))]
    pub column: u64,
    /// The provider's id of the base event, if it could be read.
    pub base_event_id: Nullable<String>,
    /// The provider's id of the event, if the item is one.
    pub event_id: Nullable<String>,
    /// Why the item was rejected.
    pub reason: String,
}

impl Example for QueuedRun {
    fn example() -> Self {
        Self { sync_run: 42 }
    }
}

impl Example for DryRunReport {
    fn example() -> Self {
        let reject = DryRunReject {
            line: 12,
            column: 5,
            base_event_id: Nullable(Some("322".to_owned())),
            event_id: Nullable(Some("1642".to_owned())),
            reason: "`event_start_date` must be an existing day, got `2021-09-31`".to_owned(),
        };
        Self {
            state: DryRunState::Succeeded,
            fetched: 3,
            inserted: 1,
            updated: 1,
            unchanged: 1,
            rejected: 1,
            rejects: vec![reject],
            ..Self::default()
        }
    }
}

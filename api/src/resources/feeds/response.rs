//! The responses of the operations on feeds.

use poem_openapi::{Enum, Object, types::Example};
use serde::{Deserialize, Serialize};

use crate::response::{EventId, LocalDateTime, Nullable};

/// Changes that the worker lists.
const MAX_LISTED_CHANGES: usize = 100;

/// A queued sync run.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct QueuedRun {
    /// The id of the run. `/sync-runs/{id}` returns its state.
    #[oai(validator(minimum(value = "1")))]
    pub sync_run: i64,
}

/// What a document would change. If it would fail, only rejected items and warnings are counted.
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
    /// Details of accepted items that would be ignored or changed.
    pub warned: u64,
    /// The first 1,000 rejected items.
    pub rejects: Vec<DryRunReject>,
    /// The first of the warnings.
    pub warnings: Vec<DryRunReject>,
    /// The first 100 events and shows that would be inserted, updated or removed from the feed.
    pub changes: Vec<DryRunChange>,
}

impl DryRunReport {
    /// Whether more may change than is listed.
    pub(crate) fn is_truncated(&self) -> bool {
        self.changes.len() >= MAX_LISTED_CHANGES
    }
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

/// An event that would change.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct DryRunChange {
    /// What would happen to it.
    pub kind: DryRunChangeKind,
    /// Its id; null if a show changes with all its events.
    pub id: Nullable<EventId>,
    /// Its title, if its base event is known.
    pub title: Nullable<String>,
    /// Its start on the clock at the venue.
    pub start: Nullable<LocalDateTime>,
}

/// What would happen to an event.
#[derive(Clone, Copy, Debug, Deserialize, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DryRunChangeKind {
    /// It would be inserted.
    Inserted,
    /// It would be updated, or would return to the feed.
    Updated,
    /// It would be removed from the feed.
    Left,
}

impl DryRunChangeKind {
    /// The name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Left => "left",
        }
    }

    /// The symbol of a diff.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Inserted => "+",
            Self::Updated => "~",
            Self::Left => "-",
        }
    }
}

/// A rejected item, or a warning.
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
    /// Why the item was rejected, or what was ignored or changed.
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
        let change = DryRunChange {
            kind: DryRunChangeKind::Inserted,
            id: Nullable(Some("c4a626ff-9f25-5533-a0a8-2b67472b5ee3".into())),
            title: Nullable(Some("Camela en concierto".to_owned())),
            start: Nullable(Some("2021-06-30T21:00:00".into())),
        };
        Self {
            state: DryRunState::Succeeded,
            fetched: 3,
            inserted: 1,
            updated: 1,
            unchanged: 1,
            rejected: 1,
            rejects: vec![reject],
            changes: vec![change],
            ..Self::default()
        }
    }
}

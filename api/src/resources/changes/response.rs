//! The response of a request for changes.

use std::collections::BTreeMap;

use entity::{
    change,
    change_log::{self, ChangeDocument, LoggedChange},
};
use poem_openapi::{Enum, Object, types::Example};
use serde::Serialize;
use serde_json::{Value, json};

use super::rows::LogPage;
use crate::response::{AlwaysNull, EventId, Instant, ProviderSlug};

/// A page of the log.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct ChangePage {
    /// The result.
    pub data: ChangeList,
    /// The position of the page.
    pub meta: ChangesMeta,
    /// Always null.
    pub error: AlwaysNull,
}

/// The changes of a page.
#[derive(Clone, Debug, Object, Serialize)]
pub struct ChangeList {
    /// The changes, in the order of commits.
    pub changes: Vec<Change>,
}

/// The position of a page.
#[derive(Clone, Debug, Object, Serialize)]
pub struct ChangesMeta {
    /// The position at which the log continues, for `after`: after the last change of the page, or at the end of the log.
    pub next: String,
    /// Whether more changes follow now. A page with filters of events may end before it has `limit` changes.
    pub has_more: bool,
}

/// A change of an event.
#[derive(Clone, Debug, Object, Serialize)]
pub struct Change {
    /// The position after this change, for `after`.
    pub cursor: String,
    /// When the change was committed.
    pub at: Instant,
    /// What happened.
    pub kind: ChangeKind,
    /// The event, as in `/events/{id}`, which may no longer exist.
    pub event_id: EventId,
    /// The provider of the event.
    pub provider: ProviderSlug,
    /// The changed fields by name. Empty if an event was removed for legal reasons after this change.
    pub changed: BTreeMap<String, FieldChange>,
}

/// A changed field.
#[derive(Clone, Debug, Object, Serialize)]
pub struct FieldChange {
    /// The previous value; null if there was none.
    pub old: Value,
    /// The new value; null if there is none.
    pub new: Value,
}

/// What happened to an event: the first that applies, in this order. `changed` contains all that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is shown for the first time.
    Created,
    /// It was removed from its feed, or it is no longer shown.
    Left,
    /// It is in its feed again.
    Returned,
    /// It was cancelled.
    Cancelled,
    /// It was postponed, without a new date.
    Postponed,
    /// It has another start.
    Rescheduled,
    /// It is sold out.
    SoldOut,
    /// It is on sale: no longer sold out, or its sale has begun.
    OnSale,
    /// It has other prices.
    PriceChanged,
    /// Something else has changed.
    Updated,
}

impl From<LogPage> for ChangePage {
    fn from(page: LogPage) -> Self {
        let meta = ChangesMeta { next: page.next.encode(), has_more: !page.is_last };
        let changes = page.rows.into_iter().map(Change::from).collect();
        Self { data: ChangeList { changes }, meta, error: AlwaysNull }
    }
}

impl From<LoggedChange> for Change {
    fn from(row: LoggedChange) -> Self {
        let ChangeDocument { cursor, at, kind, event_id, provider, changed } = row.into();
        let changed = changed.into_iter().map(|(name, change_log::FieldChange { old, new })| (name, FieldChange { old, new }));
        Self {
            cursor,
            at: at.into(),
            kind: kind.into(),
            event_id: event_id.to_string().into(),
            provider: provider.into(),
            changed: changed.collect(),
        }
    }
}

impl From<change::ChangeKind> for ChangeKind {
    fn from(kind: change::ChangeKind) -> Self {
        match kind {
            change::ChangeKind::Created => Self::Created,
            change::ChangeKind::Left => Self::Left,
            change::ChangeKind::Returned => Self::Returned,
            change::ChangeKind::Cancelled => Self::Cancelled,
            change::ChangeKind::Postponed => Self::Postponed,
            change::ChangeKind::Rescheduled => Self::Rescheduled,
            change::ChangeKind::SoldOut => Self::SoldOut,
            change::ChangeKind::OnSale => Self::OnSale,
            change::ChangeKind::PriceChanged => Self::PriceChanged,
            change::ChangeKind::Updated => Self::Updated,
        }
    }
}

impl Example for ChangePage {
    fn example() -> Self {
        let cursor = "WzIsMTM5MDU2MTAzNDk4MTM3NDk3ODIseyJ2ZXJzaW9uIjo0Miwib3JkaW5hbCI6MCwiYXQiOjE2MTI4NjEyMDAxODMwMDB9XQ";
        let price = FieldChange { old: json!(55.0), new: json!(49.5) };
        let change = Change {
            cursor: cursor.to_owned(),
            at: "2021-02-09T09:00:00.183Z".into(),
            kind: ChangeKind::PriceChanged,
            event_id: "c4a626ff-9f25-5533-a0a8-2b67472b5ee3".into(),
            provider: "fever".into(),
            changed: BTreeMap::from([("min_price".to_owned(), price)]),
        };
        let meta = ChangesMeta { next: cursor.to_owned(), has_more: false };
        Self { data: ChangeList { changes: vec![change] }, meta, error: AlwaysNull }
    }
}

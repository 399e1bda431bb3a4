//! The JSON of a change, the same in `/changes`, its stream and webhooks.

use std::collections::BTreeMap;

use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::LoggedChange;
use crate::change::ChangeKind;

/// A change of an event. `V` is the type of values: parsed, or as text.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeDocument<V = Value> {
    /// The position after this change.
    pub cursor: String,
    /// When the change was committed, as RFC 3339.
    pub at: String,
    /// What happened.
    pub kind: ChangeKind,
    /// The event.
    pub event_id: Uuid,
    /// The slug of its provider.
    pub provider: String,
    /// The changed fields by name.
    pub changed: BTreeMap<String, FieldChange<V>>,
}

/// A changed field.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FieldChange<V = Value> {
    /// The previous value; null if there was none.
    pub old: V,
    /// The new value; null if there is none.
    pub new: V,
}

impl<V: DeserializeOwned> From<LoggedChange> for ChangeDocument<V> {
    fn from(row: LoggedChange) -> Self {
        Self {
            cursor: row.cursor().encode(),
            at: row.at.to_rfc3339(),
            kind: row.kind,
            event_id: row.event_id,
            provider: row.provider,
            // A value in another form must not end the log for its consumers, who can read the event.
            changed: serde_json::from_str(&row.changed).unwrap_or_default(),
        }
    }
}

//! The JSON of a change, the same in `/changes`, its stream and webhooks.

use std::collections::BTreeMap;

use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LoggedChange;
use crate::change::ChangeKind;

/// A change of an event.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeDocument {
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
    pub changed: BTreeMap<String, FieldChange>,
}

/// A changed field.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FieldChange {
    /// The previous value; null if there was none.
    pub old: Value,
    /// The new value; null if there is none.
    pub new: Value,
}

impl From<LoggedChange> for ChangeDocument {
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

//! The batch that is being delivered to an endpoint: its body does not change between attempts, except that the content of an event that
//! is removed for legal reasons is removed from it, too.

use std::collections::{BTreeSet, HashSet};

use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, ExprTrait, QueryOrder, QuerySelect, entity::prelude::*};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use super::{ActiveModel, Column, Entity, Model};
use crate::{UtcInstant, change_log::ChangeCursor, chunks, provider, tombstone};

/// A message with changes.
#[derive(Debug, Serialize)]
pub struct Batch<'a> {
    /// `changes`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it was frozen, as RFC 3339.
    pub timestamp: String,
    /// The changes.
    pub data: BatchData<'a>,
}

/// The changes of a message.
#[derive(Debug, Serialize)]
pub struct BatchData<'a> {
    /// The JSON of the changes, in the order of commits.
    pub changes: Vec<&'a RawValue>,
    /// The position in the log after the message.
    pub next: String,
}

/// A batch with its position.
#[derive(Clone, Debug)]
pub struct FrozenBatch {
    /// Its `webhook-id`.
    pub id: String,
    /// Its body.
    pub body: String,
    /// How many changes it has.
    pub changes: u32,
    /// The position after it.
    pub position: ChangeCursor,
}

impl<'a> Batch<'a> {
    /// A message of a type.
    #[must_use]
    pub fn new(kind: &'static str, now: UtcInstant, changes: Vec<&'a RawValue>, next: ChangeCursor) -> Self {
        Self { kind, timestamp: now.to_rfc3339(), data: BatchData { changes, next: next.encode() } }
    }

    /// Its body.
    #[must_use]
    pub fn encode(&self) -> String {
        // Texts and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl ActiveModel {
    /// Stores a batch.
    #[must_use]
    pub fn with_batch(self, batch: &FrozenBatch, now: UtcInstant) -> Self {
        let position = batch.position.sort_key;
        Self {
            batch_id: Set(Some(batch.id.clone())),
            batch_version: Set(Some(position.version)),
            batch_ordinal: Set(Some(position.ordinal)),
            batch_at: Set(Some(UtcInstant(position.at))),
            batch_changes: Set(Some(i32::try_from(batch.changes).unwrap_or(i32::MAX))),
            frozen_at: Set(Some(now)),
            batch: Set(Some(batch.body.clone())),
            ..self
        }
    }
}

impl Model {
    /// The batch that is being delivered.
    #[must_use]
    pub fn frozen_batch(&self) -> Option<FrozenBatch> {
        let position = crate::change_log::cursor_after(self.batch_version?, self.batch_ordinal?, self.batch_at?);
        let changes = self.batch_changes.and_then(|changes| u32::try_from(changes).ok()).unwrap_or_default();
        Some(FrozenBatch { id: self.batch_id.clone()?, body: self.batch.clone()?, changes, position })
    }
}

/// The body without the content of events that were removed; `None` if it has none.
///
/// It is checked before each attempt: a worker may have read the changes before a takedown, and a program of an earlier release does not
/// know about batches.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn remove_content(database: &impl ConnectionTrait, body: &str) -> Result<Option<String>, DbErr> {
    let Some(message) = Message::parse(body) else { return Ok(None) };
    let mut removed: HashSet<Uuid> = HashSet::new();
    for ids in chunks(message.events().into_iter().collect()) {
        let tombstones = tombstone::Entity::find().select_only().column(tombstone::Column::EventId);
        let ids: Vec<Uuid> = tombstones.filter(tombstone::COLUMN.event_id.is_in(ids)).into_tuple().all(database).await?;
        removed.extend(ids);
    }
    let hidden = provider::Entity::find().select_only().column(provider::Column::Slug);
    let is_hidden = provider::Column::LoadingSince.is_not_null().or(provider::Column::PurgedAt.is_not_null());
    let hidden: Vec<String> = hidden.filter(is_hidden).into_tuple().all(database).await?;
    Ok(message.blank(|event, provider| removed.contains(&event) || hidden.iter().any(|slug| slug == provider)))
}

/// Removes the content of an event from the batches of all endpoints, in the transaction that removes the event.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn forget_event(transaction: &impl ConnectionTrait, event: Uuid) -> Result<(), DbErr> {
    forget(transaction, &event.to_string(), |id, _| id == event).await
}

/// Removes the content of a provider's events from the batches of all endpoints, in the transaction that removes them.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn forget_provider(transaction: &impl ConnectionTrait, slug: &str) -> Result<(), DbErr> {
    forget(transaction, &format!("\"{slug}\""), |_, provider| provider == slug).await
}

/// Removes content from the batches that contain a text.
async fn forget(transaction: &impl ConnectionTrait, text: &str, is_removed: impl Fn(Uuid, &str) -> bool) -> Result<(), DbErr> {
    // All transactions lock rows in the same order, so that none waits for another one that waits for it.
    let ids: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Batch.contains(text))
        .order_by_asc(Column::Id)
        .into_tuple()
        .all(transaction)
        .await?;
    for id in ids {
        // Under a lock, so that no delivery changes the row in between.
        let row = Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
        let blanked = |row: &Model| row.batch.as_deref().and_then(Message::parse)?.blank(&is_removed);
        if let Some((row, body)) = row.and_then(|row| blanked(&row).map(|body| (row, body))) {
            let columns = ActiveModel { batch: Set(Some(body)), ..Default::default() };
            super::update(transaction, (id, row.revision), columns).await?;
        }
    }
    Ok(())
}

/// A body that was parsed.
struct Message(Value);

impl Message {
    fn parse(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok().map(Self)
    }

    fn changes(&self) -> impl Iterator<Item = &Value> {
        self.0["data"]["changes"].as_array().into_iter().flatten()
    }

    /// The events of which it has content.
    fn events(&self) -> BTreeSet<Uuid> {
        self.changes().filter(|change| !is_blank(change)).filter_map(event_of).collect()
    }

    /// The body without the content of some events; `None` if it has none.
    fn blank(mut self, is_removed: impl Fn(Uuid, &str) -> bool) -> Option<String> {
        let mut is_changed = false;
        for change in self.0["data"]["changes"].as_array_mut()? {
            let provider = change["provider"].as_str().unwrap_or_default();
            if !is_blank(change) && event_of(change).is_some_and(|event| is_removed(event, provider)) {
                change["changed"] = Value::Object(Map::new());
                is_changed = true;
            }
        }
        is_changed.then(|| self.0.to_string())
    }
}

/// Whether a change has no content, as those of an event that was removed. That it has left its feed remains.
fn is_blank(change: &Value) -> bool {
    change["changed"].as_object().is_some_and(|fields| fields.keys().all(|name| name == "listed"))
}

fn event_of(change: &Value) -> Option<Uuid> {
    change["event_id"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_content_of_removed_events_is_blanked() {
        let (removed, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let change =
            |event: Uuid| format!(r#"{{"event_id":"{event}","provider":"fever","changed":{{"name":{{"old":1,"new":2}}}}}}"#);
        let body = format!(r#"{{"type":"changes","data":{{"changes":[{},{}],"next":"x"}}}}"#, change(removed), change(other));
        let parse = || Message::parse(&body).expect("JSON");
        assert_eq!(parse().events().len(), 2);
        assert_eq!(parse().blank(|_, provider| provider == "northstage"), None);
        let blanked = Message::parse(&parse().blank(|event, _| event == removed).expect("a change")).expect("JSON");
        let changed: Vec<bool> = blanked.changes().map(is_blank).collect();
        assert_eq!(changed, [true, false]);
        assert_eq!(blanked.blank(|event, _| event == removed), None, "nothing is left to remove");
    }
}

//! Keeps removed events out of the copy: their items are skipped, and what was rejected of them is not quoted.

use std::collections::{HashMap, HashSet};

use entity::{item_id::undated_key, tombstone};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{diff::CopiedBaseEvent, identity::ItemIds, summary::BaseEventDetail};
use crate::provider::item::RejectSubject;

/// The events of a provider that were removed for legal reasons. They are few.
#[derive(Debug)]
pub(super) struct Tombstones {
    events: HashSet<Uuid>,
    base_events: HashSet<Uuid>,
}

impl Tombstones {
    /// Fetches all of a provider. After its row was locked, no more are added.
    pub(super) async fn fetch(database: &impl ConnectionTrait, provider_id: i32) -> Result<Self, DbErr> {
        let rows = tombstone::Entity::find()
            .select_only()
            .columns([tombstone::Column::EventId, tombstone::Column::BaseEventId])
            .filter(tombstone::COLUMN.provider_id.eq(provider_id))
            .into_tuple::<(Uuid, Uuid)>()
            .all(database)
            .await?;
        let (events, base_events) = rows.into_iter().unzip();
        Ok(Self { events, base_events })
    }

    /// Removes their items from base events that are compared with their copies, and base events of which nothing else is left. Returns
    /// the number of removed items.
    pub(super) fn remove_items(
        &self,
        details: &mut Vec<BaseEventDetail>,
        (copied, ids): (&HashMap<Uuid, CopiedBaseEvent>, &ItemIds),
    ) -> usize {
        let mut count = 0;
        details.retain_mut(|detail| {
            // Their base events may have other ids since.
            let removed = if self.events.is_empty() { 0 } else { self.remove_events(detail, ids) };
            count += removed;
            let has_removed = removed > 0 || self.base_events.contains(&detail.id);
            !has_removed || !detail.item.events.is_empty() || copied.contains_key(&detail.id)
        });
        count
    }

    fn remove_events(&self, detail: &mut BaseEventDetail, ids: &ItemIds) -> usize {
        let BaseEventDetail { item, event_hashes, .. } = detail;
        let before = item.events.len();
        let events = item.events.drain(..).zip(event_hashes.drain(..));
        (item.events, *event_hashes) = events
            .filter(|(event, _)| !self.contains_event(&item.source_id, (&event.source_id, &event.start.wall_clock), ids))
            .unzip();
        before - item.events.len()
    }

    /// Whether a rejected item may quote one of them.
    pub(super) fn may_be_quoted_by(&self, subject: &RejectSubject, ids: &ItemIds) -> bool {
        let contains_base_event = |base_event: &str| self.base_events.contains(&ids.base_event(base_event));
        match subject {
            // An item without an id may be any of them.
            RejectSubject::BaseEvent(None) => !self.events.is_empty(),
            RejectSubject::BaseEvent(Some(base_event)) | RejectSubject::Event { base_event, event: None } => {
                contains_base_event(base_event)
            }
            RejectSubject::Event { base_event, event: Some(event) } => self.contains_event(base_event, (event, ""), ids),
        }
    }

    /// Whether an event was removed, on this or, if only its key without a date is known, on any date.
    fn contains_event(&self, base_event: &str, (event, wall_clock): (&str, &str), ids: &ItemIds) -> bool {
        let contains = |key: &str| self.events.contains(&ids.event(base_event, key));
        contains(event) || undated_key(event, wall_clock).is_some_and(|key| contains(&key))
    }
}

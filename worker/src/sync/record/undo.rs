//! The previous rows of what a sync changes, from which `marquee-worker revert` restores them.

use std::collections::HashMap;

use entity::{EventStatus, UtcInstant, base_event, deadline, event, event_performer, performer, sync_run, undo, venue};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, IdenStatic, IntoActiveModel};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    super::{
        SyncError,
        diff::{CopiedBaseEvent, CopyChanges},
    },
    previous_state::PreviousState,
    row_codec::{StoredRow, decode_rows, encode_rows, id_of},
};

/// A low level: the rows are repetitive, and a sync waits for it.
const COMPRESSION_LEVEL: i32 = 1;

/// What a batch replaces, and what it adds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::sync) struct PreviousRows {
    base_events: Vec<StoredRow>,
    events: Vec<StoredRow>,
    zones: Vec<StoredRow>,
    event_performers: Vec<StoredRow>,
    venues: Vec<StoredRow>,
    performers: Vec<StoredRow>,
    new_base_events: Vec<Uuid>,
    new_events: Vec<Uuid>,
    pub(in crate::sync) new_venues: Vec<Uuid>,
    pub(in crate::sync) new_performers: Vec<Uuid>,
    /// The document of the run. Those of earlier releases have none.
    #[serde(default)]
    pub(in crate::sync) body_hash: Option<i64>,
}

/// Stores the previous rows of one run, batch by batch.
#[derive(Debug)]
pub(super) struct UndoWriter {
    sync_run_id: i64,
    provider_id: i32,
    body_hash: i64,
    part: i32,
}

impl UndoWriter {
    pub(super) fn new(run: &sync_run::Model, body_hash: i64) -> Self {
        Self { sync_run_id: run.id, provider_id: run.provider_id, body_hash, part: 0 }
    }

    /// Stores what a batch replaces.
    pub(super) async fn add(
        &mut self,
        database: &impl ConnectionTrait,
        previous: &PreviousState<'_>,
        changes: &CopyChanges,
    ) -> Result<(), SyncError> {
        let rows = PreviousRows { body_hash: Some(self.body_hash), ..PreviousRows::of(previous, changes)? };
        if rows.is_empty() {
            return Ok(());
        }
        let stored = undo::Model {
            sync_run_id: self.sync_run_id,
            part: self.part,
            provider_id: self.provider_id,
            previous: rows.encode().map_err(SyncError::Spool)?,
        };
        self.part += 1;
        let insert = undo::Entity::insert(stored.into_active_model());
        deadline::within(deadline::BULK, database, insert.exec_without_returning(database)).await?;
        Ok(())
    }
}

impl PreviousRows {
    fn of(previous: &PreviousState<'_>, changes: &CopyChanges) -> Result<Self, DbErr> {
        let copied = |id: &Uuid| previous.base_events.get(id);
        let changed = changes.base_events.iter().map(|row| row.id).chain(changes.removed_base_events.iter().copied());
        let (copied_ids, new_base_events): (Vec<Uuid>, Vec<Uuid>) = changed.partition(|id| copied(id).is_some());
        let zones = previous.events.keys().flat_map(|id| previous.zones_of(*id));
        let performers = previous.events.keys().flat_map(|id| previous.performers_of(*id));
        let (old_venues, new_venues) = changes.venues.keys().partition::<Vec<Uuid>, _>(|id| previous.venues.contains_key(id));
        let (old_performers, new_performers) =
            changes.performers.keys().partition::<Vec<Uuid>, _>(|id| previous.performers.contains_key(id));
        Ok(Self {
            base_events: encode_rows(copied_ids.iter().filter_map(copied).map(|copied| &copied.base_event))?,
            events: encode_rows(previous.events.values().copied())?,
            zones: encode_rows(zones)?,
            event_performers: encode_rows(performers)?,
            venues: encode_rows(old_venues.iter().filter_map(|id| previous.venues.get(id)))?,
            performers: encode_rows(old_performers.iter().filter_map(|id| previous.performers.get(id)))?,
            new_base_events,
            new_events: changes.new_events.iter().map(|event| event.id).collect(),
            new_venues,
            new_performers,
            body_hash: None,
        })
    }

    /// Every base event, venue and performer that is replaced or added.
    pub(in crate::sync) fn list_items(&self) -> impl Iterator<Item = Uuid> {
        let rows = [&self.base_events, &self.venues, &self.performers].into_iter().flatten();
        let added = [&self.new_base_events, &self.new_venues, &self.new_performers].into_iter().flatten();
        rows.filter_map(id_of).chain(added.copied())
    }

    /// The base events that are replaced or added.
    pub(in crate::sync) fn list_base_events(&self) -> Vec<Uuid> {
        self.base_events.iter().filter_map(id_of).chain(self.new_base_events.iter().copied()).collect()
    }

    /// The changes that restore the rows.
    pub(in crate::sync) fn into_changes(
        self,
        copied: &HashMap<Uuid, CopiedBaseEvent>,
        now: UtcInstant,
    ) -> Result<CopyChanges, DbErr> {
        let base_events = decode_rows::<base_event::Model>(&self.base_events)?;
        let is_retitled =
            |row: &&base_event::Model| copied.get(&row.id).is_some_and(|copied| !copied.base_event.has_content_of(row));
        let mut events = decode_rows::<event::Model>(&self.events)?;
        for event in &mut events {
            let current = copied.get(&event.base_event_id).and_then(|copied| copied.events.get(&event.id));
            event.next_boundary_at = event.continue_boundaries(current, now);
        }
        let venues = decode_rows::<venue::Model>(&self.venues)?;
        let performers = decode_rows::<performer::Model>(&self.performers)?;
        Ok(CopyChanges {
            retitled: base_events.iter().filter(is_retitled).map(|row| row.id).collect(),
            base_events,
            replaced: events.iter().map(|event| event.id).collect(),
            changed_events: events,
            zones: decode_rows(&self.zones)?,
            event_performers: decode_rows(&self.event_performers)?,
            venues: venues.into_iter().map(|venue| (venue.id, venue)).collect(),
            performers: performers.into_iter().map(|performer| (performer.id, performer)).collect(),
            deleted_events: self.new_events,
            deleted_base_events: self.new_base_events,
            ..CopyChanges::default()
        })
    }

    fn is_empty(&self) -> bool {
        self.base_events.is_empty() && self.new_base_events.is_empty()
    }

    fn encode(&self) -> std::io::Result<Vec<u8>> {
        zstd::bulk::compress(&serde_json::to_vec(self)?, COMPRESSION_LEVEL)
    }

    pub(in crate::sync) fn decode(stored: &[u8]) -> std::io::Result<Self> {
        let mut rows: Self = serde_json::from_slice(&zstd::stream::decode_all(stored)?)?;
        for (rows, column, value) in [
            (&mut rows.events, event::Column::Status.as_str(), EventStatus::default().name().into()),
            (&mut rows.venues, venue::Column::Located.as_str(), true.into()),
            (&mut rows.event_performers, event_performer::Column::Cancelled.as_str(), false.into()),
        ] {
            // The release before had no such column.
            for row in rows {
                row.entry(column).or_insert_with(|| Json::clone(&value));
            }
        }
        Ok(rows)
    }
}

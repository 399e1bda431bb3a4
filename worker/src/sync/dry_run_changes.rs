//! The first changes that a feed would make, for the report of a dry run.

use std::collections::HashMap;

use entity::{base_event, deadline, event, key_chunks};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Value, json};
use uuid::Uuid;

use super::diff::CopyChanges;

/// Changes of a report: enough to recognize what a feed does.
const MAX_LISTED: usize = 100;

/// The first changes.
#[derive(Debug, Default)]
pub(super) struct FirstChanges {
    changes: Vec<FirstChange>,
}

#[derive(Debug)]
struct FirstChange {
    kind: &'static str,
    /// None if it is a show that changes with all its events.
    event: Option<Uuid>,
    title: Option<String>,
    start: Option<String>,
}

impl FirstChanges {
    /// Adds the changes of a batch.
    pub(super) fn add(&mut self, batch: &CopyChanges) {
        let free = MAX_LISTED - self.changes.len();
        if free == 0 {
            return;
        }
        let titles: HashMap<Uuid, &str> = batch.base_events.iter().map(|row| (row.id, row.title.as_str())).collect();
        let describe = |kind, row: &event::Model| FirstChange {
            kind,
            event: Some(row.id),
            title: titles.get(&row.base_event_id).map(|title| (*title).to_owned()),
            start: Some(row.local_start.clone()),
        };
        let inserted = batch.new_events.iter().map(|row| describe("inserted", row));
        let updated = batch.changed_events.iter().map(|row| describe("updated", row));
        let retitled = batch.retitled.iter().map(|show| FirstChange {
            kind: "updated",
            event: None,
            title: titles.get(show).map(|title| (*title).to_owned()),
            start: None,
        });
        let left = batch.left.iter().map(|id| FirstChange { kind: "left", event: Some(*id), title: None, start: None });
        self.changes.extend(inserted.chain(retitled).chain(updated).chain(left).take(free));
    }

    /// The changes as JSON. Reads the events of the copy that would be removed from the feed.
    pub(super) async fn describe(mut self, database: &DatabaseConnection) -> Result<Value, DbErr> {
        let unknown = self.changes.iter().filter(|change| change.title.is_none()).filter_map(|change| change.event).collect();
        let known = deadline::within(deadline::BULK, database, fetch(database, unknown)).await?;
        for change in &mut self.changes {
            if let Some((title, start)) = change.event.and_then(|event| known.get(&event)) {
                (change.title, change.start) = (Some(title.clone()), Some(start.clone()));
            }
        }
        let describe =
            |FirstChange { kind, event, title, start }| json!({ "kind": kind, "id": event, "title": title, "start": start });
        Ok(self.changes.into_iter().map(describe).collect())
    }
}

/// The titles and starts of events.
async fn fetch(database: &DatabaseConnection, ids: Vec<Uuid>) -> Result<HashMap<Uuid, (String, String)>, DbErr> {
    let mut found = HashMap::new();
    for ids in key_chunks(ids) {
        let events = event::Entity::find().filter(event::COLUMN.id.is_in(ids)).all(database).await?;
        let shows: Vec<Uuid> = events.iter().map(|event| event.base_event_id).collect();
        let titles = base_event::Entity::find()
            .select_only()
            .columns([base_event::Column::Id, base_event::Column::Title])
            .filter(base_event::COLUMN.id.is_in(shows))
            .into_tuple::<(Uuid, String)>();
        let titles: HashMap<Uuid, String> = titles.all(database).await?.into_iter().collect();
        found.extend(
            events
                .into_iter()
                .filter_map(|event| Some((event.id, (titles.get(&event.base_event_id)?.clone(), event.local_start)))),
        );
    }
    Ok(found)
}

//! Brings the copy to what a feed says, within the caller's transaction, which holds the provider's row: reads the hashes, compares, writes what differs.

use std::collections::HashMap;

use entity::{base_event, catalogue_version, event, event_performer, zone};
use sea_orm::{
    ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, Iterable, PrimaryKeyToColumn, QueryFilter,
    QuerySelect, sea_query::OnConflict,
};
use uuid::Uuid;

use super::{
    chunks::chunks,
    diff::{self, Changes, Known, KnownEvent, Origin},
    report::Counts,
};
use crate::provider::item::Feed;

/// Takes a whole feed into the copy and says what that changed.
pub(super) async fn apply(transaction: &DatabaseTransaction, origin: Origin<'_>, feed: &Feed) -> Result<Counts, DbErr> {
    let known_hashes = known_hashes(transaction, origin.provider_id).await?;
    let comparison = diff::compare(feed, &known_hashes, origin.slug);
    let known = known(transaction, comparison.base_event_ids()).await?;
    let mut changes = diff::changes(comparison, known, origin);
    changes.counts.fetched = feed.event_count();
    changes.counts.rejected = feed.rejects.len();
    let (counts, visible) = (changes.counts, changes.visible);
    write(transaction, changes, origin).await?;
    if visible {
        catalogue_version::raise(transaction).await?;
    }
    Ok(counts)
}

/// The content hash of each base event that the copy holds of a provider.
async fn known_hashes(transaction: &DatabaseTransaction, provider_id: i32) -> Result<HashMap<Uuid, Option<i64>>, DbErr> {
    let rows: Vec<(Uuid, Option<i64>)> = base_event::Entity::find()
        .select_only()
        .columns([base_event::Column::Id, base_event::Column::ContentHash])
        .filter(base_event::COLUMN.provider_id.eq(provider_id))
        .into_tuple()
        .all(transaction)
        .await?;
    Ok(rows.into_iter().collect())
}

/// What the copy holds of these base events.
async fn known(transaction: &DatabaseTransaction, base_events: Vec<Uuid>) -> Result<HashMap<Uuid, Known>, DbErr> {
    let mut known = HashMap::new();
    for ids in chunks(base_events) {
        let rows = base_event::Entity::find().filter(base_event::COLUMN.id.is_in(ids.clone())).all(transaction).await?;
        known.extend(rows.into_iter().map(|base_event| (base_event.id, Known { base_event, events: HashMap::new() })));
        let events = event::Entity::find().filter(event::COLUMN.base_event_id.is_in(ids)).all(transaction).await?;
        for event::Model { id, base_event_id, content_hash, first_seen_at, left_at, came_back_at, .. } in events {
            if let Some(known) = known.get_mut(&base_event_id) {
                known.events.insert(id, KnownEvent { content_hash, first_seen_at, left_at, came_back_at });
            }
        }
    }
    Ok(known)
}

async fn write(transaction: &DatabaseTransaction, changes: Changes, origin: Origin<'_>) -> Result<(), DbErr> {
    upsert(transaction, changes.base_events).await?;
    upsert(transaction, changes.venues.into_values().collect()).await?;
    upsert(transaction, changes.performers.into_values().collect()).await?;
    upsert(transaction, changes.events).await?;
    for events in chunks(changes.replaced) {
        zone::Entity::delete_many().filter(zone::COLUMN.event_id.is_in(events.clone())).exec(transaction).await?;
        event_performer::Entity::delete_many().filter(event_performer::COLUMN.event_id.is_in(events)).exec(transaction).await?;
    }
    upsert(transaction, changes.zones).await?;
    upsert(transaction, changes.event_performers).await?;
    for base_events in chunks(changes.now_shown) {
        event::Entity::update_many()
            .col_expr(event::Column::Shown, true.into())
            .filter(event::COLUMN.base_event_id.is_in(base_events))
            .exec(transaction)
            .await?;
    }
    for events in chunks(changes.left) {
        event::Entity::update_many()
            .col_expr(event::Column::LeftAt, origin.taken_at.into())
            .col_expr(event::Column::LastSeenAt, origin.last_taken_at.into())
            .filter(event::COLUMN.id.is_in(events))
            .exec(transaction)
            .await?;
    }
    for base_events in chunks(changes.vanished_base_events) {
        base_event::Entity::update_many()
            .col_expr(base_event::Column::ContentHash, None::<i64>.into())
            .filter(base_event::COLUMN.id.is_in(base_events))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// Inserts rows; one whose key is there already is replaced.
async fn upsert<M>(transaction: &DatabaseTransaction, rows: Vec<M>) -> Result<(), DbErr>
where
    M: sea_orm::ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    let key: Vec<_> = <M::Entity as EntityTrait>::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let is_key = |column: &<M::Entity as EntityTrait>::Column| {
        <<M::Entity as EntityTrait>::PrimaryKey as PrimaryKeyToColumn>::from_column(*column).is_some()
    };
    let others = <M::Entity as EntityTrait>::Column::iter().filter(|column| !is_key(column));
    let on_conflict = OnConflict::columns(key).update_columns(others).to_owned();
    for chunk in chunks(rows) {
        M::Entity::insert_many(chunk.into_iter().map(IntoActiveModel::into_active_model))
            .on_conflict(on_conflict.clone())
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

//! Reads an event.

use entity::{base_event, event, event_performer, performer, provider, venue, zone};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, Select,
    prelude::Uuid,
};

use crate::database::sql::begin_snapshot;

/// An event and its related rows.
#[derive(Debug)]
pub(super) struct EventRows {
    pub(super) event: event::Model,
    pub(super) base_event: base_event::Model,
    pub(super) provider: provider::Model,
    pub(super) venue: Option<venue::Model>,
    pub(super) performers: Vec<performer::Model>,
    pub(super) zones: Vec<zone::Model>,
}

/// Selects an event, joined with its base event and its provider. For readers, an event that was never on sale online does not exist, nor
/// do the events of an incomplete first load.
pub(crate) fn select_visible(id: Uuid) -> Select<event::Entity> {
    event::Entity::find_by_id(id)
        .filter(event::Column::Shown.eq(true))
        .join(JoinType::InnerJoin, event::Relation::BaseEvent.def())
        .join(JoinType::InnerJoin, base_event::Relation::Provider.def())
        .filter(provider::COLUMN.loading_since.is_null())
}

/// Reads an event that readers can see.
pub(super) async fn find(database: &DatabaseConnection, id: Uuid) -> Result<Option<EventRows>, DbErr> {
    // One snapshot, so that a concurrent sync cannot mix the zones of two feeds.
    let snapshot = begin_snapshot(database).await?;
    let event = select_visible(id).select_also(base_event::Entity);
    let Some((event, Some(base_event))) = event.one(&snapshot).await? else {
        // Not a rollback, which would close the connection.
        snapshot.commit().await?;
        return Ok(None);
    };
    let provider = provider::Entity::find_by_id(base_event.provider_id).one(&snapshot).await?;
    let provider = provider.ok_or_else(|| DbErr::RecordNotFound(format!("provider {}", base_event.provider_id)))?;
    let venue = match event.venue_id {
        Some(venue_id) => venue::Entity::find_by_id(venue_id).one(&snapshot).await?,
        None => None,
    };
    let performers = event_performer::Entity::find()
        .filter(event_performer::COLUMN.event_id.eq(id))
        .order_by_asc(event_performer::Column::Position)
        .find_also_related(performer::Entity)
        .all(&snapshot)
        .await?;
    let zones =
        zone::Entity::find().filter(zone::COLUMN.event_id.eq(id)).order_by_asc(zone::Column::Position).all(&snapshot).await?;
    let performers = performers.into_iter().filter_map(|(_, performer)| performer).collect();
    snapshot.commit().await?;
    Ok(Some(EventRows { event, base_event, provider, venue, performers, zones }))
}

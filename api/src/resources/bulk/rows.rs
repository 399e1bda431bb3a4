//! Reads the events of a provider page by page: ranges of its base events, and the events of each range in parts.

use std::collections::HashMap;

use entity::{base_event, database_now, event, provider};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Uuid, sea_query::Expr,
};

use crate::{
    database::sql::pad,
    resources::events::{EventDetails, load_related},
};

/// Base events of a page. The ids of all their events are in memory, 16 bytes each.
const BASE_EVENTS_PER_PAGE: u64 = 256;
/// Events of a part: with their rows and their lines, about a megabyte.
pub(super) const EVENTS_PER_PART: usize = 256;

/// The providers that readers can see, or the one with this slug.
pub(super) async fn list_providers(snapshot: &impl ConnectionTrait, slug: Option<&str>) -> Result<Vec<provider::Model>, DbErr> {
    let mut select = provider::Entity::find().filter(provider::COLUMN.loading_since.is_null());
    if let Some(slug) = slug {
        select = select.filter(provider::COLUMN.slug.eq(slug));
    }
    select.all(snapshot).await
}

/// The base events of a provider after one with this source id.
pub(super) async fn list_base_events(
    snapshot: &impl ConnectionTrait,
    provider_id: i32,
    after: Option<&str>,
) -> Result<Vec<base_event::Model>, DbErr> {
    let mut select = base_event::Entity::find().filter(base_event::COLUMN.provider_id.eq(provider_id));
    if let Some(after) = after {
        select = select.filter(base_event::COLUMN.source_id.gt(after));
    }
    select.order_by_asc(base_event::Column::SourceId).limit(BASE_EVENTS_PER_PAGE).all(snapshot).await
}

/// The ids of the events of base events that readers can see.
pub(super) async fn list_events(snapshot: &impl ConnectionTrait, base_events: &[base_event::Model]) -> Result<Vec<Uuid>, DbErr> {
    let base_event_ids = pad(base_events.iter().map(|base_event| base_event.id).collect());
    let events = event::Entity::find().select_only().column(event::Column::Id);
    events
        .filter(event::COLUMN.base_event_id.is_in(base_event_ids))
        .filter(Expr::col((event::Entity, event::Column::Shown)))
        .into_tuple()
        .all(snapshot)
        .await
}

/// Events of base events of a provider, with all their details.
pub(super) async fn load_events(
    snapshot: &impl ConnectionTrait,
    provider: &provider::Model,
    base_events: &HashMap<Uuid, base_event::Model>,
    ids: &[Uuid],
) -> Result<Vec<EventDetails>, DbErr> {
    let mut events = event::Entity::find().filter(event::COLUMN.id.is_in(pad(ids.to_vec()))).all(snapshot).await?;
    events.sort_unstable_by_key(|event| event.id);
    let with_base_event =
        |event: event::Model| base_events.get(&event.base_event_id).cloned().map(|base_event| (event, base_event));
    let events = events.into_iter().filter_map(with_base_event).collect();
    let rows = load_related(snapshot, provider, events).await?;
    let now = database_now(snapshot).await?;
    Ok(rows.into_iter().map(|rows| EventDetails::new(rows, now)).collect())
}

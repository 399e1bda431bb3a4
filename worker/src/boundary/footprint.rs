//! The footprint of events that time has changed.

use std::collections::BTreeSet;

use entity::{
    base_event, chunks, event, event_performer,
    footprint::{Cell, Footprint, PartBuilder, Scope, hash_performer},
    performer, venue,
};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::release_metrics;

/// Without concerts: they show neither the availability nor the end of an event.
const SCOPES: &[Scope] = &[Scope::Events];

/// Reads the categories, venues and performers of events.
pub(super) async fn fetch(database: &impl ConnectionTrait, events: &[&event::Model]) -> Result<Footprint, DbErr> {
    let mut part = PartBuilder::new(SCOPES);
    events.iter().for_each(|event| part.add_days(event.starts_at, event.ends_at));
    events.iter().filter_map(|event| event.category.as_deref()).for_each(|category| part.add_category(category));
    let of_base_event = events.iter().filter(|event| event.category.is_none()).map(|event| event.base_event_id);
    for ids in chunks(Vec::from_iter(of_base_event.collect::<BTreeSet<Uuid>>())) {
        let categories = base_event::Entity::find()
            .select_only()
            .distinct()
            .column(base_event::Column::Category)
            .filter(base_event::COLUMN.id.is_in(ids))
            .into_tuple::<Option<String>>();
        categories.all(database).await?.iter().flatten().for_each(|category| part.add_category(category));
    }
    let venues: BTreeSet<Uuid> = events.iter().filter_map(|event| event.venue_id).collect();
    for ids in chunks(Vec::from_iter(venues)) {
        let venues = venue::Entity::find().filter(venue::COLUMN.id.is_in(ids)).all(database).await?;
        venues.iter().for_each(|venue| part.add_cell(Cell::at(venue.latitude, venue.longitude)));
    }
    for ids in chunks(events.iter().map(|event| event.id).collect()) {
        let performers = event_performer::Entity::find()
            .inner_join(performer::Entity)
            .select_only()
            .distinct()
            .column(performer::Column::SourceId)
            .filter(event_performer::COLUMN.event_id.is_in(ids))
            .into_tuple::<String>();
        performers.all(database).await?.iter().for_each(|source_id| part.add_performer(hash_performer(source_id)));
    }
    release_metrics::count_overflows(std::slice::from_ref(&part));
    Ok(Footprint::of_parts([part]))
}

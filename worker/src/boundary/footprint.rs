//! The footprint of events that time has changed.

use entity::{
    event,
    footprint::{Cell, Footprint, PartBuilder, Scope, hash_performer},
};

use super::details::Details;
use crate::release_metrics;

/// Without concerts: they show neither the availability nor the end of an event.
const SCOPES: &[Scope] = &[Scope::Events];

/// The days, categories, venues and performers of events of the providers with these slugs.
pub(super) fn build<'a>(events: &[&event::Model], details: &Details, providers: impl IntoIterator<Item = &'a str>) -> Footprint {
    let mut part = PartBuilder::new(SCOPES).of_providers(providers);
    for event in events {
        part.add_days(event.starts_at, event.ends_at);
        details.category_of(event).into_iter().for_each(|category| part.add_category(category));
        let venue = details.venue_of(event);
        venue.into_iter().for_each(|venue| part.add_cell(Cell::at(venue.latitude, venue.longitude)));
        details.performers_of(event).iter().for_each(|performer| part.add_performer(hash_performer(&performer.source_id)));
    }
    release_metrics::count_overflows(std::slice::from_ref(&part));
    Footprint::of_parts([part])
}

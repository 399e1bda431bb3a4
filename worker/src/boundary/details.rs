//! What else readers see of events that time has changed: their base events, venues and performers.

use std::collections::{BTreeSet, HashMap};

use entity::{
    base_event, event, event_performer,
    event_state::{EventRows, EventState},
    key_chunks, performer, provider, venue,
};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

/// The rows of events beside themselves.
#[derive(Debug, Default)]
pub(super) struct Details {
    base_events: HashMap<Uuid, base_event::Model>,
    venues: HashMap<Uuid, venue::Model>,
    /// In their order.
    performers: HashMap<Uuid, Vec<performer::Model>>,
}

impl Details {
    pub(super) async fn fetch(database: &impl ConnectionTrait, events: &[&event::Model]) -> Result<Self, DbErr> {
        let mut details = Self::default();
        let base_events: BTreeSet<Uuid> = events.iter().map(|event| event.base_event_id).collect();
        for ids in key_chunks(Vec::from_iter(base_events)) {
            let rows = base_event::Entity::find().filter(base_event::COLUMN.id.is_in(ids)).all(database).await?;
            details.base_events.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        let venues: BTreeSet<Uuid> = events.iter().filter_map(|event| event.venue_id).collect();
        for ids in key_chunks(Vec::from_iter(venues)) {
            let rows = venue::Entity::find().filter(venue::COLUMN.id.is_in(ids)).all(database).await?;
            details.venues.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        for ids in key_chunks(events.iter().map(|event| event.id).collect()) {
            let rows = event_performer::Entity::find()
                .filter(event_performer::COLUMN.event_id.is_in(ids))
                .order_by_asc(event_performer::Column::EventId)
                .order_by_asc(event_performer::Column::Position)
                .find_also_related(performer::Entity);
            for (row, performer) in rows.all(database).await? {
                details.performers.entry(row.event_id).or_default().extend(performer);
            }
        }
        Ok(details)
    }

    /// The category of an event.
    pub(super) fn category_of<'a>(&'a self, event: &'a event::Model) -> Option<&'a str> {
        let of_base_event = || self.base_events.get(&event.base_event_id).and_then(|row| row.category.as_deref());
        event.category.as_deref().or_else(of_base_event)
    }

    pub(super) fn venue_of(&self, event: &event::Model) -> Option<&venue::Model> {
        event.venue_id.and_then(|id| self.venues.get(&id))
    }

    pub(super) fn performers_of(&self, event: &event::Model) -> &[performer::Model] {
        self.performers.get(&event.id).map(Vec::as_slice).unwrap_or_default()
    }

    /// What filters select of an event with an availability.
    pub(super) fn state_of(
        &self,
        event: &event::Model,
        provider: &provider::Model,
        availability: event::Availability,
    ) -> Option<EventState> {
        let base_event = self.base_events.get(&event.base_event_id)?;
        let performers: Vec<&performer::Model> = self.performers_of(event).iter().collect();
        let rows = EventRows {
            event,
            base_event,
            venue: self.venue_of(event),
            performers: &performers,
            currency: (&provider.currency, provider.currency_digits),
        };
        Some(EventState::new(rows, availability))
    }
}

//! The ids of the items of a provider, of which some had other keys before.

use std::collections::HashMap;

pub use entity::item_id::{base_event_id, event_id, performer_id, venue_id};
use entity::{
    alias::{self, AliasKind},
    performer, venue,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;

/// The ids of the items of one provider, of which some had other keys before.
#[derive(Debug)]
pub(super) struct ItemIds {
    slug: String,
    /// The ids that items had before, by the ids of their keys.
    aliases: HashMap<Uuid, Uuid>,
    /// The provider's ids of performers and venues with other keys now, by their ids. Clients use them, so that they remain.
    source_ids: HashMap<Uuid, String>,
}

impl ItemIds {
    /// Fetches the aliases of a provider. Only a command or a sync that holds its lane changes them.
    pub(super) async fn fetch(database: &impl ConnectionTrait, provider_id: i32, slug: &str) -> Result<Self, DbErr> {
        let aliases = alias::fetch(database, provider_id).await?;
        let targets = |kind: AliasKind| {
            let targets = alias::Entity::find().select_only().column(alias::Column::Target);
            targets.filter(alias::COLUMN.provider_id.eq(provider_id)).filter(alias::Column::Kind.eq(kind)).into_query()
        };
        let performers = performer::Entity::find()
            .select_only()
            .columns([performer::Column::Id, performer::Column::SourceId])
            .filter(performer::Column::Id.in_subquery(targets(AliasKind::Performer)));
        let venues = venue::Entity::find()
            .select_only()
            .columns([venue::Column::Id, venue::Column::SourceId])
            .filter(venue::Column::Id.in_subquery(targets(AliasKind::Venue)));
        let mut source_ids: HashMap<Uuid, String> = performers.into_tuple().all(database).await?.into_iter().collect();
        source_ids.extend(venues.into_tuple::<(Uuid, String)>().all(database).await?);
        Ok(Self { slug: slug.to_owned(), aliases, source_ids })
    }

    pub(super) fn base_event(&self, base_event: &str) -> Uuid {
        self.resolve(self.base_event_of_key(base_event))
    }

    /// The id of the key of a base event.
    pub(super) fn base_event_of_key(&self, base_event: &str) -> Uuid {
        base_event_id(&self.slug, base_event)
    }

    pub(super) fn event(&self, base_event: &str, event: &str) -> Uuid {
        self.resolve(self.event_of_key(base_event, event))
    }

    /// The id of the key of an event.
    pub(super) fn event_of_key(&self, base_event: &str, event: &str) -> Uuid {
        event_id(&self.slug, base_event, event)
    }

    pub(super) fn venue(&self, venue: &str) -> Uuid {
        self.resolve(self.venue_of_key(venue))
    }

    /// The id of the key of a venue.
    pub(super) fn venue_of_key(&self, venue: &str) -> Uuid {
        venue_id(&self.slug, venue)
    }

    pub(super) fn performer(&self, performer: &str) -> Uuid {
        self.resolve(self.performer_of_key(performer))
    }

    /// The id of the key of a performer.
    pub(super) fn performer_of_key(&self, performer: &str) -> Uuid {
        performer_id(&self.slug, performer)
    }

    /// The provider's id with which a performer or a venue is shown.
    pub(super) fn shown_source_id(&self, id: Uuid, key: &str) -> String {
        self.source_ids.get(&id).map_or_else(|| key.to_owned(), String::clone)
    }

    /// The id that an id of a key means.
    pub(super) fn resolve(&self, id: Uuid) -> Uuid {
        self.aliases.get(&id).copied().unwrap_or(id)
    }
}

//! Ids of the items of a feed, the same in every run, on every machine and database.
//!
//! Each is a UUIDv5 ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562#section-5.5)) in Marquee's namespace. Its name is the kind, the
//! provider's slug and the provider's ids, joined by the ASCII unit separator, which none of them can contain.

use std::collections::HashMap;

use entity::{
    alias::{self, AliasKind},
    performer, venue,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use uuid::{Uuid, uuid};

/// Must never change: every public id depends on it.
const NAMESPACE: Uuid = uuid!("6f1d2f0a-6a52-4c8e-9d0b-3b1f6f9a7c11");

/// The id of a base event.
#[must_use]
pub fn base_event_id(slug: &str, base_event: &str) -> Uuid {
    id(&["base_event", slug, base_event])
}

/// The public id of an event. The provider's event id is unique only within its base event.
#[must_use]
pub fn event_id(slug: &str, base_event: &str, event: &str) -> Uuid {
    id(&["event", slug, base_event, event])
}

/// The id of a venue.
#[must_use]
pub fn venue_id(slug: &str, venue: &str) -> Uuid {
    id(&["venue", slug, venue])
}

/// The id of a performer.
#[must_use]
pub fn performer_id(slug: &str, performer: &str) -> Uuid {
    id(&["performer", slug, performer])
}

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

fn id(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, parts.join("\u{1f}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_change() {
        assert_eq!(event_id("fever", "322", "1642").to_string(), "c4a626ff-9f25-5533-a0a8-2b67472b5ee3");
    }

    #[test]
    fn event_ids_are_scoped_by_base_event() {
        assert_ne!(event_id("fever", "322", "1642"), event_id("fever", "1591", "1642"));
        assert_ne!(event_id("a", "bc", "d"), event_id("a", "b", "cd"));
    }
}

//! `event`: one dated showing of a base event.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// One event. Prices are minor units of its provider's currency.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// The public id: UUIDv5 of (provider slug, base event id, event id).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The base event.
    pub base_event_id: Uuid,
    /// The provider's id of it, unique only within its base event.
    pub source_id: String,
    /// Start in the provider's time zone: `2021-06-30T21:00:00`, with a fraction if the feed has one, or only the date.
    pub local_start: String,
    /// End in the same form, if the feed has one.
    pub local_end: Option<String>,
    /// `local_start` as an instant.
    pub starts_at: UtcInstant,
    /// `local_end` as an instant. An event without an end ends when it starts.
    pub ends_at: UtcInstant,
    /// Start of the sale, in the provider's time zone.
    pub sell_from: Option<String>,
    /// End of the sale, in the provider's time zone.
    pub sell_to: Option<String>,
    /// `sell_from` as an instant; `None` also for an event that an earlier release wrote.
    pub sale_starts_at: Option<UtcInstant>,
    /// `sell_to` as an instant; `None` also for an event that an earlier release wrote.
    pub sale_ends_at: Option<UtcInstant>,
    /// The next of the start and end of the sale and the end of the event; `None` if all are in the past.
    pub next_boundary_at: Option<UtcInstant>,
    /// Whether the provider reports it as sold out.
    pub sold_out: bool,
    /// The lowest price of its zones.
    pub min_price: Option<i64>,
    /// The highest price of its zones.
    pub max_price: Option<i64>,
    /// The venue.
    pub venue_id: Option<Uuid>,
    /// Whether its base event was ever online, repeated so that the search index contains only shown events.
    pub shown: bool,
    /// Hash of its content in the newest feed, including zones, performers and venue.
    pub content_hash: i64,
    /// Start of the first run with a feed that contained it.
    pub first_seen_at: UtcInstant,
    /// Start of the last run with a feed that contained it; `None` while it is in the feed.
    pub last_seen_at: Option<UtcInstant>,
    /// Start of the run that removed it from the feed; `None` while it is in the feed.
    pub left_at: Option<UtcInstant>,
    /// Start of the run in which it last returned to the feed.
    pub came_back_at: Option<UtcInstant>,
    /// The base event.
    #[sea_orm(belongs_to, from = "base_event_id", to = "id")]
    pub base_event: BelongsTo<super::base_event::Entity>,
    /// The venue.
    #[sea_orm(belongs_to, from = "venue_id", to = "id")]
    pub venue: BelongsTo<Option<super::venue::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The first instant after `now` at which time changes the event: its sale begins or ends, or it ends.
    #[must_use]
    pub fn find_next_boundary(&self, now: UtcInstant) -> Option<UtcInstant> {
        let boundaries = [self.sale_starts_at, self.sale_ends_at, Some(self.ends_at)];
        boundaries.into_iter().flatten().filter(|at| *at > now).min()
    }
}

//! `event`: one dated showing of a base event, what a search finds.

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
    /// What it is a showing of.
    pub base_event_id: Uuid,
    /// The provider's own id of it, unique only within its base event.
    pub source_id: String,
    /// The start as the provider's clock shows it: `2021-06-30T21:00:00`, with a fraction if it had one, or only the date.
    pub local_start: String,
    /// The end in the same form, if the provider gave one.
    pub local_end: Option<String>,
    /// `local_start` as an instant.
    pub starts_at: UtcInstant,
    /// `local_end` as an instant; an event with no end ends when it starts.
    pub ends_at: UtcInstant,
    /// Since when tickets are sold, as the provider's clock shows it.
    pub sell_from: Option<String>,
    /// Until when tickets are sold, as the provider's clock shows it.
    pub sell_to: Option<String>,
    /// Whether the provider says that nothing is left.
    pub sold_out: bool,
    /// The lowest price of its zones.
    pub min_price: Option<i64>,
    /// The highest price of its zones.
    pub max_price: Option<i64>,
    /// Where it is.
    pub venue_id: Option<Uuid>,
    /// Whether its base event was ever online. Kept here so that the index of searches holds shown events only.
    pub shown: bool,
    /// Hash of all that the newest copy says of it, zones, performers and venue included.
    pub content_hash: i64,
    /// When a copy first held it.
    pub first_seen_at: UtcInstant,
    /// When a copy last held it, once it has left the feed; `None` while the newest copy holds it.
    pub last_seen_at: Option<UtcInstant>,
    /// When a copy without it was first taken; `None` while the newest copy holds it.
    pub left_at: Option<UtcInstant>,
    /// When it last came back after it had left.
    pub came_back_at: Option<UtcInstant>,
    /// What it is a showing of.
    #[sea_orm(belongs_to, from = "base_event_id", to = "id")]
    pub base_event: BelongsTo<super::base_event::Entity>,
    /// Where it is.
    #[sea_orm(belongs_to, from = "venue_id", to = "id")]
    pub venue: BelongsTo<Option<super::venue::Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}

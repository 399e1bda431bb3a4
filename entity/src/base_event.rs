//! `base_event`: the provider's show. Its dated showings are events.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// One base event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "base_event")]
pub struct Model {
    /// UUIDv5 of (provider slug, the provider's id).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The provider.
    pub provider_id: i32,
    /// The provider's id of it.
    pub source_id: String,
    /// Its title.
    pub title: String,
    /// `online`, `offline` or another value of the provider. Only `online` has a meaning in Marquee.
    pub sell_mode: String,
    /// The provider's id of the organizer.
    pub organizer_company_id: Option<String>,
    /// When it was first seen with sell mode `online`. From then on its events are always shown.
    pub first_online_at: Option<UtcInstant>,
    /// Hash of its content in the newest feed, including its events; `None` if it is not in the feed.
    pub content_hash: Option<i64>,
    /// The slug of its category.
    pub category: Option<String>,
    /// The name of the organizer.
    pub organizer_name: Option<String>,
    /// Where to buy.
    pub url: Option<String>,
    /// A picture.
    pub image_url: Option<String>,
    /// Plain text of several lines.
    pub description: Option<String>,
    /// Hash of the bytes of its element in the document from which it was read, XORed with `content_hash`: a program that changes only that
    /// hash invalidates this one. `None` if it must be parsed again.
    pub element_hash: Option<i64>,
    /// The number of events in that element.
    pub element_events: Option<i32>,
    /// The provider.
    #[sea_orm(belongs_to, from = "provider_id", to = "id")]
    pub provider: BelongsTo<super::provider::Entity>,
}

impl Model {
    /// Whether both have the same content, except for their events.
    #[must_use]
    pub fn has_content_of(&self, other: &Self) -> bool {
        let Self { content_hash, element_hash, element_events, .. } = *other;
        Self { content_hash, element_hash, element_events, ..self.clone() } == *other
    }
}

impl ActiveModelBehavior for ActiveModel {}

//! `base_event`: the provider's show, of which events are the dated showings.

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
    /// Whose it is.
    pub provider_id: i32,
    /// The provider's own id of it.
    pub source_id: String,
    /// What it is called.
    pub title: String,
    /// `online`, `offline` or what else the provider says; only `online` has a meaning here.
    pub sell_mode: String,
    /// The provider's id of the organizer.
    pub organizer_company_id: Option<String>,
    /// When it was first seen with sell mode `online`: from then on its events are shown, for ever.
    pub first_online_at: Option<UtcInstant>,
    /// Hash of all that the newest copy says of it, its events included; `None` while it is not in the feed.
    pub content_hash: Option<i64>,
    /// Whose it is.
    #[sea_orm(belongs_to, from = "provider_id", to = "id")]
    pub provider: BelongsTo<super::provider::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

//! `tombstone`: an event that was removed for legal reasons. A sync does not create it again.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// One removed event.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tombstone")]
pub struct Model {
    /// The event's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    /// The base event, which may no longer exist.
    pub base_event_id: Uuid,
    /// Its provider.
    pub provider_id: i32,
    /// When it was removed.
    pub removed_at: UtcInstant,
    /// Why, as given by the operator.
    pub reason: String,
}

impl ActiveModelBehavior for ActiveModel {}

//! `alias`: ids that mean another event, base event, performer or venue.
//!
//! An id is computed from the keys of its provider. When a provider changes a key, the id that the new key has is stored here with the id
//! that was public before, so that links remain valid and a sync finds the same row.

use std::collections::HashMap;

use sea_orm::{QuerySelect, entity::prelude::*};

/// What an alias names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum AliasKind {
    /// An event.
    #[sea_orm(string_value = "event")]
    Event,
    /// A base event.
    #[sea_orm(string_value = "base_event")]
    BaseEvent,
    /// A performer.
    #[sea_orm(string_value = "performer")]
    Performer,
    /// A venue.
    #[sea_orm(string_value = "venue")]
    Venue,
}

/// One alias.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alias")]
pub struct Model {
    /// The id that means another one. It is the id of no row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The provider.
    pub provider_id: i32,
    /// What it names.
    pub kind: AliasKind,
    /// The id of the row.
    pub target: Uuid,
}

impl ActiveModelBehavior for ActiveModel {}

/// The ids that the aliases of a provider mean.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn fetch(database: &impl ConnectionTrait, provider_id: i32) -> Result<HashMap<Uuid, Uuid>, DbErr> {
    let aliases = Entity::find().select_only().columns([Column::Id, Column::Target]);
    let aliases = aliases.filter(COLUMN.provider_id.eq(provider_id)).into_tuple::<(Uuid, Uuid)>().all(database).await?;
    Ok(aliases.into_iter().collect())
}

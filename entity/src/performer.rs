//! `performer`: an artist or group.

use sea_orm::entity::prelude::*;

/// One performer of one provider.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "performer")]
pub struct Model {
    /// UUIDv5 of (provider slug, the provider's id).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The provider.
    pub provider_id: i32,
    /// The provider's id of it.
    pub source_id: String,
    /// Its name.
    pub name: String,
    /// The name for lookups, see [`fold_name`](crate::fold_name()).
    pub folded_name: String,
}

impl ActiveModelBehavior for ActiveModel {}

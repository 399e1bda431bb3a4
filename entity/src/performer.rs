//! `performer`: who plays.

use sea_orm::entity::prelude::*;

/// One performer, known per provider.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "performer")]
pub struct Model {
    /// UUIDv5 of (provider slug, the provider's id).
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it is.
    pub provider_id: i32,
    /// The provider's own id of it.
    pub source_id: String,
    /// What it is called.
    pub name: String,
    /// The name as it is looked up: see [`folded`](crate::folded).
    pub folded_name: String,
}

impl ActiveModelBehavior for ActiveModel {}

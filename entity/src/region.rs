//! `region`: a named part of the world that contains places and other regions.

use sea_orm::entity::prelude::*;

/// A region. The writer ensures that no region contains itself, at any depth.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "region")]
pub struct Model {
    /// Internal key.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// The name of the region in queries. No place has it as its code.
    #[sea_orm(unique)]
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The name for lookups, see [`fold_name`](crate::fold_name()).
    pub folded_name: String,
    /// The region that contains it.
    pub parent_id: Option<i32>,
}

impl ActiveModelBehavior for ActiveModel {}

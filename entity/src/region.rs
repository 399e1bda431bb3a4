//! `region`: a named part of the world that holds places and other regions.

use sea_orm::entity::prelude::*;

/// A region. No region lies within itself, at any depth: whoever writes them sees to it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "region")]
pub struct Model {
    /// Ours.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// What it is asked for by; no place has it for its code.
    #[sea_orm(unique)]
    pub slug: String,
    /// What it is called.
    pub name: String,
    /// The name as it is looked up, see [`folded`](crate::folded).
    pub folded_name: String,
    /// The region it lies in, if any.
    pub parent_id: Option<i32>,
}

impl ActiveModelBehavior for ActiveModel {}

//! `place`: where somebody can travel from and to.

use sea_orm::entity::prelude::*;

/// A place. It is never deleted, because prices hang on it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "place")]
pub struct Model {
    /// Ours.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// Five characters in the manner of UN/LOCODE.
    #[sea_orm(unique)]
    pub code: String,
    /// What it is called.
    pub name: String,
    /// The name as it is looked up, see [`folded`](crate::folded).
    pub folded_name: String,
    /// The region it lies in, if any.
    pub region_id: Option<i32>,
    /// Whether the newest list of places holds it. If not, it is not known to any caller, and its prices wait for its return.
    pub listed: bool,
}

impl ActiveModelBehavior for ActiveModel {}

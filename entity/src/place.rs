//! `place`: an origin or destination of travel.

use sea_orm::entity::prelude::*;

/// A place. It is never deleted, because prices refer to it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "place")]
pub struct Model {
    /// Internal key.
    #[sea_orm(primary_key)]
    pub id: i32,
    /// UN/LOCODE-style code of five characters.
    #[sea_orm(unique)]
    pub code: String,
    /// Its name.
    pub name: String,
    /// The name for lookups, see [`fold_name`](crate::fold_name()).
    pub folded_name: String,
    /// The region that contains it.
    pub region_id: Option<i32>,
    /// Whether the newest list of places contains it. If not, the API treats it as unknown; its prices are served again once it is listed.
    pub listed: bool,
}

impl ActiveModelBehavior for ActiveModel {}

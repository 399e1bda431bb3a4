//! `schema_compatibility`: one row that states which programs can work with the schema. Only migrations write it.

use sea_orm::entity::prelude::*;

/// The key of the only row.
pub(crate) const ONLY_ROW: i32 = 1;

/// The oldest migrations that programs must know; null if there is none.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schema_compatibility")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Required of all programs: the schema lacks what older ones need.
    pub required_of_programs: Option<String>,
    /// Required of `marquee-worker`: older ones do not write what newer programs need.
    pub required_of_workers: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

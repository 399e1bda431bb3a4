//! `rate`: one price for travelling between two places on a day.

use sea_orm::entity::prelude::*;

/// One price of a batch. Queries read the sums in [`rate_day`](crate::rate_day); these rows allow to delete a batch.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate")]
pub struct Model {
    /// The batch.
    #[sea_orm(primary_key, auto_increment = false)]
    pub batch_id: i64,
    /// The position in the batch, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// The origin.
    pub orig_place_id: i32,
    /// The destination.
    pub dest_place_id: i32,
    /// Days since 1970-01-01.
    pub day: i32,
    /// The price in hundredths.
    pub price: i64,
}

impl ActiveModelBehavior for ActiveModel {}

//! `rate`: one price for travelling from a place to a place on a day.

use sea_orm::entity::prelude::*;

/// One price, as a batch brought it. Answers are given from the sums of [`rate_day`](crate::rate_day); this is what the sums are of.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate")]
pub struct Model {
    /// The batch.
    #[sea_orm(primary_key, auto_increment = false)]
    pub batch_id: i64,
    /// Its place in the batch, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// From where.
    pub orig_place_id: i32,
    /// To where.
    pub dest_place_id: i32,
    /// Days since 1970-01-01.
    pub day: i32,
    /// Hundredths of the unit in which all rates are.
    pub price: i64,
}

impl ActiveModelBehavior for ActiveModel {}

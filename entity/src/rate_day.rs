//! `rate_day`: count and sum of the prices of one route on one day. They are updated in the transaction of a batch, so they always equal a
//! recount of [`rate`](crate::rate).

use sea_orm::entity::prelude::*;

/// One day of one route. A day without prices has no row, or a row of 0 if all its batches were deleted.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_day")]
pub struct Model {
    /// The origin.
    #[sea_orm(primary_key, auto_increment = false)]
    pub orig_place_id: i32,
    /// The destination.
    #[sea_orm(primary_key, auto_increment = false)]
    pub dest_place_id: i32,
    /// Days since 1970-01-01.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i32,
    /// Number of prices.
    pub price_count: i64,
    /// Sum of the prices in hundredths.
    pub price_sum: i64,
}

impl ActiveModelBehavior for ActiveModel {}

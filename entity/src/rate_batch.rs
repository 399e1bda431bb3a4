//! `rate_batch`: prices that are imported together and deleted together.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// One batch.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_batch")]
pub struct Model {
    /// Ascending.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The `Idempotency-Key` of its request. It remains when the batch is deleted: a late retry must not import it again.
    #[sea_orm(unique)]
    pub idempotency_key: Option<String>,
    /// Hash of the body after decompression.
    pub body_hash: String,
    /// Number of prices.
    pub price_count: i64,
    /// Number of days with prices.
    pub day_count: i32,
    /// Number of pairs of places with prices.
    pub route_count: i64,
    /// When it was imported.
    pub taken_at: UtcInstant,
    /// When it was deleted.
    pub taken_back_at: Option<UtcInstant>,
}

impl ActiveModelBehavior for ActiveModel {}

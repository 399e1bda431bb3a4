//! `rate_batch`: prices that came together, and stay or go together.

use sea_orm::entity::prelude::*;

use crate::UtcInstant;

/// One batch.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_batch")]
pub struct Model {
    /// Rises with each batch.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The `Idempotency-Key` that it came with. It stays when the batch is taken back: a late repeat must not bring it again.
    #[sea_orm(unique)]
    pub idempotency_key: Option<String>,
    /// A hash of the body that it came in, without its coding.
    pub body_hash: String,
    /// How many prices it holds.
    pub price_count: i64,
    /// How many days have prices from it.
    pub day_count: i32,
    /// How many pairs of places do.
    pub route_count: i64,
    /// When it was taken in.
    pub taken_at: UtcInstant,
    /// When it was taken back.
    pub taken_back_at: Option<UtcInstant>,
}

impl ActiveModelBehavior for ActiveModel {}

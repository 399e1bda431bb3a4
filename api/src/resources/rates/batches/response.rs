//! The responses of the operations on batches.

use entity::rate_batch;
use poem_openapi::{Object, types::Example};
use serde::Serialize;

use crate::response::{Instant, Nullable};

/// A page of batches.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct BatchList {
    /// The batches, newest first.
    pub batches: Vec<Batch>,
}

/// An imported batch of prices.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Batch {
    /// The id, which increases with each batch.
    #[oai(validator(minimum(value = "1")))]
    pub id: i64,
    /// The number of prices.
    #[oai(validator(minimum(value = "1")))]
    pub count: i64,
    /// The number of days with prices of this batch.
    #[oai(validator(minimum(value = "1")))]
    pub days: i32,
    /// The number of pairs of places with prices of this batch.
    #[oai(validator(minimum(value = "1")))]
    pub routes: i64,
    /// The `Idempotency-Key` of the request.
    pub idempotency_key: Nullable<String>,
    /// When the batch was imported.
    pub taken_at: Instant,
}

impl From<rate_batch::Model> for Batch {
    fn from(batch: rate_batch::Model) -> Self {
        Self {
            id: batch.id,
            count: batch.price_count,
            days: batch.day_count,
            routes: batch.route_count,
            idempotency_key: batch.idempotency_key.into(),
            taken_at: batch.taken_at.into(),
        }
    }
}

impl From<Vec<rate_batch::Model>> for BatchList {
    fn from(batches: Vec<rate_batch::Model>) -> Self {
        Self { batches: batches.into_iter().map(Batch::from).collect() }
    }
}

impl Example for Batch {
    fn example() -> Self {
        Self {
            id: 7,
            count: 56_689,
            days: 31,
            routes: 1_080,
            idempotency_key: Nullable(Some("ce0f5a18-6f2c-4f8e-9d3c-0b8e0d1f5a77".to_owned())),
            taken_at: "2021-01-02T08:00:00Z".into(),
        }
    }
}

impl Example for BatchList {
    fn example() -> Self {
        Self { batches: vec![Batch::example()] }
    }
}

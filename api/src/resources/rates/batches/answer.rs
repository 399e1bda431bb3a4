//! What is told of batches.

use entity::rate_batch;
use poem_openapi::{Object, types::Example};
use serde::Serialize;

use crate::{query::to_rfc3339, response::Nullable};

/// The answer that tells of one.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct BatchAnswer {
    /// The batch.
    pub data: Batch,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// The answer that tells of several.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct BatchesAnswer {
    /// What was found.
    pub data: Batches,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// Several batches.
#[derive(Debug, Object, Serialize)]
pub struct Batches {
    /// The batches, newest first.
    pub batches: Vec<Batch>,
}

/// Prices that came together.
#[derive(Debug, Object, Serialize)]
pub struct Batch {
    /// Rises with each batch.
    pub id: i64,
    /// How many prices it holds.
    pub count: i64,
    /// How many days have prices from it.
    pub days: i32,
    /// How many pairs of places have prices from it.
    pub routes: i64,
    /// The key that it came with.
    pub idempotency_key: Nullable<String>,
    /// When it was taken in.
    pub taken_at: String,
}

impl From<rate_batch::Model> for Batch {
    fn from(batch: rate_batch::Model) -> Self {
        Self {
            id: batch.id,
            count: batch.price_count,
            days: batch.day_count,
            routes: batch.route_count,
            idempotency_key: batch.idempotency_key.into(),
            taken_at: to_rfc3339(batch.taken_at),
        }
    }
}

impl From<rate_batch::Model> for BatchAnswer {
    fn from(batch: rate_batch::Model) -> Self {
        Self { data: batch.into(), error: Nullable(None) }
    }
}

impl From<Vec<rate_batch::Model>> for BatchesAnswer {
    fn from(batches: Vec<rate_batch::Model>) -> Self {
        Self { data: Batches { batches: batches.into_iter().map(Batch::from).collect() }, error: Nullable(None) }
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
            taken_at: "2021-01-02T08:00:00Z".to_owned(),
        }
    }
}

impl Example for BatchAnswer {
    fn example() -> Self {
        Self { data: Batch::example(), error: Nullable(None) }
    }
}

impl Example for BatchesAnswer {
    fn example() -> Self {
        Self { data: Batches { batches: vec![Batch::example()] }, error: Nullable(None) }
    }
}

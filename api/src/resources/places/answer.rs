//! What is told of places.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

/// How much is known.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PlacesCounts {
    /// How many regions there are.
    pub regions: u64,
    /// How many places there are.
    pub places: u64,
    /// Whether the list said anything new.
    pub changed: bool,
}

impl Example for PlacesCounts {
    fn example() -> Self {
        Self { regions: 2, places: 1, changed: true }
    }
}

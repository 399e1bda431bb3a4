//! The response to a replaced list of places.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

/// The numbers of regions and places.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct PlacesCounts {
    /// The number of regions.
    pub regions: u64,
    /// The number of places.
    pub places: u64,
    /// Whether the new list differs from the previous one.
    pub changed: bool,
}

impl Example for PlacesCounts {
    fn example() -> Self {
        Self { regions: 2, places: 1, changed: true }
    }
}

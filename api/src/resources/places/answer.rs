//! What is told of places.

use poem_openapi::{Object, types::Example};
use serde::Serialize;

use super::document::PlacesDocument;
use crate::response::Nullable;

/// The answer to a search.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct PlacesAnswer {
    /// What was found.
    pub data: PlacesDocument,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// The answer to a list that was put.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct PlacesTaken {
    /// What is known now.
    pub data: PlacesCounts,
    /// Always null: errors have their own shape.
    pub error: Nullable<bool>,
}

/// How much is known.
#[derive(Debug, Object, Serialize)]
pub struct PlacesCounts {
    /// How many regions there are.
    pub regions: u64,
    /// How many places there are.
    pub places: u64,
    /// Whether the list said anything new.
    pub changed: bool,
}

impl Example for PlacesAnswer {
    fn example() -> Self {
        Self { data: PlacesDocument::example(), error: Nullable(None) }
    }
}

impl Example for PlacesTaken {
    fn example() -> Self {
        Self { data: PlacesCounts { regions: 2, places: 1, changed: true }, error: Nullable(None) }
    }
}

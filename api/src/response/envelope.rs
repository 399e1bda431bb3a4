//! The outer object of most JSON responses.

use poem_openapi::{
    Object,
    types::{Example, ParseFromJSON, ToJSON, Type},
};
use serde::Serialize;

use super::AlwaysNull;

/// A successful response. Errors have the same two members, with `data` null.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(example)]
pub struct Envelope<T: Type + ParseFromJSON + ToJSON + Example> {
    /// The result.
    pub data: T,
    /// Always null.
    pub error: AlwaysNull,
}

impl<T: Type + ParseFromJSON + ToJSON + Example> From<T> for Envelope<T> {
    fn from(data: T) -> Self {
        Self { data, error: AlwaysNull }
    }
}

impl<T: Type + ParseFromJSON + ToJSON + Example> Example for Envelope<T> {
    fn example() -> Self {
        T::example().into()
    }
}

//! Which venues are asked for, and how they are found.

use std::sync::Arc;

use super::{
    answer::{VenueRow, VenuesAnswer},
    near::Near,
};
use crate::{
    cache::{Found, Question},
    database::{reader::Reader, sql::Sql},
    error::ApiError,
    query::{Parameters, ValidationErrors},
    resources::name_list::{Named, Source},
};

const SOURCE: Source = Source {
    table: "venue",
    columns: "venue.source_id, venue.name, venue.latitude, venue.longitude, venue.place_code, provider.slug",
    joined: "JOIN provider ON provider.id = venue.provider_id",
};

/// The parameters, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct VenuesRequest {
    named: Named,
    near: Option<Near>,
}

impl VenuesRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated, malformed or missing; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut errors = ValidationErrors::default();
        let known = ["q", "latitude", "longitude", "radius", "limit", "cursor"];
        let parameters = Parameters::read(query, &known, &mut errors);
        let near = Near::read(&parameters, &mut errors);
        let place = near.iter().flat_map(Near::filters).collect();
        let named = Named::read("venues", place, &parameters, &mut errors);
        errors.or(Self { named, near })
    }
}

impl Question for VenuesRequest {
    fn key(&self) -> String {
        self.named.key()
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        let mut sql = Sql::default();
        let conditions = Vec::from_iter(self.near.map(|near| near.condition(&mut sql)));
        reader.read(self.named.find::<VenueRow, VenuesAnswer>(&reader.database, &SOURCE, conditions, sql)).await
    }
}

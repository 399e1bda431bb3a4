//! Which performers are asked for, and how they are found.

use std::sync::Arc;

use super::answer::{PerformerRow, PerformersAnswer};
use crate::{
    cache::{Found, Question},
    database::{reader::Reader, sql::Sql},
    error::ApiError,
    query::{Parameters, ValidationErrors},
    resources::name_list::{Named, Source},
};

const SOURCE: Source = Source {
    table: "performer",
    columns: "performer.source_id, performer.name, provider.slug",
    joined: "JOIN provider ON provider.id = performer.provider_id",
};

/// The parameters, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformersRequest(Named);

impl PerformersRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated or malformed; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut errors = ValidationErrors::default();
        let parameters = Parameters::read(query, &["q", "limit", "cursor"], &mut errors);
        let named = Named::read("performers", Vec::new(), &parameters, &mut errors);
        errors.or(Self(named))
    }
}

impl Question for PerformersRequest {
    fn key(&self) -> String {
        self.0.key()
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        let found = self.0.find::<PerformerRow, PerformersAnswer>(&reader.database, &SOURCE, Vec::new(), Sql::default());
        reader.read(found).await
    }
}

//! What a search asks for.

use std::sync::Arc;

use entity::UtcInstant;
use uuid::Uuid;

use super::rows;
use crate::{
    cache::{Found, Question},
    database::reader::Reader,
    error::ApiError,
    query::{Page, Parameters, Range, ValidationErrors},
};

/// The parameters of a search, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// When.
    pub range: Range,
    /// Which part of the list.
    pub page: Page<(i64, Uuid)>,
}

impl SearchRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated, malformed or contradicts itself; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut errors = ValidationErrors::default();
        let parameters = Parameters::read(query, &["starts_at", "ends_at", "limit", "cursor"], &mut errors);
        let range = Range::read(&parameters, &mut errors);
        let mut request = Self { range, page: Page::default() };
        request.page = Page::read(&parameters, &request.filter_key(), &mut errors);
        errors.or(request)
    }

    /// The filters in one form, however they were written.
    #[must_use]
    pub fn filters(&self) -> Vec<(&'static str, String)> {
        self.range.filters().collect()
    }

    /// The filters as a text that is equal for equal searches; a cursor is bound to it.
    #[must_use]
    pub fn filter_key(&self) -> String {
        let instant = |instant: Option<UtcInstant>| instant.map(|UtcInstant(micros)| micros.to_string()).unwrap_or_default();
        format!("search {} {}", instant(self.range.starts_at), instant(self.range.ends_at))
    }
}

impl Question for SearchRequest {
    fn key(&self) -> String {
        format!("{} {}", self.filter_key(), self.page.key())
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        reader.read(rows::find(&reader.database, &self)).await
    }
}

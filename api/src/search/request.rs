//! What a search asks for.

use std::{fmt::Write, sync::Arc};

use entity::UtcInstant;

use super::rows;
use crate::{
    cache::{Found, Question},
    error::ApiError,
    http::{Edge, Mistakes, Page, Parameters, parse_moment, to_rfc3339},
    reader::Reader,
};

/// The parameters of a search, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// Events start at or after this.
    pub starts_at: Option<UtcInstant>,
    /// Events end at or before this.
    pub ends_at: Option<UtcInstant>,
    /// Which part of the list.
    pub page: Page,
}

impl SearchRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated, malformed or contradicts itself; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut mistakes = Mistakes::default();
        let parameters = Parameters::read(query, &["starts_at", "ends_at", "limit", "cursor"], &mut mistakes);
        let starts_at = parameters.get("starts_at", &mut mistakes, |text| parse_moment(text, Edge::Start));
        let ends_at = parameters.get("ends_at", &mut mistakes, |text| parse_moment(text, Edge::End));
        if let (Some(starts_at), Some(ends_at)) = (starts_at, ends_at)
            && starts_at > ends_at
        {
            mistakes.add("ends_at", format!("must not be before starts_at, which is {}", to_rfc3339(starts_at)));
        }
        let mut request = Self { starts_at, ends_at, page: Page::default() };
        request.page = Page::read(&parameters, &request.filter_key(), &mut mistakes);
        mistakes.or(request)
    }

    /// The filters in one form, however they were written.
    #[must_use]
    pub fn filters(&self) -> Vec<(&'static str, String)> {
        let filter = |name, instant: Option<UtcInstant>| instant.map(|instant| (name, to_rfc3339(instant)));
        [filter("starts_at", self.starts_at), filter("ends_at", self.ends_at)].into_iter().flatten().collect()
    }

    /// The filters as a text that is equal for equal searches; a cursor is bound to it.
    #[must_use]
    pub fn filter_key(&self) -> String {
        let instant = |instant: Option<UtcInstant>| instant.map(|UtcInstant(micros)| micros.to_string()).unwrap_or_default();
        format!("search {} {}", instant(self.starts_at), instant(self.ends_at))
    }
}

impl Question for SearchRequest {
    fn key(&self) -> String {
        let mut key = self.filter_key();
        // Writing to a string cannot fail.
        let _written = write!(key, " {}", self.page.rows());
        // The link to the next page holds the limit only if the request did.
        key.push_str(if self.page.limit.is_some() { " limit" } else { "" });
        if let Some(after) = &self.page.after {
            let _written = write!(key, " {} {}", after.key, after.id.simple());
        }
        key
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        reader.read(rows::find(&reader.database, &self)).await
    }
}

//! `GET /search`: events by date.

mod answer;
mod request;
mod rows;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Query};

pub(crate) use self::answer::price;
pub use self::{
    answer::{FoundEvent, SearchAnswer},
    request::SearchRequest,
    rows::select,
};
use crate::{
    State,
    error::ApiError,
    query::{CursorText, Described, Limit, Moment},
    response::Encoded,
};

/// The operation.
#[derive(Debug)]
pub struct SearchApi(pub State);

/// Its answers.
#[derive(ApiResponse, Debug)]
pub enum SearchResponse {
    /// The events, earliest first
    #[oai(status = 200)]
    Found(
        Encoded<SearchAnswer>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi]
impl SearchApi {
    /// Find events by date
    ///
    /// Events that start at or after `starts_at` and end at or before `ends_at`, earliest first. An event without an end ends when it
    /// starts. Every event that was ever on sale online is found, whether or not its provider still lists it.
    #[oai(path = "/search", method = "get", operation_id = "search")]
    async fn search(
        &self,
        request: &Request,
        /// Events that start at or after this: RFC 3339, UTC without an offset, or a date
        #[oai(name = "starts_at")]
        _starts_at: Query<Described<Moment>>,
        /// Events that end at or before this: RFC 3339, UTC without an offset, or a date
        #[oai(name = "ends_at")]
        _ends_at: Query<Described<Moment>>,
        /// At most this many events
        #[oai(name = "limit")]
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<SearchResponse, ApiError> {
        // The link is part of what is kept.
        Ok(SearchResponse::Found(self.0.answer(request, SearchRequest::parse).await?, None))
    }
}

//! `GET /search`: events by date.

mod filters;
mod response;
mod rows;

use poem::Request;
use poem_openapi::OpenApi;

pub(crate) use self::response::split_date_and_time;
pub use self::{
    filters::{SearchFilters, SearchQuery},
    response::{EventList, EventSummary},
    rows::select,
};
use crate::{
    error::ApiError,
    find::AllFilters,
    query::{CursorText, Documented, Limit, Parameters},
    resources::openapi::Tag,
    response::{Envelope, PageReply},
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct SearchApi(pub State);

#[OpenApi(tag = "Tag::Events")]
impl SearchApi {
    /// Find events by date
    ///
    /// Returns events that start at or after `starts_at` and end at or before `ends_at`, earliest first. An event without an end ends
    /// when it starts. All events that were ever on sale online are included, whether or not their provider still lists them, except for
    /// cancelled ones. The other filters are those of `/events`, which returns more of each event.
    #[oai(path = "/search", method = "get", operation_id = "search")]
    async fn search(
        &self,
        request: &Request,
        /// The filters
        #[oai(name = "filters")]
        _filters: Documented<AllFilters>,
        /// The maximum number of events
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<EventList>>, ApiError> {
        let query = SearchQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await.map(PageReply::new)
    }
}

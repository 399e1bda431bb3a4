//! `GET /performers`: performers by name.

mod filters;
mod response;

use poem::Request;
use poem_openapi::OpenApi;

pub use self::{
    filters::{PerformerFilters, PerformersQuery},
    response::PerformerList,
};
use crate::{
    error::ApiError,
    query::{CursorText, Documented, Limit, Parameters},
    resources::{name_list::NamePrefixText, openapi::Tag},
    response::PageReply,
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct PerformersApi(pub State);

#[OpenApi(tag = "Tag::Concerts")]
impl PerformersApi {
    /// Find performers by name
    ///
    /// Returns performers with a name that begins with `q`, sorted by name. Accents, case and punctuation are ignored: `motley crue` finds
    /// `Mötley Crüe`.
    #[oai(path = "/performers", method = "get", operation_id = "performers")]
    async fn performers(
        &self,
        request: &Request,
        /// Only performers with a name that begins with this text
        #[oai(name = "q")]
        _q: Documented<NamePrefixText>,
        /// The maximum number of performers
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<PerformerList>, ApiError> {
        let query = PerformersQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await.map(PageReply::new)
    }
}

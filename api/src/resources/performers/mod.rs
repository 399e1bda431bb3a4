//! `/performers`: performers by name, and one performer.

mod details;
mod filters;
mod response;

use poem::Request;
use poem_openapi::OpenApi;

pub(crate) use self::details::PerformerItem;
pub use self::{
    details::PerformerDetails,
    filters::{PerformerFilters, PerformersQuery},
    response::PerformerList,
};
use crate::{
    error::ApiError,
    find::ItemRefText,
    query::{CursorText, Documented, Limit, Parameters, Path, no_parameters},
    resources::{item::ItemQuery, name_list::NamePrefixText, openapi::Tag},
    response::{Envelope, PageReply, Reply},
    state::State,
};

/// The operations.
#[derive(Debug)]
pub struct PerformersApi(pub State);

#[OpenApi(tag = "Tag::Concerts")]
impl PerformersApi {
    /// Find performers by name
    ///
    /// Returns performers with a word in their name that begins with `q`: first the names that begin with it, sorted by name, then those
    /// with a later word that does, sorted by the rest of the name from that word on. `q` may have several words, which follow each other
    /// in the name: `toten h` finds `Die Toten Hosen`. Accents, case and punctuation are ignored, except in names without letters.
    #[oai(path = "/performers", method = "get", operation_id = "performers")]
    async fn performers(
        &self,
        request: &Request,
        /// Only performers with a word in their name that begins with this text
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

    /// Get a performer
    ///
    /// Returns a performer with the number of its upcoming events. An id that it had before is redirected.
    #[oai(path = "/performers/:id", method = "get", operation_id = "performer")]
    async fn performer(
        &self,
        request: &Request,
        /// The permanent id, or the provider's slug and its id as `provider:id`
        id: Path<ItemRefText>,
    ) -> Result<Reply<Envelope<PerformerDetails>>, ApiError> {
        no_parameters(request)?;
        self.0.cache.respond(request, ItemQuery::<PerformerItem>::parse(&id)?).await
    }
}

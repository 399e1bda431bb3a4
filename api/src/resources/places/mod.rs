//! `PUT /places` and `GET /places`: the places between which rates apply, and the regions that contain them.

mod document;
mod filters;
mod response;
mod write;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi};

pub use self::{
    document::{PlaceInput, PlacesDocument, RegionInput},
    filters::{PlaceFilters, PlacesQuery},
    response::PlacesCounts,
};
use crate::{
    auth::{Caller, Scope},
    error::ApiError,
    query::{CursorText, Documented, IfMatchText, Limit, Parameters, no_parameters},
    resources::upload::Upload,
    resources::{name_list::NamePrefixText, openapi::Tag},
    response::{Encoded, Envelope, PageReply, Precondition},
    state::State,
};

/// The operations.
#[derive(Debug)]
pub struct PlacesApi(pub State);

/// The response to a new list.
#[derive(ApiResponse, Debug)]
pub enum PlacesResponse {
    /// The list is replaced
    #[oai(status = 200)]
    Replaced(
        Encoded<Envelope<PlacesCounts>>,
        /// A version of the catalogue with the list. Absent if the database became unavailable
        #[oai(header = "Marquee-Version")]
        Option<i64>,
    ),
}

#[OpenApi(tag = "Tag::PlacesAndPrices")]
impl PlacesApi {
    /// Find places and regions by name
    ///
    /// Returns those with a name, code or slug that begins with `q`, sorted by name. Accents, case and punctuation are ignored. A page
    /// contains regions and places together. Without `q` and `limit`, `data` is a valid body of `PUT /places`.
    #[oai(path = "/places", method = "get", operation_id = "places")]
    async fn places(
        &self,
        request: &Request,
        /// The beginning of the name, code or slug
        #[oai(name = "q")]
        _q: Documented<NamePrefixText>,
        /// The maximum number of places and regions together
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The cursor of the next page, from the `Link` header
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<PlacesDocument>>, ApiError> {
        let query = PlacesQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await.map(PageReply::new)
    }

    /// Replace the list of places and regions
    ///
    /// The list is replaced as a whole or not at all. Prices of a removed place are hidden, and reappear if the place is added again. A
    /// slug must differ from every place code, because requests use both. With `If-Match`, the list is replaced only if its `ETag` is
    /// still that of `GET /places`.
    #[oai(path = "/places", method = "put", operation_id = "put_places")]
    async fn put_places(
        &self,
        request: &Request,
        caller: Caller,
        /// The `ETag` of the list that is replaced, as in `GET /places`
        #[oai(name = "If-Match")]
        _if_match: Documented<IfMatchText>,
        upload: Upload<PlacesDocument>,
    ) -> Result<PlacesResponse, ApiError> {
        let caller = self.0.keys.authorize(request, &caller, &Scope::Places)?;
        no_parameters(request)?;
        let precondition = Precondition::of(request.headers())?;
        document::check_headers(request)?;
        let _body = self.0.writer.reserve_body(&caller, upload.declared_bytes(document::MAX_BYTES)?).await?;
        let bytes = upload.bytes(document::MAX_BYTES).await?;
        let _turn = self.0.writer.lock_places().await?;
        let document = document::parse(bytes).await?;
        let counts = write::replace(&self.0.writer, document, precondition).await?;
        let version = self.0.refresh_version().await;
        let PlacesCounts { regions, places, changed } = counts;
        tracing::info!(places.count = places, regions.count = regions, places.changed = changed, "places replaced");
        Ok(PlacesResponse::Replaced(Encoded::new(&Envelope::from(counts))?, version))
    }
}

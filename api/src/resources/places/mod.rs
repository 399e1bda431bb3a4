//! `PUT /places` and `GET /places`: the places that rates are between, and the regions that hold them.

mod answer;
mod document;
mod filters;
mod write;

use poem::Request;
use poem_openapi::OpenApi;

pub use self::{
    answer::PlacesCounts,
    document::{Place, PlacesDocument, Region},
    filters::{PlaceFilters, PlacesQuery},
};
use crate::{
    auth::{Caller, Scope},
    error::ApiError,
    query::{CursorText, Documented, Limit, Parameters, Word, no_parameters},
    response::{Encoded, Envelope, PageReply},
    state::State,
    upload::Upload,
};

/// The operations.
#[derive(Debug)]
pub struct PlacesApi(pub State);

#[OpenApi]
impl PlacesApi {
    /// Find places and regions by name
    ///
    /// Those whose name or code begins with `q`, in the order of their names; accents, case and signs of names do not count. A page holds
    /// regions and places together. What `data` says without a `q` and a `limit` can be put again.
    #[oai(path = "/places", method = "get", operation_id = "places")]
    async fn places(
        &self,
        request: &Request,
        /// How the name, the code or the slug begins
        #[oai(name = "q")]
        _q: Documented<Word>,
        /// At most this many places and regions together
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<PlacesDocument>>, ApiError> {
        let query = PlacesQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await.map(PageReply::new)
    }

    /// Say which places and regions there are
    ///
    /// This list takes the place of the one before, whole or not at all. A place that it no longer holds is not known any more, and its
    /// prices wait: they are back with it. Codes and slugs stay what they are asked for by, so a slug must be no code.
    #[oai(path = "/places", method = "put", operation_id = "put_places")]
    async fn put_places(
        &self,
        request: &Request,
        caller: Caller,
        upload: Upload<PlacesDocument>,
    ) -> Result<Encoded<Envelope<PlacesCounts>>, ApiError> {
        no_parameters(request)?;
        self.0.keys.admit(request, &caller, &Scope::Places)?;
        let _room = self.0.writer.reserve_body().await?;
        let list = document::read(request, upload).await?;
        let taken = write::put(&self.0.writer, list).await?;
        self.0.refresh_version().await;
        Encoded::new(&Envelope::from(taken))
    }
}

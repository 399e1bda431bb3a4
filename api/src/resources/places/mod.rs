//! `PUT /places` and `GET /places`: the places that rates are between, and the regions that hold them.

mod answer;
mod document;
mod request;
mod write;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Query};

pub use self::{
    answer::{PlacesAnswer, PlacesTaken},
    document::{Place, PlacesDocument, Region},
    request::PlacesRequest,
};
use crate::{
    State,
    auth::{Caller, Scope},
    error::ApiError,
    query::{CursorText, Described, Limit, Word, no_parameters},
    response::Encoded,
    server::Upload,
};

/// The operations.
#[derive(Debug)]
pub struct PlacesApi(pub State);

/// A page of places.
#[derive(ApiResponse, Debug)]
pub enum PlacesResponse {
    /// Regions and places, by name
    #[oai(status = 200)]
    Found(
        Encoded<PlacesAnswer>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

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
        _q: Query<Described<Word>>,
        /// At most this many places and regions together
        #[oai(name = "limit")]
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<PlacesResponse, ApiError> {
        // The link is part of what is kept.
        Ok(PlacesResponse::Found(self.0.answer(request, PlacesRequest::parse).await?, None))
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
    ) -> Result<Encoded<PlacesTaken>, ApiError> {
        no_parameters(request)?;
        self.0.keys.admit(request, &caller, &Scope::Places)?;
        let _room = self.0.writer.hold_body().await?;
        let list = document::read(request, upload).await?;
        let taken = write::put(&self.0.writer, list).await?;
        self.0.learn().await;
        Encoded::new(&taken)
    }
}

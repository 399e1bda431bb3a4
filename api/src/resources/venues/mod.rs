//! `GET /venues`: where something takes place, by name and by distance.

mod answer;
pub(crate) mod near;
mod request;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Query};

pub use self::{answer::VenuesAnswer, near::Near, request::VenuesRequest};
use crate::{
    State,
    error::ApiError,
    query::{CursorText, Described, Limit, Number, Word},
    response::Encoded,
};

/// The operation.
#[derive(Debug)]
pub struct VenuesApi(pub State);

/// Its answers.
#[derive(ApiResponse, Debug)]
pub enum VenuesResponse {
    /// The venues, by name
    #[oai(status = 200)]
    Found(
        Encoded<VenuesAnswer>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[expect(clippy::too_many_arguments, reason = "one for each parameter that the description lists")]
#[OpenApi]
impl VenuesApi {
    /// Find venues by name and by place
    ///
    /// Those whose name begins with `q`, or within `radius` kilometres of a point, by name; with both, those that do both. Accents, case
    /// and signs of names do not count. Distances are those of `/concerts`.
    #[oai(path = "/venues", method = "get", operation_id = "venues")]
    async fn venues(
        &self,
        request: &Request,
        /// How the name begins
        #[oai(name = "q")]
        _q: Query<Described<Word>>,
        /// The point: degrees north, -90 to 90
        #[oai(name = "latitude")]
        _latitude: Query<Described<Number>>,
        /// The point: degrees east, -180 to 180
        #[oai(name = "longitude")]
        _longitude: Query<Described<Number>>,
        /// Kilometres around the point, 0 to 20,038
        #[oai(name = "radius")]
        _radius: Query<Described<Number>>,
        /// At most this many venues
        #[oai(name = "limit")]
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<VenuesResponse, ApiError> {
        // The link is part of what is kept.
        Ok(VenuesResponse::Found(self.0.answer(request, VenuesRequest::parse).await?, None))
    }
}

//! `GET /concerts`: who plays where, by band and by place.

mod answer;
mod request;
mod rows;
mod statement;

use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, param::Query};

pub use self::{
    answer::Concert,
    request::ConcertsRequest,
    statement::{Arm, statement},
};
use crate::{
    State,
    error::ApiError,
    query::{CursorText, Described, Limit, Moment, Number, Words},
    response::Encoded,
};

/// The operation.
#[derive(Debug)]
pub struct ConcertsApi(pub State);

/// Its answers.
#[derive(ApiResponse, Debug)]
pub enum ConcertsResponse {
    /// The concerts, latest first
    #[oai(status = 200)]
    Found(
        Encoded<Vec<Concert>>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[expect(clippy::too_many_arguments, reason = "one for each parameter that the description lists")]
#[OpenApi]
impl ConcertsApi {
    /// Find concerts by band and by place
    ///
    /// Concerts of the bands `bandIds`, or within `radius` kilometres of a point, latest first; with both, those of these bands there.
    /// Distances are great-circle distances on a sphere of 6,371.0088 km, the mean radius of the Earth. An event with several performers
    /// is a concert of each. Unknown bands have no concerts.
    #[oai(path = "/concerts", method = "get", operation_id = "concerts")]
    async fn concerts(
        &self,
        request: &Request,
        /// Whose concerts: ids of performers as their provider gives them, separated by commas or by repeating the parameter. An id
        /// stands for every provider's performer of that id; `provider:id` for one's. `/performers` finds them
        #[oai(name = "bandIds")]
        _band_ids: Query<Described<Words>>,
        /// The point: degrees north, -90 to 90
        #[oai(name = "latitude")]
        _latitude: Query<Described<Number>>,
        /// The point: degrees east, -180 to 180
        #[oai(name = "longitude")]
        _longitude: Query<Described<Number>>,
        /// Kilometres around the point, 0 to 20,038: 0 is the point itself
        #[oai(name = "radius")]
        _radius: Query<Described<Number>>,
        /// Concerts that start at or after this: RFC 3339, UTC without an offset, or a date
        #[oai(name = "starts_at")]
        _starts_at: Query<Described<Moment>>,
        /// Concerts that end at or before this: RFC 3339, UTC without an offset, or a date
        #[oai(name = "ends_at")]
        _ends_at: Query<Described<Moment>>,
        /// Concerts whose cheapest ticket costs this at most, in the provider's currency
        #[oai(name = "max_price")]
        _max_price: Query<Described<Number>>,
        /// At most this many concerts
        #[oai(name = "limit")]
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<ConcertsResponse, ApiError> {
        // The link is part of what is kept.
        Ok(ConcertsResponse::Found(self.0.answer(request, ConcertsRequest::parse).await?, None))
    }
}

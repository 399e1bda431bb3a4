//! `GET /concerts`: concerts by performer and by location.

mod filters;
mod response;
mod rows;
mod sort;
mod statement;

use poem::Request;
use poem_openapi::OpenApi;

use self::{filters::PerformerIds, sort::ConcertSortText};
pub use self::{
    filters::{ConcertFilters, ConcertsQuery},
    response::Concert,
    statement::{Arm, statement},
};
use crate::{
    error::ApiError,
    find::{Latitude, Longitude, PriceNumber, Radius},
    query::{CursorText, DateOrTime, Documented, Limit, Parameters, StatusNames},
    resources::openapi::Tag,
    response::PageReply,
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct ConcertsApi(pub State);

#[expect(clippy::too_many_arguments, reason = "the OpenAPI document lists each parameter")]
#[OpenApi(tag = "Tag::Concerts")]
impl ConcertsApi {
    /// Find concerts by performer and location
    ///
    /// Returns concerts of the performers `bandIds`, or within `radius` kilometres of a point, latest first unless `sort` requests otherwise; with both, concerts that meet
    /// both conditions. Distances are great-circle distances on a sphere of 6,371.0088 km, the mean radius of the Earth. An event with
    /// several performers is a concert of each of them, unless its venue has no coordinates. Unknown performers have no concerts.
    #[oai(path = "/concerts", method = "get", operation_id = "concerts")]
    async fn concerts(
        &self,
        request: &Request,
        /// Only concerts of these performers: ids from the provider, separated by commas or given as repeated parameters. An id
        /// matches the performers of all providers with that id; `provider:id` matches those of one. `/performers` lists them
        #[oai(name = "bandIds")]
        _band_ids: Documented<PerformerIds>,
        /// The latitude of the point, -90 to 90
        #[oai(name = "latitude")]
        _latitude: Documented<Latitude>,
        /// The longitude of the point, -180 to 180
        #[oai(name = "longitude")]
        _longitude: Documented<Longitude>,
        /// The maximum distance from the point in kilometres, 0 to 20,038
        #[oai(name = "radius")]
        _radius: Documented<Radius>,
        /// Only concerts that start at or after this moment: RFC 3339, in UTC if it has no offset, or a date
        #[oai(name = "starts_at")]
        _starts_at: Documented<DateOrTime>,
        /// Only concerts that end at or before this moment: RFC 3339, in UTC if it has no offset, or a date
        #[oai(name = "ends_at")]
        _ends_at: Documented<DateOrTime>,
        /// Only concerts with a lowest price of at most this, in the event's currency
        #[oai(name = "max_price")]
        _max_price: Documented<PriceNumber>,
        /// Only concerts of events with one of these statuses, or `any`. Without it, all but those of cancelled events
        #[oai(name = "status")]
        _status: Documented<StatusNames>,
        /// The order: latest first without it, or earliest first
        #[oai(name = "sort")]
        _sort: Documented<ConcertSortText>,
        /// The maximum number of concerts
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Vec<Concert>>, ApiError> {
        let query = ConcertsQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await.map(PageReply::new)
    }
}

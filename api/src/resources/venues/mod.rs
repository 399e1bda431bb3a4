//! `GET /venues`: venues by name and by location.

mod filters;
mod response;

use poem::Request;
use poem_openapi::OpenApi;

pub use self::{
    filters::{VenueFilters, VenuesQuery},
    response::VenueList,
};
use crate::{
    error::ApiError,
    find::{Latitude, Longitude, Radius},
    query::{CursorText, Documented, Limit, Parameters},
    resources::{name_list::NamePrefixText, openapi::Tag},
    response::PageReply,
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct VenuesApi(pub State);

#[expect(clippy::too_many_arguments, reason = "the OpenAPI document lists each parameter")]
#[OpenApi(tag = "Tag::Concerts")]
impl VenuesApi {
    /// Find venues by name and location
    ///
    /// Returns venues with a name that begins with `q`, or within `radius` kilometres of a point, sorted by name; with both, venues that meet
    /// both conditions. Accents, case and punctuation of names are ignored. Distances are computed as for `/concerts`.
    #[oai(path = "/venues", method = "get", operation_id = "venues")]
    async fn venues(
        &self,
        request: &Request,
        /// Only venues with a name that begins with this text
        #[oai(name = "q")]
        _q: Documented<NamePrefixText>,
        /// The latitude of the point, -90 to 90
        #[oai(name = "latitude")]
        _latitude: Documented<Latitude>,
        /// The longitude of the point, -180 to 180
        #[oai(name = "longitude")]
        _longitude: Documented<Longitude>,
        /// The maximum distance from the point in kilometres, 0 to 20,038
        #[oai(name = "radius")]
        _radius: Documented<Radius>,
        /// The maximum number of venues
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<VenueList>, ApiError> {
        let query = VenuesQuery::parse(Parameters::of(request))?;
        self.0.cache.respond(request, query).await.map(PageReply::new)
    }
}

//! `/venues`: venues by name and by location, and one venue.

mod details;
mod filters;
mod response;

use poem::Request;
use poem_openapi::OpenApi;

pub(crate) use self::details::VenueItem;
pub use self::{
    details::VenueDetails,
    filters::{VenueFilters, VenuesQuery},
    response::VenueList,
};
use crate::{
    error::ApiError,
    find::{ItemRefText, Latitude, Longitude, Radius},
    query::{CursorText, Documented, Limit, Parameters, Path, no_parameters},
    resources::{item::ItemQuery, name_list::NamePrefixText, openapi::Tag},
    response::{Envelope, PageReply, Reply},
    state::State,
};

/// The operations.
#[derive(Debug)]
pub struct VenuesApi(pub State);

#[expect(clippy::too_many_arguments, reason = "the OpenAPI document lists each parameter")]
#[OpenApi(tag = "Tag::Concerts")]
impl VenuesApi {
    /// Find venues by name and location
    ///
    /// Returns venues with a word in their name that begins with `q`, or within `radius` kilometres of a point, sorted by name; with both,
    /// venues that meet both conditions. With `q`, names that begin with it precede those with a later word that does. Accents, case and
    /// punctuation of names are ignored. Distances are computed as for `/concerts`.
    #[oai(path = "/venues", method = "get", operation_id = "venues")]
    async fn venues(
        &self,
        request: &Request,
        /// Only venues with a word in their name that begins with this text
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

    /// Get a venue
    ///
    /// Returns a venue with its address, and the number of its upcoming events. An id that it had before is redirected.
    #[oai(path = "/venues/:id", method = "get", operation_id = "venue")]
    async fn venue(
        &self,
        request: &Request,
        /// The permanent id, or the provider's slug and its id as `provider:id`
        id: Path<ItemRefText>,
    ) -> Result<Reply<Envelope<VenueDetails>>, ApiError> {
        no_parameters(request)?;
        self.0.cache.respond(request, ItemQuery::<VenueItem>::parse(&id)?).await
    }
}

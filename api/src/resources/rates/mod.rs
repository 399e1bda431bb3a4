//! `GET /rates` and `GET /events/{id}/rates`: daily average prices of travelling between places.

pub mod batches;
mod filters;
mod response;
mod statement;

use poem::Request;
use poem_openapi::OpenApi;

use self::filters::{PlaceOrRegion, TravelDay};
pub use self::{
    filters::{EventRatesFilters, RatesFilters},
    response::{DailyRate, RateList},
    statement::statement,
};
use crate::{
    error::ApiError,
    query::{Documented, Parameters, Path, Required, UuidText},
    resources::openapi::Tag,
    response::Reply,
    state::State,
};

/// The operations.
#[derive(Debug)]
pub struct RatesApi(pub State);

#[OpenApi(tag = "Tag::PlacesAndPrices")]
impl RatesApi {
    /// List daily average prices between places
    ///
    /// Returns the average of all prices from `orig_code` to `dest_code` for each day from `date_from` to `date_to`, inclusive, latest
    /// first. A region includes all places below it, at any depth. The average is not rounded; it is null if there are fewer than three
    /// prices.
    #[oai(path = "/rates", method = "get", operation_id = "rates")]
    async fn rates(
        &self,
        request: &Request,
        /// The first day
        #[oai(name = "date_from")]
        _date_from: Documented<Required<TravelDay>>,
        /// The last day, at most 731 days after the first
        #[oai(name = "date_to")]
        _date_to: Documented<Required<TravelDay>>,
        /// The origin: the code of a place or the slug of a region, as in `/places`
        #[oai(name = "orig_code")]
        _orig_code: Documented<Required<PlaceOrRegion>>,
        /// The destination: the code of a place or the slug of a region, as in `/places`
        #[oai(name = "dest_code")]
        _dest_code: Documented<Required<PlaceOrRegion>>,
    ) -> Result<Reply<RateList>, ApiError> {
        self.0.cache.respond(request, RatesFilters::parse(Parameters::of(request))?).await
    }

    /// List daily average prices of travelling to an event
    ///
    /// The same as `/rates`, to the place of the event's venue, for the days of the event and three days before and after.
    #[oai(path = "/events/:id/rates", method = "get", operation_id = "event_rates")]
    async fn event_rates(
        &self,
        request: &Request,
        /// The event's id, as in `/search`
        id: Path<UuidText>,
        /// The origin: the code of a place or the slug of a region, as in `/places`
        #[oai(name = "orig_code")]
        _orig_code: Documented<Required<PlaceOrRegion>>,
    ) -> Result<Reply<RateList>, ApiError> {
        self.0.cache.respond(request, EventRatesFilters::parse(&id, Parameters::of(request))?).await
    }
}

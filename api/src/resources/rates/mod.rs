//! `GET /rates` and `GET /events/{id}/rates`: what it costs to get there.

mod answer;
pub mod batches;
mod request;
mod statement;

use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};

pub use self::{
    answer::RatesAnswer,
    request::{EventRatesRequest, RatesRequest},
    statement::statement,
};
use crate::{
    State,
    error::ApiError,
    query::{Date, Described, Word},
    response::Encoded,
};

/// The operations.
#[derive(Debug)]
pub struct RatesApi(pub State);

#[OpenApi]
impl RatesApi {
    /// What travelling costs, day by day
    ///
    /// The mean of all prices from `orig_code` to `dest_code` on each day from `date_from` to `date_to`, both included, latest first. A region
    /// stands for every place below it, at any depth. The mean is not rounded, and null where there are fewer than three prices.
    #[oai(path = "/rates", method = "get", operation_id = "rates")]
    async fn rates(
        &self,
        request: &Request,
        /// The first day
        #[oai(name = "date_from")]
        _date_from: Query<Described<Date>>,
        /// The last day, at most 731 days later
        #[oai(name = "date_to")]
        _date_to: Query<Described<Date>>,
        /// From where: the code of a place, or the slug of a region
        #[oai(name = "orig_code")]
        _orig_code: Query<Described<Word>>,
        /// To where: the code of a place, or the slug of a region
        #[oai(name = "dest_code")]
        _dest_code: Query<Described<Word>>,
    ) -> Result<Encoded<RatesAnswer>, ApiError> {
        self.0.answer(request, RatesRequest::parse).await
    }

    /// What travelling to an event costs
    ///
    /// As `/rates`, to the place of the event's venue, for the days of the event and three before and after.
    #[oai(path = "/events/:id/rates", method = "get", operation_id = "event_rates")]
    async fn event_rates(
        &self,
        request: &Request,
        /// The event's id, as a search gives it
        id: Path<String>,
        /// From where: the code of a place, or the slug of a region
        #[oai(name = "orig_code")]
        _orig_code: Query<Described<Word>>,
    ) -> Result<Encoded<RatesAnswer>, ApiError> {
        self.0.answer(request, |query| EventRatesRequest::parse(&id, query)).await
    }
}

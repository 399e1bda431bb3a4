//! `GET /events/{id}`: one event with all that is known of it.

mod answer;
mod rows;

use poem_openapi::{OpenApi, param::Path};
use sea_orm::prelude::Uuid;

pub use self::answer::EventAnswer;
use crate::{State, error::ApiError, response::Encoded};

/// The operation.
#[derive(Debug)]
pub struct EventsApi(pub State);

#[OpenApi]
impl EventsApi {
    /// One event
    ///
    /// With its zones, performers, venue and provider, and when it was first and last seen in its provider's feed.
    #[oai(path = "/events/:id", method = "get", operation_id = "event")]
    async fn event(
        &self,
        request: &poem::Request,
        /// The event's id, as a search gives it
        id: Path<String>,
    ) -> Result<Encoded<EventAnswer>, ApiError> {
        crate::query::no_parameters(request)?;
        let id: Uuid = id.parse().map_err(|_| ApiError::parameter("id", "want a UUID as a search gives it"))?;
        let rows =
            self.0.reader.read(rows::find(&self.0.reader.database, id)).await?.ok_or(ApiError::NotFound { what: "event" })?;
        Encoded::new(&EventAnswer::from(rows))
    }
}

//! `GET /events/{id}`: one event with all its details.

mod response;
mod rows;

use poem::Request;
use poem_openapi::OpenApi;
use sea_orm::prelude::Uuid;

pub use self::response::EventDetails;
pub(crate) use self::rows::select_visible;
use crate::{
    database::reader::ReadSize,
    error::ApiError,
    query::{Path, UuidText, no_parameters, parse_path},
    resources::openapi::Tag,
    response::{Envelope, Reply},
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct EventsApi(pub State);

#[OpenApi(tag = "Tag::Events")]
impl EventsApi {
    /// Get an event
    ///
    /// Returns an event with its zones, performers, venue and provider, and when it was first and last in its provider's feed.
    #[oai(path = "/events/:id", method = "get", operation_id = "event")]
    async fn event(
        &self,
        request: &Request,
        /// The event's id, as in `/search`
        id: Path<UuidText>,
    ) -> Result<Reply<Envelope<EventDetails>>, ApiError> {
        no_parameters(request)?;
        let event_id: Uuid = parse_path("id", &id, "must be a UUID as in /search")?;
        let source = self.0.reader.with_version(self.0.version.current());
        let rows = self.0.reader.read(source, ReadSize::Small, rows::find(&source.connection, event_id)).await?;
        let event = rows.map(EventDetails::from).ok_or_else(|| ApiError::not_found("event", &event_id))?;
        Reply::json(request, &Envelope::from(event)).await
    }
}

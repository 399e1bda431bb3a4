//! `GET /events.ndjson`: a copy of all events, with the position in the log of changes at which it is true.

mod rows;
mod writer;

use entity::change_log::cursor_after_release;
use poem::Request;
use poem_openapi::OpenApi;

use crate::{
    cache::MinVersion,
    database::Snapshot,
    error::ApiError,
    query::{Documented, Parameters, ProviderSlugText, parse_provider_slug},
    resources::openapi::Tag,
    response::{ContentCoding, NdjsonReply, StreamEncoder},
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct BulkApi(pub State);

#[OpenApi(tag = "Tag::Changes")]
impl BulkApi {
    /// Copy all events
    ///
    /// Returns one state of all events, or of those of one provider, as lines of JSON. The first line is `{"cursor":"..."}`: request it
    /// as `after` of `/changes` to follow what happens next. Then there is a line for each event, the same as `data` of
    /// `/events/{id}`, whether or not the event is still in its feed. The last line is `{"events":N}`, the number of events: without it,
    /// the copy is incomplete.
    ///
    /// The response is sent while it is read. It ends without the last line if the client does not receive a part of it within 10
    /// seconds, if it takes more than 10 minutes, or if the database becomes unavailable. At most two copies are made at the same time;
    /// for another one, the response is 503.
    #[oai(path = "/events.ndjson", method = "get", operation_id = "events_ndjson")]
    async fn events_ndjson(
        &self,
        request: &Request,
        /// Only events of the provider with this slug. An unknown provider has no events
        #[oai(name = "provider")]
        _provider: Documented<ProviderSlugText>,
    ) -> Result<NdjsonReply, ApiError> {
        let mut parameters = Parameters::of(request);
        let provider = parameters.get("provider", parse_provider_slug);
        let provider = parameters.finish(provider)?;
        let coding = ContentCoding::negotiate(request.headers())?;
        let encoder = StreamEncoder::new(coding)?;
        let minimum = MinVersion::of(request.headers())?;
        self.0.version.wait_for(minimum).await?;
        let snapshot = Snapshot::begin(&self.0.reader).await?;
        let version = snapshot.catalogue.version;
        if !minimum.accepts(version) {
            snapshot.end().await?;
            return Err(minimum.unavailable());
        }
        let cursor = cursor_after_release(&snapshot.catalogue).encode();
        let body = writer::start(snapshot, cursor.clone(), provider, encoder);
        Ok(NdjsonReply::new(coding, (&cursor, version), body))
    }
}

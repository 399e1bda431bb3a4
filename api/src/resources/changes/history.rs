//! `GET /events/{id}/history`: the changes of one event.

use poem::Request;
use poem_openapi::OpenApi;

use super::{
    filters::{ChangesLimit, KindNames, parse_history},
    log::ChangeLog,
    response::ChangePage,
};
use crate::{
    cache::MinVersion,
    error::ApiError,
    query::{CursorText, Documented, Parameters, Path, UuidText},
    resources::openapi::Tag,
    response::Reply,
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct HistoryApi(pub State);

#[OpenApi(tag = "Tag::Changes")]
impl HistoryApi {
    /// List changes of an event
    ///
    /// Returns what happened to one event, in the order of commits: its prices, its availability, its status, its dates, and everything
    /// else that `/changes` has. `meta.next` is always present: request it as `after` to continue.
    ///
    /// Changes are removed after 400 days, those of the kind `updated` after 14. The first load of a provider is not logged, so the
    /// history of its events begins after it, without `created`.
    #[oai(path = "/events/:id/history", method = "get", operation_id = "event_history")]
    async fn event_history(
        &self,
        request: &Request,
        /// The event's id, as in `/search`
        id: Path<UuidText>,
        /// The position after which the page begins: `meta.next` of the previous page, or the cursor of a change or of `/events.ndjson`
        #[oai(name = "after")]
        _after: Documented<CursorText>,
        /// Only changes of these kinds, separated by commas or given as repeated parameters
        #[oai(name = "kind")]
        _kind: Documented<KindNames>,
        /// The maximum number of changes
        #[oai(name = "limit")]
        _limit: Documented<ChangesLimit>,
    ) -> Result<Reply<ChangePage>, ApiError> {
        let query = parse_history(&id, Parameters::of(request))?;
        let log = ChangeLog::new(self.0.reader.clone(), self.0.version.clone());
        let minimum = MinVersion::of(request.headers())?;
        let (page, version) = log.read(query, minimum).await.map_err(|error| error.with_query(request))?;
        Ok(Reply::json(request, &page).await?.at_version(version))
    }
}

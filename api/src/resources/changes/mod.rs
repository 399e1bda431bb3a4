//! `GET /changes`, `GET /changes/stream` and `GET /events/{id}/history`: the log of what happened to events
//! ([ADR 35](../../../../docs/adr/0035-change-log.md)).
//!
//! Its responses are not cached: a consumer requests each position once.

mod filters;
mod history;
mod log;
mod newest;
mod response;
mod rows;
mod stream;

pub use entity::change_log::{ChangeCursor, ChangePosition, ChangesQuery, LOG, statement};
use poem::Request;
use poem_openapi::OpenApi;

pub(crate) use self::filters::read_selection;
pub(crate) use self::newest::{News, NewsEntry, read_news};
pub use self::{
    filters::{ChangesLimit, parse_changes, parse_history},
    history::HistoryApi,
    log::ChangeLog,
    newest::newest_statement,
    response::ChangePage,
    stream::ChangeStreams,
};
use self::{
    filters::{KindNames, LastEventId, ProviderSlugs, parse_stream},
    stream::EventStreamReply,
};
use crate::{
    cache::MinVersion,
    error::ApiError,
    find::AllFilters,
    query::{CursorText, Documented, Parameters},
    resources::openapi::Tag,
    response::{ContentCoding, Reply},
    state::State,
};

/// The operation.
#[derive(Debug)]
pub struct ChangesApi(pub State);

#[OpenApi(tag = "Tag::Changes")]
impl ChangesApi {
    /// List changes of events
    ///
    /// Returns what happened to events, in the order of commits. `meta.next` is always present: request it as `after` to continue.
    /// After the last change it is the position of the catalogue that this response has read, so it advances even if no change matches
    /// the filters, and no later change is missed. `meta.has_more` is false on the last page for now.
    ///
    /// With filters of events, a change is selected if its event matched before or after it: who follows a city receives that an event was
    /// moved from it to another one. A request examines at most 1,000 changes, so a page may have few changes, or none, although more
    /// follow. Changes that an earlier release logged, and those of events that were removed for legal reasons, match all filters.
    /// Places and regions are those of the time of the request.
    ///
    /// Without `after`, the log begins at its oldest change. Changes are removed after 400 days, those of the kind `updated` after 14.
    /// If changes after a cursor were removed, or if the database was restored from a backup, the response is 410: copy
    /// `/events.ndjson`, and continue from its cursor. Cursors are valid with any filters. Ticket counts, `last_seen`, and the first
    /// load of a provider are not logged.
    #[oai(path = "/changes", method = "get", operation_id = "changes")]
    async fn changes(
        &self,
        request: &Request,
        /// The position after which the page begins: `meta.next` of the previous page, or the cursor of a change or of `/events.ndjson`
        #[oai(name = "after")]
        _after: Documented<CursorText>,
        /// Only changes of these kinds, separated by commas or given as repeated parameters
        #[oai(name = "kind")]
        _kind: Documented<KindNames>,
        /// Only changes of events of the providers with these slugs, separated by commas or given as repeated parameters. Unknown
        /// providers have no changes
        #[oai(name = "provider")]
        _provider: Documented<ProviderSlugs>,
        #[oai(name = "filters_of_changes")] _filters: Documented<AllFilters>,
        /// The maximum number of changes
        #[oai(name = "limit")]
        _limit: Documented<ChangesLimit>,
    ) -> Result<Reply<ChangePage>, ApiError> {
        let log = ChangeLog::new(self.0.reader.clone(), self.0.version.clone());
        let query = parse_changes(Parameters::of(request))?;
        let (page, version) = log.read(query, MinVersion::of(request.headers())?).await?;
        Ok(Reply::json(request, &page).await?.at_version(version))
    }

    /// Follow changes of events
    ///
    /// Sends changes as [Server-Sent Events](https://html.spec.whatwg.org/multipage/server-sent-events.html), each within about a second of
    /// its commit. `id` is the cursor of the change, `event` its kind, and `data` the same JSON object as in `/changes`. The
    /// stream has the same changes, in the same order, and the same filters. Places and regions are those of the time when it begins.
    ///
    /// It begins after the position in `Last-Event-ID`, which browsers send when they reconnect, or else in `after`, or else now. Blocks
    /// that only have an `id` advance the position if no change matches the filters. While nothing changes, a comment is sent every 10
    /// seconds.
    ///
    /// If changes after the position were removed, or if the database was restored from a backup, the response is 410, as for
    /// `/changes`. The stream ends with a block with `retry`, the milliseconds after which to reconnect, when the process shuts down, when
    /// the client reads more slowly than events change, or when the database is restored. If the process has too many streams, the
    /// response is 503.
    #[oai(path = "/changes/stream", method = "get", operation_id = "changes_stream")]
    async fn changes_stream(
        &self,
        request: &Request,
        /// The position after which the stream begins: the last `id` that was received. It has precedence over `after`
        #[oai(name = "Last-Event-ID")]
        _last_event_id: Documented<LastEventId>,
        /// The position after which the stream begins: `meta.next` of a page of `/changes`, or the cursor of a change or of
        /// `/events.ndjson`
        #[oai(name = "after")]
        _after: Documented<CursorText>,
        /// Only changes of these kinds, separated by commas or given as repeated parameters
        #[oai(name = "kind")]
        _kind: Documented<KindNames>,
        /// Only changes of events of the providers with these slugs, separated by commas or given as repeated parameters. Unknown
        /// providers have no changes
        #[oai(name = "provider")]
        _provider: Documented<ProviderSlugs>,
        #[oai(name = "filters_of_changes")] _filters: Documented<AllFilters>,
    ) -> Result<EventStreamReply, ApiError> {
        let query = parse_stream(request)?;
        ContentCoding::negotiate(request.headers())?;
        self.0.change_streams.open(&self.0.readiness, query).await
    }
}

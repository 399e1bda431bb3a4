//! `GET /changes`: the log of what happened to events ([ADR 35](../../../../docs/adr/0035-change-log.md)).
//!
//! Its responses are not cached: a consumer requests each position once.

mod filters;
mod position;
mod response;
mod rows;
mod statement;

use poem::Request;
use poem_openapi::OpenApi;

use self::filters::{KindNames, ProviderSlugs};
pub(crate) use self::position::cursor_after_release;
pub use self::{
    filters::{ChangesLimit, ChangesQuery},
    position::{ChangeCursor, ChangePosition, LOG},
    response::ChangePage,
    statement::statement,
};
use crate::{
    database::{ReadSource, reader::ReadSize},
    error::ApiError,
    query::{CursorText, Documented, Parameters},
    resources::openapi::Tag,
    response::Reply,
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
    /// the filters, and no later change is missed. A page with fewer changes than `limit` is the last one for now.
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
        /// The maximum number of changes
        #[oai(name = "limit")]
        _limit: Documented<ChangesLimit>,
    ) -> Result<Reply<ChangePage>, ApiError> {
        let query = ChangesQuery::parse(Parameters::of(request))?;
        Reply::json(request, &self.find(&query).await?).await
    }
}

impl ChangesApi {
    async fn find(&self, query: &ChangesQuery) -> Result<ChangePage, ApiError> {
        let reader = &self.0.reader;
        let version = self.0.version.current().max(query.after.as_ref().map(|cursor| cursor.sort_key.version));
        let source = reader.with_version(version, self.0.version.newest_takedown());
        let page = self.read(source, query).await;
        // A replica may lag behind the cursor. Only the primary can tell that it has expired.
        if matches!(page, Err(ApiError::CursorExpired)) && !reader.is_primary(source) {
            return self.read(reader.only_primary(), query).await;
        }
        page
    }

    async fn read(&self, source: &ReadSource, query: &ChangesQuery) -> Result<ChangePage, ApiError> {
        self.0.reader.read(source, ReadSize::of_rows(query.limit), rows::find(&source.connection, query)).await
    }
}

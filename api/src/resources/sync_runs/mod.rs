//! `GET /sync-runs`, `/sync-runs/{id}` and `/sync-runs/{id}/rejects`: the ledger of sync runs.

mod filters;
mod reason;
mod response;
mod rows;
mod severity;
mod state;

use poem::Request;
use poem_openapi::OpenApi;

use self::filters::{ProviderText, SeverityName, StateName};
pub(crate) use self::{
    filters::{RejectsQuery, SyncRunsQuery, parse_run_id},
    reason::hide_details,
    rows::{RunRow, rejects as read_rejects, run as read_run, runs as read_runs},
};
pub use self::{
    response::{RejectList, SyncRun, SyncRunList},
    severity::Severity,
    state::RunState,
};
use crate::{
    auth::Caller,
    database::reader::ReadSize,
    error::ApiError,
    query::{CursorText, Documented, Limit, Parameters, Path, RowNumber, no_parameters},
    resources::openapi::Tag,
    response::{Envelope, PageReply, Reply},
    state::State,
};

/// The operations.
#[derive(Debug)]
pub struct SyncRunsApi(pub State);

#[OpenApi(tag = "Tag::ProvidersAndSyncs")]
impl SyncRunsApi {
    /// List sync runs
    ///
    /// Returns the attempts to copy the catalogues of providers, newest first. Network addresses in reasons are shown only to keys with
    /// the scope `operations` or `admin`, and on a server without keys to the local machine.
    #[oai(path = "/sync-runs", method = "get", operation_id = "sync_runs")]
    async fn sync_runs(
        &self,
        request: &Request,
        caller: Caller,
        /// Only runs of the provider with this slug
        #[oai(name = "provider")]
        _provider: Documented<ProviderText>,
        /// Only runs in this state
        #[oai(name = "state")]
        _state: Documented<StateName>,
        /// The maximum number of runs
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<SyncRunList>>, ApiError> {
        self.0.keys.authorize_operations(&caller)?;
        let query = SyncRunsQuery::parse(Parameters::of(request))?;
        let source = self.0.reader.primary();
        let rows = self.0.reader.read(source, query.page.read_size(), read_runs(&source.connection, &query)).await?;
        let (mut rows, next) = query.paginate(rows, |(run, _)| run.id);
        if !self.0.keys.is_operator(request, &caller) {
            rows.iter_mut().for_each(|(run, _)| hide_details(run));
        }
        PageReply::json(request, &Envelope::from(SyncRunList::from(rows)), next).await
    }

    /// Get a sync run
    ///
    /// Returns one attempt to copy the catalogue of a provider, queued and running ones included.
    #[oai(path = "/sync-runs/:id", method = "get", operation_id = "sync_run")]
    async fn sync_run(
        &self,
        request: &Request,
        caller: Caller,
        /// The number of the run
        id: Path<RowNumber>,
    ) -> Result<Reply<Envelope<SyncRun>>, ApiError> {
        self.0.keys.authorize_operations(&caller)?;
        no_parameters(request)?;
        let run_id = parse_run_id(&id)?;
        let source = self.0.reader.primary();
        let row = self.0.reader.read(source, ReadSize::Small, read_run(&source.connection, run_id)).await?;
        let mut row = row.ok_or_else(|| ApiError::not_found("sync run", &run_id))?;
        if !self.0.keys.is_operator(request, &caller) {
            hide_details(&mut row.0);
        }
        Reply::json(request, &Envelope::from(SyncRun::from(row))).await
    }

    /// List rejected items and warnings of a sync run
    ///
    /// Returns items of the feed that could not be imported, and then details of other items that were ignored or changed, both in document
    /// order. Only the first thousand of each are stored.
    #[oai(path = "/sync-runs/:id/rejects", method = "get", operation_id = "rejects")]
    async fn rejects(
        &self,
        request: &Request,
        caller: Caller,
        /// The number of the run
        id: Path<RowNumber>,
        /// Only rejected items (`error`), or only warnings
        #[oai(name = "severity")]
        _severity: Documented<SeverityName>,
        /// The maximum number of rejected items and warnings
        #[oai(name = "limit")]
        _limit: Documented<Limit>,
        /// The position after which the page begins, from the `Link` header of the previous page
        #[oai(name = "cursor")]
        _cursor: Documented<CursorText>,
    ) -> Result<PageReply<Envelope<RejectList>>, ApiError> {
        self.0.keys.authorize_operations(&caller)?;
        let query = RejectsQuery::parse(&id, Parameters::of(request))?;
        let source = self.0.reader.primary();
        let rows = self.0.reader.read(source, query.page.read_size(), read_rejects(&source.connection, &query)).await?;
        let rows = rows.ok_or_else(|| ApiError::not_found("sync run", &*id))?;
        let (rows, next) = query.paginate(rows, |reject| reject.position.into());
        PageReply::json(request, &Envelope::from(RejectList::from(rows)), next).await
    }
}

//! `GET /sync-runs`, `/sync-runs/{id}` and `/sync-runs/{id}/rejects`: the ledger.

mod answer;
mod request;
mod rows;

use poem::Request;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Path, Query},
};

pub use self::answer::{RejectsAnswer, SyncRunAnswer, SyncRunsAnswer};
use self::request::{RejectsRequest, SyncRunsRequest};
use crate::{
    State,
    error::ApiError,
    query::{CursorText, Described, Limit, Word, next_link, no_parameters},
    response::Encoded,
};

/// The operations.
#[derive(Debug)]
pub struct SyncRunsApi(pub State);

/// A page of runs.
#[derive(ApiResponse, Debug)]
pub enum SyncRunsResponse {
    /// The runs, newest first
    #[oai(status = 200)]
    Found(
        Encoded<SyncRunsAnswer>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

/// A page of rejects.
#[derive(ApiResponse, Debug)]
pub enum RejectsResponse {
    /// The rejects, in the order of the document
    #[oai(status = 200)]
    Found(
        Encoded<RejectsAnswer>,
        /// The next page, while there is one
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi]
impl SyncRunsApi {
    /// The ledger: every attempt to copy a catalogue
    ///
    /// Newest first.
    #[oai(path = "/sync-runs", method = "get", operation_id = "sync_runs")]
    async fn sync_runs(
        &self,
        request: &Request,
        /// Only those of this provider: its slug
        #[oai(name = "provider")]
        _provider: Query<Described<Word>>,
        /// Only those in this state: queued, running, succeeded, unchanged or failed
        #[oai(name = "state")]
        _state: Query<Described<Word>>,
        /// At most this many runs
        #[oai(name = "limit")]
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<SyncRunsResponse, ApiError> {
        let wanted = SyncRunsRequest::parse(request.uri().query().unwrap_or_default())?;
        let (rows, next) = self.0.reader.read(rows::runs(&self.0.reader.database, &wanted)).await?;
        let answer = Encoded::new(&SyncRunsAnswer::from(rows))?;
        let link = next.map(|cursor| next_link("/sync-runs", &wanted.filters(), wanted.page.limit, &cursor));
        Ok(SyncRunsResponse::Found(answer, link))
    }

    /// One attempt to copy a catalogue
    #[oai(path = "/sync-runs/:id", method = "get", operation_id = "sync_run")]
    async fn sync_run(
        &self,
        request: &Request,
        /// The run's number
        id: Path<String>,
    ) -> Result<Encoded<SyncRunAnswer>, ApiError> {
        no_parameters(request)?;
        let run = self.0.reader.read(rows::run(&self.0.reader.database, request::run_id(&id)?)).await?.ok_or(NO_SUCH_RUN)?;
        Encoded::new(&SyncRunAnswer::from(run))
    }

    /// What a run could not take
    ///
    /// In the order of the document; of a run with more than a thousand, the first thousand.
    #[oai(path = "/sync-runs/:id/rejects", method = "get", operation_id = "rejects")]
    async fn rejects(
        &self,
        request: &Request,
        /// The run's number
        id: Path<String>,
        /// At most this many rejects
        #[oai(name = "limit")]
        _limit: Query<Described<Limit>>,
        /// Where to go on, from the Link header of the page before
        #[oai(name = "cursor")]
        _cursor: Query<Described<CursorText>>,
    ) -> Result<RejectsResponse, ApiError> {
        let wanted = RejectsRequest::parse(&id, request.uri().query().unwrap_or_default())?;
        let (rows, next) = self.0.reader.read(rows::rejects(&self.0.reader.database, &wanted)).await?.ok_or(NO_SUCH_RUN)?;
        let answer = Encoded::new(&RejectsAnswer::from(rows))?;
        let path = format!("/sync-runs/{}/rejects", wanted.run_id);
        let link = next.map(|cursor| next_link(&path, &[], wanted.page.limit, &cursor));
        Ok(RejectsResponse::Found(answer, link))
    }
}

const NO_SUCH_RUN: ApiError = ApiError::NotFound { what: "sync run" };

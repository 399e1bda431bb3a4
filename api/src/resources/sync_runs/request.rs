//! What is asked of the ledger.

use entity::sync_run::RunState;
use sea_orm::Iterable;

use crate::{
    error::ApiError,
    query::{Page, Parameters, ValidationErrors},
};

/// Which runs.
#[derive(Clone, Debug, Default)]
pub(super) struct SyncRunsRequest {
    pub(super) provider: Option<String>,
    pub(super) state: Option<RunState>,
    pub(super) page: Page<i64>,
}

/// The rejects of which run.
#[derive(Clone, Debug)]
pub(super) struct RejectsRequest {
    pub(super) run_id: i64,
    pub(super) page: Page<i64>,
}

impl SyncRunsRequest {
    /// Reads a query string.
    pub(super) fn parse(query: &str) -> Result<Self, ApiError> {
        let mut errors = ValidationErrors::default();
        let parameters = Parameters::read(query, &["provider", "state", "limit", "cursor"], &mut errors);
        let provider = parameters.get("provider", &mut errors, |slug| Ok(slug.to_owned()));
        let state = parameters.get("state", &mut errors, state);
        let mut request = Self { provider, state, page: Page::default() };
        request.page = Page::read(&parameters, &request.key(), &mut errors);
        errors.or(request)
    }

    /// The filters in one form.
    pub(super) fn filters(&self) -> Vec<(&'static str, String)> {
        let state = self.state.map(|state| ("state", state.name().to_owned()));
        self.provider.clone().map(|provider| ("provider", provider)).into_iter().chain(state).collect()
    }

    /// The filters as a text that is equal for equal requests.
    pub(super) fn key(&self) -> String {
        format!("sync-runs {:?} {:?}", self.provider, self.state)
    }
}

impl RejectsRequest {
    /// Reads a run's number and a query string.
    pub(super) fn parse(id: &str, query: &str) -> Result<Self, ApiError> {
        let run_id = run_id(id)?;
        let mut errors = ValidationErrors::default();
        let parameters = Parameters::read(query, &["limit", "cursor"], &mut errors);
        let mut request = Self { run_id, page: Page::default() };
        request.page = Page::read(&parameters, &request.key(), &mut errors);
        errors.or(request)
    }

    /// The run as a text that is equal for equal requests.
    pub(super) fn key(&self) -> String {
        format!("rejects {}", self.run_id)
    }
}

/// Reads the number of a run.
pub(super) fn run_id(text: &str) -> Result<i64, ApiError> {
    text.parse().map_err(|_| ApiError::parameter("id", "want the number of a sync run"))
}

fn state(text: &str) -> Result<RunState, String> {
    RunState::iter().find(|state| state.name() == text).ok_or_else(|| {
        let known: Vec<&str> = RunState::iter().map(RunState::name).collect();
        format!("want one of {}", known.join(", "))
    })
}

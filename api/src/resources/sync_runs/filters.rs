//! The filters of the ledger.

use std::borrow::Cow;

use entity::sync_run::RunState;
use poem_openapi::registry::MetaSchema;
use sea_orm::Iterable;
use serde::{Serialize, Serializer};

use crate::{
    error::ApiError,
    query::{Filters, ListFilters, ListQuery, ParameterKind, Parameters, WITHOUT_NUL, parse_path},
};

/// Which runs.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SyncRunFilters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
    #[serde(serialize_with = "serialize_state", skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<RunState>,
}

/// The rejected items of which run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RejectFilters {
    /// Part of the path.
    #[serde(skip)]
    pub(super) run_id: i64,
}

/// A request for runs.
pub(crate) type SyncRunsQuery = ListQuery<SyncRunFilters>;
/// A request for rejected items.
pub(crate) type RejectsQuery = ListQuery<RejectFilters>;

/// The slug of a provider, or any other text, which has no runs.
#[derive(Debug)]
pub(super) struct ProviderText;

/// The name of a state.
#[derive(Debug)]
pub(super) struct StateName;

impl ParameterKind for ProviderText {
    fn schema() -> MetaSchema {
        MetaSchema { pattern: Some(WITHOUT_NUL.to_owned()), ..MetaSchema::new("string") }
    }
}

impl ParameterKind for StateName {
    fn schema() -> MetaSchema {
        MetaSchema { enum_items: RunState::iter().map(|state| state.name().into()).collect(), ..MetaSchema::new("string") }
    }
}

impl Filters for SyncRunFilters {
    fn path(&self) -> Cow<'static, str> {
        "/sync-runs".into()
    }
}

impl ListFilters for SyncRunFilters {
    type SortKey = i64;
}

impl Filters for RejectFilters {
    fn path(&self) -> Cow<'static, str> {
        format!("/sync-runs/{}/rejects", self.run_id).into()
    }
}

impl ListFilters for RejectFilters {
    type SortKey = i64;
}

impl SyncRunsQuery {
    /// Reads the parameters of a request for runs.
    pub(crate) fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let provider = parameters.get("provider", |slug| Ok(slug.to_owned()));
        let state = parameters.get("state", parse_state);
        let query = Self::read(SyncRunFilters { provider, state }, &mut parameters);
        parameters.finish(query)
    }
}

impl RejectsQuery {
    /// Reads the number of a run and the parameters of a request for its rejected items.
    pub(crate) fn parse(id: &str, mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let query = Self::read(RejectFilters { run_id: parse_run_id(id)? }, &mut parameters);
        parameters.finish(query)
    }
}

/// Parses the number of a run.
pub(super) fn parse_run_id(text: &str) -> Result<i64, ApiError> {
    parse_path("id", text, "must be the number of a sync run")
}

fn parse_state(text: &str) -> Result<RunState, String> {
    RunState::iter().find(|state| state.name() == text).ok_or_else(|| {
        let names: Vec<&str> = RunState::iter().map(RunState::name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn serialize_state<S: Serializer>(state: &Option<RunState>, serializer: S) -> Result<S::Ok, S::Error> {
    state.map(RunState::name).serialize(serializer)
}

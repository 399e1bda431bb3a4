//! The filters of the ledger.

use std::borrow::Cow;

use entity::{reject::Severity, sync_run::RunState};
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
    pub(crate) provider: Option<String>,
    #[serde(serialize_with = "serialize_state", skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<RunState>,
}

/// Which rejected items and warnings of which run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RejectFilters {
    /// Part of the path.
    #[serde(skip)]
    pub(super) run_id: i64,
    #[serde(serialize_with = "serialize_severity", skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<Severity>,
}

/// A request for runs.
pub(crate) type SyncRunsQuery = ListQuery<SyncRunFilters>;
/// A request for rejected items and warnings.
pub(crate) type RejectsQuery = ListQuery<RejectFilters>;

/// The slug of a provider, or any other text, which has no runs.
#[derive(Debug)]
pub(super) struct ProviderText;

/// The name of a state.
#[derive(Debug)]
pub(super) struct StateName;

/// The name of a severity.
#[derive(Debug)]
pub(super) struct SeverityName;

impl ParameterKind for SeverityName {
    fn schema() -> MetaSchema {
        let names = Severity::iter().map(|severity| severity.name().into());
        MetaSchema { enum_items: names.collect(), ..MetaSchema::new("string") }
    }
}

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
        let state = parameters.get("state", |name| parse_name(name, RunState::iter(), RunState::name));
        let query = Self::read(SyncRunFilters { provider, state }, &mut parameters);
        parameters.finish(query)
    }
}

impl RejectsQuery {
    /// Reads the number of a run and the parameters of a request for its rejected items.
    pub(crate) fn parse(id: &str, mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let run_id = parse_run_id(id)?;
        let severity = parameters.get("severity", |name| parse_name(name, Severity::iter(), Severity::name));
        let query = Self::read(RejectFilters { run_id, severity }, &mut parameters);
        parameters.finish(query)
    }
}

/// Parses the number of a run.
pub(crate) fn parse_run_id(text: &str) -> Result<i64, ApiError> {
    parse_path("id", text, "must be the number of a sync run")
}

/// Parses the name of one of these values.
fn parse_name<T: Copy>(
    text: &str,
    mut values: impl Iterator<Item = T> + Clone,
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    let names: Vec<&str> = values.clone().map(name).collect();
    values.find(|value| name(*value) == text).ok_or_else(|| format!("must be one of {}", names.join(", ")))
}

fn serialize_severity<S: Serializer>(severity: &Option<Severity>, serializer: S) -> Result<S::Ok, S::Error> {
    severity.map(Severity::name).serialize(serializer)
}

fn serialize_state<S: Serializer>(state: &Option<RunState>, serializer: S) -> Result<S::Ok, S::Error> {
    state.map(RunState::name).serialize(serializer)
}

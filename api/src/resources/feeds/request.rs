//! The options of a pushed feed.

use entity::pushed_feed::Mode;
use poem::Request;
use poem_openapi::registry::MetaSchema;
use rates::IdempotencyKey;

use crate::{
    error::ApiError,
    query::{ParameterKind, Parameters},
    resources::upload::idempotency_key,
};

/// The parameters and headers of a pushed feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FeedRequest {
    pub(super) mode: Mode,
    pub(super) is_dry_run: bool,
    pub(super) key: Option<IdempotencyKey>,
}

/// The name of a mode.
#[derive(Debug)]
pub(super) struct ModeName;

/// Whether a feed is only tried.
#[derive(Debug)]
pub(super) struct DryRun;

impl ParameterKind for ModeName {
    fn schema() -> MetaSchema {
        let names = vec!["snapshot".into(), "delta".into()];
        MetaSchema { enum_items: names, default: Some("snapshot".into()), ..MetaSchema::new("string") }
    }
}

impl ParameterKind for DryRun {
    /// The example changes nothing.
    fn schema() -> MetaSchema {
        MetaSchema { default: Some(false.into()), example: Some(true.into()), ..MetaSchema::new("boolean") }
    }
}

impl FeedRequest {
    pub(super) fn parse(request: &Request) -> Result<Self, ApiError> {
        let mut parameters = Parameters::of(request);
        let mode = parameters.get("mode", |mode| match mode {
            "snapshot" => Ok(Mode::Snapshot),
            "delta" => Ok(Mode::Delta),
            _ => Err("must be `snapshot` or `delta`".to_owned()),
        });
        let is_dry_run = parameters.get("dry_run", |dry_run| match dry_run {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be `true` or `false`".to_owned()),
        });
        parameters.finish(())?;
        let is_dry_run = is_dry_run.unwrap_or_default();
        // A dry run changes nothing, so it can be repeated without a key.
        let key = idempotency_key(request)?.filter(|_| !is_dry_run);
        Ok(Self { mode: mode.unwrap_or(Mode::Snapshot), is_dry_run, key })
    }
}

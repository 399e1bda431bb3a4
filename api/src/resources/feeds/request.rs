//! The options of a pushed feed.

use entity::pushed_feed::Mode;
use poem::Request;
use rates::IdempotencyKey;

use crate::{error::ApiError, query::Parameters, upload::idempotency_key};

/// The parameters and headers of a pushed feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FeedRequest {
    pub(super) mode: Mode,
    pub(super) is_dry_run: bool,
    pub(super) key: Option<IdempotencyKey>,
}

impl FeedRequest {
    pub(super) fn parse(request: &Request) -> Result<Self, ApiError> {
        let mut parameters = Parameters::of(request);
        let mode = parameters.get("mode", |mode| match mode {
            "snapshot" => Ok(Mode::Snapshot),
            "delta" => Ok(Mode::Delta),
            _ => Err(format!("must be `snapshot` or `delta`, got `{mode}`")),
        });
        let is_dry_run = parameters.get("dry_run", |dry_run| match dry_run {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("must be `true` or `false`, got `{dry_run}`")),
        });
        parameters.finish(())?;
        let is_dry_run = is_dry_run.unwrap_or_default();
        // A dry run changes nothing, so it can be repeated without a key.
        let key = idempotency_key(request)?.filter(|_| !is_dry_run);
        Ok(Self { mode: mode.unwrap_or(Mode::Snapshot), is_dry_run, key })
    }
}

//! The parameters of a request for changes.

use std::{collections::BTreeSet, sync::Arc};

use entity::{
    change::ChangeKind,
    change_log::{ChangesQuery, parse_cursor},
};
use poem::Request;
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};

use crate::{
    error::ApiError,
    find::read_state_filter,
    query::{
        CursorText, ParameterKind, Parameters, ProviderSlugText, describe_invalid, parse_integer, parse_path, parse_provider_slug,
    },
};

/// Changes of a page without `limit`: what a consumer that polls usually finds.
const DEFAULT_LIMIT: u64 = 100;
/// The most changes of a page: a few hundred kilobytes. A consumer that lags behind needs few requests.
const MAX_LIMIT: u64 = 1_000;
/// Providers of one request. Each is a range of an index that is merged with the others.
const MAX_PROVIDERS: usize = 20;

/// The header with which clients of a stream reconnect.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Names of kinds.
#[derive(Debug)]
pub(super) struct KindNames;

/// Slugs of providers.
#[derive(Debug)]
pub(super) struct ProviderSlugs;

/// A number of changes.
#[derive(Debug)]
pub struct ChangesLimit;

/// The header `Last-Event-ID`.
#[derive(Debug)]
pub(super) struct LastEventId;

impl ParameterKind for KindNames {
    fn schema() -> MetaSchema {
        let names = ChangeKind::ALL.map(|kind| kind.name().into()).into();
        list_of(MetaSchema { enum_items: names, ..MetaSchema::new("string") })
    }
}

impl ParameterKind for ProviderSlugs {
    fn schema() -> MetaSchema {
        MetaSchema { max_items: Some(MAX_PROVIDERS), ..list_of(ProviderSlugText::schema()) }
    }
}

impl ParameterKind for ChangesLimit {
    #[expect(clippy::cast_precision_loss, reason = "the bound is small")]
    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(1.0),
            maximum: Some(MAX_LIMIT as f64),
            default: Some(DEFAULT_LIMIT.into()),
            example: Some(10.into()),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }
}

impl ParameterKind for LastEventId {
    const IN: MetaParamIn = MetaParamIn::Header;

    fn schema() -> MetaSchema {
        CursorText::schema()
    }
}

fn list_of(item: MetaSchema) -> MetaSchema {
    MetaSchema { items: Some(Box::new(MetaSchemaRef::Inline(Box::new(item)))), ..MetaSchema::new("array") }
}

/// Reads the parameters of a request for changes.
///
/// # Errors
///
/// When any are unknown, repeated or malformed; the error lists all of them.
pub fn parse_changes(mut parameters: Parameters<'_>) -> Result<ChangesQuery, ApiError> {
    let filters = read_filters(&mut parameters);
    let limit = parse_limit(&mut parameters);
    parameters.finish(ChangesQuery { limit, ..filters })
}

/// Reads the parameters of a stream. A client that reconnects sends the URL of its first request, so the header has precedence.
pub(super) fn parse_stream(request: &Request) -> Result<ChangesQuery, ApiError> {
    let mut parameters = Parameters::of(request);
    let filters = read_filters(&mut parameters);
    let last_id = request.headers().get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()));
    let last_id = match last_id.filter(|id| !id.is_empty()).map(|id| (parse_cursor(&id), id)) {
        None => None,
        Some((Ok(cursor), _)) => Some(cursor),
        Some((Err(requirement), id)) => {
            parameters.add_error(LAST_EVENT_ID, describe_invalid(&requirement, &id));
            None
        }
    };
    parameters.finish(ChangesQuery { after: last_id.or(filters.after), ..filters })
}

fn read_filters(parameters: &mut Parameters<'_>) -> ChangesQuery {
    let after = parameters.get("after", parse_cursor);
    ChangesQuery { after, ..read_selection(parameters) }
}

/// Reads which changes are selected, without a position.
pub(crate) fn read_selection(parameters: &mut Parameters<'_>) -> ChangesQuery {
    let kinds = parameters.list_of("kind", parse_kind);
    let providers = parameters.list_of("provider", parse_provider_slug);
    if providers.len() > MAX_PROVIDERS {
        parameters.add_error("provider", format!("must have at most {MAX_PROVIDERS} slugs, got {}", providers.len()));
    }
    let providers = providers.into_iter().collect();
    let states = read_state_filter(parameters).map(Arc::new);
    ChangesQuery {
        kinds: reduce(kinds),
        providers,
        has_states: states.is_some(),
        states,
        ..ChangesQuery::all(None, DEFAULT_LIMIT)
    }
}

/// Reads an event's id and the parameters of a request for its history.
///
/// # Errors
///
/// As [`parse_changes`].
pub fn parse_history(id: &str, mut parameters: Parameters<'_>) -> Result<ChangesQuery, ApiError> {
    let event = parse_path("id", id, "must be a UUID as in /search")?;
    let after = parameters.get("after", parse_cursor);
    let kinds = reduce(parameters.list_of("kind", parse_kind));
    let limit = parse_limit(&mut parameters);
    parameters.finish(ChangesQuery { event: Some(event), kinds, ..ChangesQuery::all(after, limit) })
}

fn parse_limit(parameters: &mut Parameters<'_>) -> u64 {
    parameters.get("limit", |text| parse_integer(text, 1..=MAX_LIMIT)).unwrap_or(DEFAULT_LIMIT)
}

/// All kinds are the same as none.
fn reduce(kinds: Vec<ChangeKind>) -> BTreeSet<ChangeKind> {
    let kinds: BTreeSet<ChangeKind> = kinds.into_iter().collect();
    if kinds.len() == ChangeKind::ALL.len() { BTreeSet::new() } else { kinds }
}

fn parse_kind(text: &str) -> Result<ChangeKind, String> {
    ChangeKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
        let names = ChangeKind::ALL.map(ChangeKind::name);
        format!("must be kinds of changes: {}", names.join(", "))
    })
}

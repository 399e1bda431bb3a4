//! The parameters of a request for changes.

use std::{collections::BTreeSet, ops::RangeInclusive};

use entity::{change::ChangeKind, event_state::ChangedStates};
use poem::Request;
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use sea_orm::prelude::Uuid;

use super::position::{ChangeCursor, parse_cursor};
use crate::{
    error::ApiError,
    find::StateFilter,
    query::{
        CursorText, ParameterKind, Parameters, ProviderSlugText, describe_invalid, parse_integer, parse_path, parse_provider_slug,
    },
};

/// Changes of a page without `limit`: what a consumer that polls usually finds.
const DEFAULT_LIMIT: u64 = 100;
/// The most changes of a page: a few hundred kilobytes. A consumer that lags behind needs few requests.
const MAX_LIMIT: u64 = 1_000;
/// Changes that are read for one of a page with filters of events, which may select few of them.
const EXAMINED_FOR_ONE: u64 = 5;
/// Changes that are read for a page with filters, at least and at most, so that no request reads the whole log.
const EXAMINED: RangeInclusive<u64> = 100..=MAX_LIMIT;
/// Providers of one request. Each is a range of an index that is merged with the others.
const MAX_PROVIDERS: usize = 20;

/// The header with which clients of a stream reconnect.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// A request for changes.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangesQuery {
    /// The position after which the page begins.
    pub after: Option<ChangeCursor>,
    /// The kinds; empty for all.
    pub kinds: BTreeSet<ChangeKind>,
    /// The slugs of providers; empty for all.
    pub providers: BTreeSet<String>,
    /// Which states of the event, before or after the change; `None` for all.
    pub states: Option<StateFilter>,
    /// The only event, without providers.
    pub event: Option<Uuid>,
    /// Whether the states of the changes are read.
    pub(super) has_states: bool,
    /// The maximum number of changes.
    pub limit: u64,
}

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

impl ChangesQuery {
    /// Reads the parameters.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated or malformed; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let filters = Self::parse_filters(&mut parameters);
        let limit = parse_limit(&mut parameters);
        parameters.finish(Self { limit, ..filters })
    }

    /// Reads the parameters of a stream. A client that reconnects sends the URL of its first request, so the header has precedence.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub(super) fn parse_stream(request: &Request) -> Result<Self, ApiError> {
        let mut parameters = Parameters::of(request);
        let filters = Self::parse_filters(&mut parameters);
        let last_id = request.headers().get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()));
        let last_id = match last_id.filter(|id| !id.is_empty()).map(|id| (parse_cursor(&id), id)) {
            None => None,
            Some((Ok(cursor), _)) => Some(cursor),
            Some((Err(requirement), id)) => {
                parameters.add_error(LAST_EVENT_ID, describe_invalid(&requirement, &id));
                None
            }
        };
        parameters.finish(Self { after: last_id.or(filters.after), ..filters })
    }

    fn parse_filters(parameters: &mut Parameters<'_>) -> Self {
        let after = parameters.get("after", parse_cursor);
        let kinds = parameters.list_of("kind", parse_kind);
        let providers = parameters.list_of("provider", parse_provider_slug);
        if providers.len() > MAX_PROVIDERS {
            parameters.add_error("provider", format!("must have at most {MAX_PROVIDERS} slugs, got {}", providers.len()));
        }
        let providers = providers.into_iter().collect();
        let states = StateFilter::read(parameters);
        Self { after, kinds: reduce(kinds), providers, has_states: states.is_some(), states, event: None, limit: DEFAULT_LIMIT }
    }

    /// Reads an event's id and the parameters of a request for its history.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_history(id: &str, mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let event = parse_path("id", id, "must be a UUID as in /search")?;
        let after = parameters.get("after", parse_cursor);
        let kinds = reduce(parameters.list_of("kind", parse_kind));
        let limit = parse_limit(&mut parameters);
        parameters.finish(Self { event: Some(event), kinds, limit, ..Self::all(after) })
    }

    /// All changes after a position, with their states.
    pub(super) fn all_after(position: ChangeCursor, limit: u64) -> Self {
        Self { limit, has_states: true, ..Self::all(Some(position)) }
    }

    fn all(after: Option<ChangeCursor>) -> Self {
        let (kinds, providers) = (BTreeSet::new(), BTreeSet::new());
        Self { after, kinds, providers, states: None, event: None, has_states: false, limit: DEFAULT_LIMIT }
    }

    /// How many changes are read for a page.
    pub(super) fn examined(&self) -> u64 {
        let examined = (self.limit * EXAMINED_FOR_ONE).clamp(*EXAMINED.start(), *EXAMINED.end());
        if self.states.is_some() { examined } else { self.limit }
    }

    /// Whether a change of this kind, provider and states is selected.
    pub(super) fn selects(&self, kind: ChangeKind, provider: &str, states: Option<&ChangedStates>) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.providers.is_empty() || self.providers.contains(provider))
            && self.selects_states(states, provider)
    }

    /// Whether states are selected. Unknown ones are: a consumer must not miss a change.
    pub(super) fn selects_states(&self, states: Option<&ChangedStates>, provider: &str) -> bool {
        let Some((filter, states)) = self.states.as_ref().zip(states) else { return true };
        filter.selects(states, provider)
    }
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

//! The parameters of a request for changes.

use std::collections::BTreeSet;

use entity::change::ChangeKind;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};

use super::position::{ChangeCursor, parse_cursor};
use crate::{
    error::ApiError,
    query::{ParameterKind, Parameters, ProviderSlugText, parse_integer, parse_provider_slug},
};

/// Changes of a page without `limit`: what a consumer that polls usually finds.
const DEFAULT_LIMIT: u64 = 100;
/// The most changes of a page: a few hundred kilobytes. A consumer that lags behind needs few requests.
const MAX_LIMIT: u64 = 1_000;
/// Providers of one request. Each is a range of an index that is merged with the others.
const MAX_PROVIDERS: usize = 20;

/// A request for changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesQuery {
    /// The position after which the page begins.
    pub after: Option<ChangeCursor>,
    /// The kinds; empty for all.
    pub kinds: BTreeSet<ChangeKind>,
    /// The slugs of providers; empty for all.
    pub providers: BTreeSet<String>,
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
        let after = parameters.get("after", parse_cursor);
        let kinds = parameters.list_of("kind", parse_kind);
        let providers = parameters.list_of("provider", parse_provider_slug);
        if providers.len() > MAX_PROVIDERS {
            parameters.add_error("provider", format!("must have at most {MAX_PROVIDERS} slugs, got {}", providers.len()));
        }
        let limit = parameters.get("limit", |text| parse_integer(text, 1..=MAX_LIMIT)).unwrap_or(DEFAULT_LIMIT);
        let query = Self { after, kinds: reduce(kinds), providers: providers.into_iter().collect(), limit };
        parameters.finish(query)
    }
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

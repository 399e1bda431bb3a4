//! `GET /events`: lists of events by any filters.

use std::{borrow::Cow, collections::BTreeSet};

use entity::footprint::Selection;
use poem::http::HeaderValue;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::list_response::{EventPageMeta, FIELDS, encode_page};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    find::{EventFilters, FilterDefaults, PageReader, Sort, SortKey},
    query::{Filters, ListFilters, ListQuery, MAX_ROWS, ParameterKind, Parameters, StatusFilter},
    vocabulary::Vocabulary,
};

/// Events of a page without a `limit`: what a page of a service shows.
const DEFAULT_LIMIT: u64 = 100;
/// Known events of one request: their ids fit into a URL.
const MAX_IDS: usize = 500;
/// Events are counted up to this number: a list that is longer is not read to its end, and counting it takes as long as it is long.
const MAX_TOTAL: u64 = 10_000;

/// Which events, in which order, and what of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventsFilters {
    /// The filters.
    #[serde(flatten)]
    pub(super) filters: EventFilters,
    /// Known events; empty for all.
    #[serde(serialize_with = "serialize_ids", skip_serializing_if = "Vec::is_empty")]
    pub(super) ids: Vec<Uuid>,
    /// The order.
    #[serde(skip_serializing_if = "Sort::is_default")]
    pub(super) sort: Sort,
    /// Whether the response has the number of all events.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total: bool,
    /// The members of each event; empty for all.
    #[serde(serialize_with = "serialize_fields", skip_serializing_if = "BTreeSet::is_empty")]
    fields: BTreeSet<&'static str>,
}

/// A request for events.
pub type EventsQuery = ListQuery<EventsFilters>;

/// Ids of events.
#[derive(Debug)]
pub(super) struct EventIds;

/// Names of members.
#[derive(Debug)]
pub(super) struct FieldNames;

/// Whether to count.
#[derive(Debug)]
pub(super) struct TotalText;

/// A number of events.
#[derive(Debug)]
pub(super) struct EventLimit;

impl Filters for EventsFilters {
    fn path(&self) -> Cow<'static, str> {
        "/events".into()
    }
}

impl ListFilters for EventsFilters {
    type SortKey = SortKey;
}

impl EventsFilters {
    /// Reads the parameters that lists in all formats have.
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Self {
        let ids = read_ids(parameters);
        let defaults = if ids.is_empty() { FilterDefaults::Upcoming } else { FilterDefaults::All };
        let mut filters = EventFilters::read(parameters, defaults);
        if !ids.is_empty() && !parameters.has("status") {
            filters.status = StatusFilter::Any;
        }
        let sort = Sort::read(parameters);
        if sort == Sort::Distance && filters.near.is_none() {
            parameters.add_error("sort", "`distance` requires `latitude`, `longitude` and `radius`");
        }
        if sort == Sort::Relevance && filters.words.is_none() {
            parameters.add_error("sort", "`relevance` requires `q`");
        }
        Self { filters, ids, sort, total: false, fields: BTreeSet::new() }
    }
}

impl EventsQuery {
    /// Reads the parameters of a request for events.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed or contradictory; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let mut filters = EventsFilters::read(&mut parameters);
        filters.total = parameters.get("total", parse_flag).unwrap_or_default();
        filters.fields = parameters.list_of("fields", parse_field).into_iter().collect();
        let default_limit = if filters.ids.is_empty() { DEFAULT_LIMIT } else { MAX_IDS as u64 };
        let mut query = Self::read(filters, &mut parameters);
        query.page.limit.get_or_insert(default_limit);
        parameters.finish(query)
    }

    /// The query of known events.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub(super) fn of_ids(ids: &[Uuid]) -> Result<Self, ApiError> {
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        Self::parse(Parameters::parse(&format!("ids={}", ids.join(","))))
    }
}

impl CachedQuery for EventsQuery {
    const RESOURCE: CachedResource = CachedResource::Events;

    fn selection(&self) -> Selection {
        self.filters.filters.selection(self.filters.sort)
    }

    fn needs_snapshot(&self) -> bool {
        self.filters.filters.need_snapshot(self.filters.sort)
    }

    fn correct(&mut self, vocabulary: &Vocabulary) -> Option<String> {
        self.filters.filters.correct(vocabulary)
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let EventsFilters { filters, ids, sort, total, fields } = &self.filters;
        let reader = PageReader { database, filters, ids, sort: *sort };
        let after = self.page.after.as_ref().map(|cursor| cursor.sort_key);
        let (page, snapshot) = reader.read(after, self.page.rows() + 1, total.then_some(MAX_TOTAL)).await?;
        let (rows, link) = self.paginate(page.rows, |row| row.sort_key(*sort));
        let next = link.as_ref().and_then(reference_of);
        let views = rows.into_iter().map(|row| row.view);
        let meta = EventPageMeta {
            next: next.into(),
            total: page.total.into(),
            corrected: page.corrected.into(),
            complete: !page.is_cut,
        };
        let body = encode_page(views, (filters.near.is_some(), fields), &meta).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link })
    }
}

/// The reference of a `Link` header.
fn reference_of(link: &HeaderValue) -> Option<String> {
    let (reference, _) = link.to_str().ok()?.strip_prefix('<')?.split_once('>')?;
    Some(reference.to_owned())
}

fn read_ids(parameters: &mut Parameters<'_>) -> Vec<Uuid> {
    let mut ids =
        parameters.list_of("ids", |text| text.trim().parse::<Uuid>().map_err(|_| "must be UUIDs separated by commas".to_owned()));
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MAX_IDS {
        parameters.add_error("ids", format!("must have at most {MAX_IDS} ids, got {}", ids.len()));
    }
    ids
}

fn parse_flag(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be `true` or `false`".to_owned()),
    }
}

fn parse_field(text: &str) -> Result<&'static str, String> {
    let known = FIELDS.into_iter().find(|field| *field == text.trim());
    known.ok_or_else(|| format!("must be members of an event: {}", FIELDS.join(", ")))
}

fn serialize_ids<S: Serializer>(ids: &[Uuid], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(","))
}

fn serialize_fields<S: Serializer>(fields: &BTreeSet<&'static str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Vec::from_iter(fields.iter().copied()).join(","))
}

fn list_of(item: MetaSchema, max_items: Option<usize>) -> MetaSchema {
    MetaSchema { items: Some(Box::new(MetaSchemaRef::Inline(Box::new(item)))), max_items, ..MetaSchema::new("array") }
}

impl ParameterKind for EventIds {
    fn schema() -> MetaSchema {
        let id = MetaSchema { example: Some(Uuid::nil().to_string().into()), ..MetaSchema::new_with_format("string", "uuid") };
        list_of(id, Some(MAX_IDS))
    }
}

impl ParameterKind for FieldNames {
    fn schema() -> MetaSchema {
        list_of(MetaSchema { enum_items: FIELDS.map(Into::into).into(), ..MetaSchema::new("string") }, None)
    }
}

impl ParameterKind for TotalText {
    fn schema() -> MetaSchema {
        MetaSchema { default: Some(false.into()), ..MetaSchema::new("boolean") }
    }
}

impl ParameterKind for EventLimit {
    #[expect(clippy::cast_precision_loss, reason = "the bound is small")]
    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(1.0),
            maximum: Some(MAX_ROWS as f64),
            default: Some(DEFAULT_LIMIT.into()),
            example: Some(10.into()),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }
}

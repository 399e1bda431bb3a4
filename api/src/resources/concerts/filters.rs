//! The filters of concerts.

use std::borrow::Cow;

use entity::footprint::{Scope, Selection, hash_performer};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::{rows, sort::ConcertSort};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{reader::ReadSize, sql::ReadConnection},
    error::ApiError,
    find::{NEAR_PARAMETERS, Near, parse_price, serialize_price},
    query::{Filters, ListFilters, ListQuery, ParameterKind, Parameters, StatusFilter, TimeRange},
};

/// Performers of one request: more than anyone follows, and few enough to find all their concerts in one statement.
const MAX_BANDS: usize = 100;
/// Characters of an id with its provider: more than a feed may contain.
const MAX_ID_CHARACTERS: usize = 400;

/// The start, the event, and the position of the performer in it.
pub(super) type ConcertSortKey = (i64, Uuid, i32);

/// Which concerts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConcertFilters {
    /// Ids of performers, sorted and distinct; empty for any performer.
    #[serde(rename = "bandIds", serialize_with = "serialize_ids", skip_serializing_if = "Vec::is_empty")]
    pub(super) bands: Vec<String>,
    /// Where they take place.
    #[serde(flatten)]
    pub near: Option<Near>,
    /// When they take place.
    #[serde(flatten)]
    pub(super) range: TimeRange,
    /// The maximum of the lowest price, in ten-thousandths.
    #[serde(serialize_with = "serialize_price", skip_serializing_if = "Option::is_none")]
    pub(super) max_price: Option<i64>,
    /// Which statuses their events have.
    #[serde(skip_serializing_if = "StatusFilter::is_default")]
    pub(super) status: StatusFilter,
    /// The order.
    #[serde(skip_serializing_if = "ConcertSort::is_default")]
    pub(super) sort: ConcertSort,
}

/// Ids of performers.
#[derive(Debug)]
pub(super) struct PerformerIds;

/// A request for concerts.
pub type ConcertsQuery = ListQuery<ConcertFilters>;

impl Filters for ConcertFilters {
    fn path(&self) -> Cow<'static, str> {
        "/concerts".into()
    }
}

impl ListFilters for ConcertFilters {
    type SortKey = ConcertSortKey;
}

impl ParameterKind for PerformerIds {
    fn schema() -> MetaSchema {
        let id = MetaSchema {
            max_length: Some(MAX_ID_CHARACTERS),
            // Without commas, control characters, surrounding spaces, and a colon at an end.
            pattern: Some(r"^[^\s\x00-\x1f\x7f-\x9f,:]([^\x00-\x1f\x7f-\x9f,]*[^\s\x00-\x1f\x7f-\x9f,:])?$".to_owned()),
            ..MetaSchema::new("string")
        };
        MetaSchema {
            items: Some(Box::new(MetaSchemaRef::Inline(Box::new(id)))),
            max_items: Some(MAX_BANDS),
            ..MetaSchema::new("array")
        }
    }
}

impl ConcertsQuery {
    /// Reads the parameters of a request for concerts.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated, malformed, contradictory or missing; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let has_condition = parameters.has("bandIds") || NEAR_PARAMETERS.iter().any(|name| parameters.has(name));
        if !has_condition {
            parameters.add_error("bandIds", "is required, unless `latitude`, `longitude` and `radius` are given");
        }
        let bands = parameters.list("bandIds").map(|ids| read_bands(&ids, &mut parameters)).unwrap_or_default();
        let near = Near::read(&mut parameters);
        let range = TimeRange::read(&mut parameters);
        let max_price = parameters.get("max_price", parse_price);
        let status = StatusFilter::read(&mut parameters);
        let sort = ConcertSort::read(&mut parameters);
        let query = Self::read(ConcertFilters { bands, near, range, max_price, status, sort }, &mut parameters);
        parameters.finish(query)
    }
}

impl CachedQuery for ConcertsQuery {
    const RESOURCE: CachedResource = CachedResource::Concerts;

    fn selection(&self) -> Selection {
        let ConcertFilters { bands, near, range, .. } = &self.filters;
        Selection {
            scopes: &[Scope::Events, Scope::Concerts],
            providers: None,
            days: range.days(),
            area: near.map(|near| near.area()),
            performers: hash_bands(bands),
            categories: None,
        }
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        rows::find(database, self).await
    }
}

/// Hashes of the ids that performers may have at their providers; `None` if any performer may be meant.
fn hash_bands(bands: &[String]) -> Option<Vec<u32>> {
    let is_any = bands.is_empty() || bands.iter().any(|band| band.parse::<Uuid>().is_ok());
    let of_provider = bands.iter().filter_map(|band| band.split_once(':')).map(|(_, id)| id);
    (!is_any).then(|| bands.iter().map(String::as_str).chain(of_provider).map(hash_performer).collect())
}

fn read_bands(ids: &[String], parameters: &mut Parameters<'_>) -> Vec<String> {
    if let Some(error) = ids.iter().find_map(|id| validate_id(id).err()) {
        parameters.add_error("bandIds", error);
    }
    let mut ids: Vec<String> = ids.iter().map(|id| id.trim().to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MAX_BANDS {
        parameters.add_error("bandIds", format!("must contain at most {MAX_BANDS} ids, got {}", ids.len()));
    }
    ids
}

fn validate_id(id: &str) -> Result<(), String> {
    let id = id.trim();
    if id.is_empty() {
        Err("must be ids of performers separated by commas, such as `1,4,5`, got an empty id".to_owned())
    } else if id.starts_with(':') || id.ends_with(':') {
        Err(format!("must contain ids as `id` or `provider:id`, got `{}`", shorten(id)))
    } else if id.chars().any(char::is_control) || id.chars().count() > MAX_ID_CHARACTERS {
        Err(format!(
            "must contain ids without control characters of at most {MAX_ID_CHARACTERS} characters, got `{}`",
            shorten(id)
        ))
    } else {
        Ok(())
    }
}

fn shorten(id: &str) -> String {
    id.chars().take(40).filter(|character| !character.is_control()).collect()
}

fn serialize_ids<S: Serializer>(ids: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&ids.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Canonical;

    fn parse(query: &str) -> ConcertsQuery {
        ConcertsQuery::parse(Parameters::parse(query)).unwrap_or_else(|error| panic!("{query}: {error:?}"))
    }

    fn errors(query: &str) -> Vec<(String, String)> {
        match ConcertsQuery::parse(Parameters::parse(query)) {
            Err(ApiError::InvalidParameters(errors)) => {
                errors.into_iter().map(|error| (error.parameter.unwrap_or_default(), error.message)).collect()
            }
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn equivalent_requests_have_one_canonical_form() {
        let canonical = "/concerts?bandIds=1%2C4%2C5&latitude=48.5&longitude=0&radius=5";
        for query in [
            "bandIds=5,4,1&latitude=48.5&longitude=-0&radius=5",
            "bandIds=1&bandIds=4&bandIds=5,4&radius=5.0&longitude=0&latitude=%2B48.50",
            "radius=5e0&latitude=48.5&longitude=0.0&bandIds=%201,4%20,5",
        ] {
            assert_eq!(parse(query).canonical(), canonical, "{query}");
        }
        for other in ["bandIds=1,4,5", "bandIds=1,4&latitude=48.5&longitude=0&radius=5", "latitude=48.5&longitude=0&radius=5"] {
            assert_ne!(parse(other).canonical(), canonical, "{other}");
        }
        assert_ne!(parse("bandIds=1").canonical(), parse("bandIds=1&max_price=0").canonical());
    }

    #[test]
    fn errors_name_their_parameter() {
        for (query, parameter, part) in [
            ("", "bandIds", "is required, unless"),
            ("latitude=1&longitude=2", "radius", "is required"),
            ("bandIds=1&radius=2", "latitude", "is required"),
            ("band=32", "band", "did you mean `bandIds`?"),
            ("bandIds=", "bandIds", "is required, unless"),
            ("bandIds=1,,2", "bandIds", "empty id"),
            ("bandIds=1,", "bandIds", "empty id"),
            ("bandIds=a%07b", "bandIds", "control characters"),
            ("bandIds=:4", "bandIds", "`provider:id`"),
            ("bandIds=northstage:", "bandIds", "`provider:id`"),
            ("latitude=91&longitude=2&radius=3", "latitude", "between -90 and 90"),
            ("latitude=1&longitude=180.1&radius=3", "longitude", "between -180 and 180"),
            ("latitude=1&longitude=2&radius=-1", "radius", "between 0 and 20038"),
            ("latitude=1&longitude=2&radius=20038.1", "radius", "between 0 and 20038"),
            ("latitude=1&longitude=2&radius=ten", "radius", "must be a number"),
            ("latitude=NaN&longitude=2&radius=1", "latitude", "must be a number"),
            ("latitude=1&longitude=inf&radius=1", "longitude", "must be a number"),
            ("latitude=1&longitude=2&radius=1e999", "radius", "must be a number"),
            ("bandIds=1&max_price=-1", "max_price", "must be a price"),
            ("bandIds=1&sort=price", "sort", "must be -starts_at or starts_at"),
            ("bandIds=1&limit=0", "limit", "must be an integer between 1 and"),
            ("bandIds=1&cursor=x", "cursor", "must be a cursor"),
            ("bandIds=1&radius=1&radius=2", "radius", "only once"),
            ("bandIds=1&starts_at=2021-02-02&ends_at=2021-02-01", "ends_at", "must not be before"),
        ] {
            let errors = errors(query);
            assert!(errors.iter().any(|(name, message)| name == parameter && message.contains(part)), "{query}: {errors:?}");
        }
    }

    #[test]
    fn limits_the_number_of_bands() {
        let ids = |count: usize| (0..count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(parse(&format!("bandIds={}", ids(100))).filters.bands.len(), 100);
        assert_eq!(errors(&format!("bandIds={}", ids(101)))[0].1, "must contain at most 100 ids, got 101");
        assert_eq!(parse(&format!("bandIds={},1,2", ids(100))).filters.bands.len(), 100, "duplicates count once");
    }

    #[test]
    fn accepts_the_bounds() {
        let near = parse("latitude=-90&longitude=180&radius=0").filters.near;
        assert_eq!(near, Some(Near { latitude: -90.0, longitude: 180.0, radius: 0.0 }));
        let near = parse("latitude=90&longitude=-180&radius=20038").filters.near;
        assert_eq!(near.map(|near| near.radius), Some(20_038.0));
        assert_eq!(parse("bandIds=1&max_price=19.99").filters.max_price, Some(199_900));
    }
}

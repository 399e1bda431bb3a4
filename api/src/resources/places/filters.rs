//! The filters of places.

use std::borrow::Cow;

use entity::{
    UtcInstant, fold_name,
    footprint::{Scope, Selection},
    name_word::MAX_CHARACTERS,
};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;

use super::document::{PlaceInput, PlacesDocument, RegionInput};
use crate::{
    cache::{CachedQuery, CachedResource, QueryOutput},
    database::{
        reader::ReadSize,
        sql::{ReadConnection, Sql, VERSION_COLUMNS, read_rows},
    },
    error::ApiError,
    query::{Cursor, Filters, ListFilters, ListQuery, Page, Parameters},
    response::Envelope,
};

/// Which places and regions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlaceFilters {
    /// The beginning of a name or a code.
    #[serde(rename = "q", skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
}

/// A request for places.
pub type PlacesQuery = ListQuery<PlaceFilters>;

/// A region, or a place.
#[derive(Debug, FromQueryResult)]
struct PlaceRow {
    is_place: bool,
    code: String,
    name: String,
    folded_name: String,
    parent_slug: Option<String>,
    version: i64,
    raised_at: UtcInstant,
}

impl Filters for PlaceFilters {
    fn path(&self) -> Cow<'static, str> {
        "/places".into()
    }
}

impl ListFilters for PlaceFilters {
    /// The folded name, and the code or slug.
    type SortKey = (String, String);
}

impl PlacesQuery {
    /// Reads the parameters of a request for places.
    ///
    /// # Errors
    ///
    /// When any are unknown, repeated or malformed; the error lists all of them.
    pub fn parse(mut parameters: Parameters<'_>) -> Result<Self, ApiError> {
        let prefix = parameters.get("q", |text| match text.chars().count() {
            0..=MAX_CHARACTERS => Ok(text.to_owned()),
            _ => Err(format!("must have at most {MAX_CHARACTERS} characters")),
        });
        let query = Self::read(PlaceFilters { prefix }, &mut parameters);
        parameters.finish(query)
    }

    /// A request for all places and regions.
    pub(super) fn all() -> Self {
        Self { filters: PlaceFilters { prefix: None }, page: Page::default() }
    }

    /// The rows of a page and one more. Regions and places are few, so all names are scanned.
    async fn rows(&self, database: &impl ReadConnection) -> Result<Vec<PlaceRow>, ApiError> {
        let mut sql = Sql::default();
        let mut conditions = Vec::new();
        if let Some(prefix) = &self.filters.prefix {
            let mut begins_with = |prefix: String| {
                let end = format!("{prefix}\u{10ffff}");
                (sql.bind(prefix), sql.bind(end))
            };
            let (name, end_of_names) = begins_with(fold_name(prefix));
            let (code, end_of_codes) = begins_with(prefix.to_ascii_lowercase());
            conditions.push(format!(
                "(folded_name >= {name} AND folded_name < {end_of_names} OR LOWER(code) >= {code} AND LOWER(code) < {end_of_codes})"
            ));
        }
        if let Some(Cursor { sort_key: (name, code), .. }) = &self.page.after {
            let (name, code) = (sql.bind(name.clone()), sql.bind(code.clone()));
            conditions.push(format!("(folded_name, code) > ({name}, {code})"));
        }
        let conditions = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        let limit = sql.bind(self.page.rows() + 1);
        let text = format!(
            "SELECT named.*, {VERSION_COLUMNS} FROM (
                SELECT FALSE AS is_place, region.slug AS code, region.name, region.folded_name, parent.slug AS parent_slug
                FROM region LEFT JOIN region AS parent ON parent.id = region.parent_id
                UNION ALL
                SELECT TRUE, place.code, place.name, place.folded_name, region.slug
                FROM place LEFT JOIN region ON region.id = place.region_id WHERE place.listed
            ) AS named {conditions} ORDER BY folded_name, code LIMIT {limit}"
        );
        let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
        Ok(read_rows(database, statement).await?)
    }

    /// The page.
    pub(super) async fn find(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        let rows = self.rows(database).await?;
        let snapshot = rows.first().map(|row| (row.version, row.raised_at));
        let (rows, link) = self.paginate(rows, |row| (row.folded_name.clone(), row.code.clone()));
        let mut data = PlacesDocument::default();
        for PlaceRow { is_place, code, name, parent_slug, .. } in rows {
            if is_place {
                data.places.push(PlaceInput { code: code.into(), name, region_slug: parent_slug.into() });
            } else {
                data.regions.push(RegionInput { slug: code, name, parent_slug: parent_slug.into() });
            }
        }
        let body = serde_json::to_vec(&Envelope::from(data)).map_err(ApiError::Encoding)?;
        Ok(QueryOutput { snapshot, body: body.into(), link })
    }
}

impl CachedQuery for PlacesQuery {
    const RESOURCE: CachedResource = CachedResource::Places;
    const MAY_BE_STALE: bool = false;

    fn selection(&self) -> Selection {
        Selection::all_of(&[Scope::Places])
    }

    fn read_size(&self) -> ReadSize {
        self.page.read_size()
    }

    async fn run(&self, database: &impl ReadConnection) -> Result<QueryOutput, ApiError> {
        self.find(database).await
    }
}

//! Which places are asked for, and how they are found.

use std::sync::Arc;

use entity::{UtcInstant, fold_name};
use sea_orm::{DatabaseConnection, FromQueryResult};

use super::{
    answer::PlacesAnswer,
    document::{Place, PlacesDocument, Region},
};
use crate::{
    cache::{Found, Question},
    database::{
        reader::Reader,
        sql::{OF_VERSION, Sql},
    },
    error::ApiError,
    query::{Cursor, Page, Parameters, ValidationErrors, next_link},
    response::Nullable,
};

/// Characters of what is looked for: more than any name has.
const MAX_CHARACTERS: usize = 200;

/// The parameters, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacesRequest {
    beginning: Option<String>,
    page: Page<(String, String)>,
}

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

impl PlacesRequest {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, repeated or malformed; the error names all of it.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let mut errors = ValidationErrors::default();
        let parameters = Parameters::read(query, &["q", "limit", "cursor"], &mut errors);
        let beginning = parameters.get("q", &mut errors, |text| match text.chars().count() {
            0 => Err("want the beginning of a name or a code".to_owned()),
            1..=MAX_CHARACTERS => Ok(text.to_owned()),
            _ => Err(format!("want {MAX_CHARACTERS} characters at most")),
        });
        let mut request = Self { beginning, page: Page::default() };
        request.page = Page::read(&parameters, &request.filter_key(), &mut errors);
        errors.or(request)
    }

    fn filters(&self) -> Vec<(&'static str, String)> {
        self.beginning.clone().map(|beginning| ("q", beginning)).into_iter().collect()
    }

    fn filter_key(&self) -> String {
        format!("places {}", self.beginning.as_deref().unwrap_or_default())
    }

    /// Regions and places are few, so all their names are looked at.
    async fn rows(&self, database: &DatabaseConnection) -> Result<Vec<PlaceRow>, ApiError> {
        let mut sql = Sql::default();
        let mut conditions = Vec::new();
        if let Some(beginning) = &self.beginning {
            let mut begins_with = |beginning: String| {
                let behind = format!("{beginning}\u{10ffff}");
                (sql.bind(beginning), sql.bind(behind))
            };
            let (name, behind_name) = begins_with(fold_name(beginning));
            let (code, behind_code) = begins_with(beginning.to_ascii_lowercase());
            conditions.push(format!(
                "(folded_name >= {name} AND folded_name < {behind_name} OR LOWER(code) >= {code} AND LOWER(code) < {behind_code})"
            ));
        }
        if let Some(Cursor { place: (name, code), .. }) = &self.page.after {
            let (name, code) = (sql.bind(name.clone()), sql.bind(code.clone()));
            conditions.push(format!("(folded_name, code) > ({name}, {code})"));
        }
        let conditions = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
        let wanted = sql.bind(self.page.rows() + 1);
        let text = format!(
            "SELECT named.*, {OF_VERSION} FROM (
                SELECT FALSE AS is_place, region.slug AS code, region.name, region.folded_name, parent.slug AS parent_slug
                FROM region LEFT JOIN region AS parent ON parent.id = region.parent_id
                UNION ALL
                SELECT TRUE, place.code, place.name, place.folded_name, region.slug
                FROM place LEFT JOIN region ON region.id = place.region_id WHERE place.listed
            ) AS named {conditions} ORDER BY folded_name, code LIMIT {wanted}"
        );
        let statement = sql.statement(database.get_database_backend(), text);
        Ok(PlaceRow::find_by_statement(statement).all(database).await?)
    }

    async fn find_in(&self, database: &DatabaseConnection) -> Result<Found, ApiError> {
        let rows = self.rows(database).await?;
        let snapshot = rows.first().map(|row| (row.version, row.raised_at));
        let place = |row: &PlaceRow| (row.folded_name.clone(), row.code.clone());
        let (rows, next) = self.page.cut(rows, &self.filter_key(), place);
        let link = next.map(|cursor| next_link("/places", &self.filters(), self.page.limit, &cursor));
        let mut data = PlacesDocument::default();
        for PlaceRow { is_place, code, name, parent_slug, .. } in rows {
            if is_place {
                data.places.push(Place { code, name, region_slug: parent_slug.into() });
            } else {
                data.regions.push(Region { slug: code, name, parent_slug: parent_slug.into() });
            }
        }
        let body = serde_json::to_vec(&PlacesAnswer { data, error: Nullable(None) }).map_err(ApiError::Encoding)?;
        Ok(Found::page(snapshot, body, link))
    }
}

impl Question for PlacesRequest {
    const MAY_LAG: bool = false;

    fn key(&self) -> String {
        format!("{} {}", self.filter_key(), self.page.key())
    }

    async fn find(self, reader: Arc<Reader>) -> Result<Found, ApiError> {
        reader.read(self.find_in(&reader.database)).await
    }
}

//! What filters name, as keys of rows.

use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::{
    conditions::venues_of_places, currency, filters::EventFilters, item_ref::ItemRefSet, plan::MAX_RANGES, sort::Sort,
    words::Documents,
};
use crate::{
    database::sql::{ReadConnection, Sql, read_rows},
    error::ApiError,
};

/// The keys of what the filters name; `None` if a filter selects all.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) performers: Option<Vec<Uuid>>,
    pub(super) venues: Option<Vec<Uuid>>,
    /// The venues at the places; also `None` if they are more than can be ranges of a statement.
    pub(super) venues_of_places: Option<Vec<Uuid>>,
    pub(super) providers: Option<Vec<i32>>,
    /// The documents with the words.
    pub(super) documents: Option<Documents>,
    /// The currency in which prices are compared, and its decimal digits.
    pub(super) currency: Option<(String, i16)>,
}

#[derive(FromQueryResult)]
struct ItemRow {
    id: Uuid,
}

#[derive(FromQueryResult)]
struct ProviderRow {
    id: i32,
}

impl Resolved {
    /// Looks up what the filters name.
    pub(super) async fn fetch(database: &impl ReadConnection, filters: &EventFilters, sort: Sort) -> Result<Self, ApiError> {
        let mut resolved = Self {
            performers: fetch_items(database, "performer", &filters.performer).await?,
            venues: fetch_items(database, "venue", &filters.venue).await?,
            venues_of_places: fetch_venues_of_places(database, filters).await?,
            providers: fetch_providers(database, filters).await?,
            documents: match &filters.words {
                Some(words) => Some(words.find_documents(database).await.map_err(|error| filters.explain(error))?),
                None => None,
            },
            currency: None,
        };
        if filters.compare_prices(sort) && !resolved.is_empty() {
            resolved.currency = currency::find(database, filters, &resolved).await?;
        }
        Ok(resolved)
    }

    /// The words by which events are found, if these are not those of the request.
    pub(super) fn corrected(&self) -> Option<String> {
        self.documents.as_ref()?.corrected()
    }

    /// Whether no event can have what the filters name.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |ids: &Option<Vec<Uuid>>| ids.as_ref().is_some_and(Vec::is_empty);
        let has_no_document = self.documents.as_ref().is_some_and(|documents| documents.ids.is_empty());
        has_no_document
            || is_empty(&self.performers)
            || is_empty(&self.venues)
            || is_empty(&self.venues_of_places)
            || self.providers.as_ref().is_some_and(Vec::is_empty)
    }
}

/// The providers of a filter.
async fn fetch_providers(database: &impl ReadConnection, filters: &EventFilters) -> Result<Option<Vec<i32>>, ApiError> {
    if filters.provider.is_empty() {
        return Ok(None);
    }
    let mut sql = Sql::default();
    let slugs = sql.bind_all(filters.provider.as_slice());
    let text = format!("SELECT id FROM provider WHERE loading_since IS NULL AND slug IN ({slugs})");
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
    Ok(Some(read_rows::<ProviderRow>(database, statement).await?.into_iter().map(|row| row.id).collect()))
}

async fn fetch_venues_of_places(database: &impl ReadConnection, filters: &EventFilters) -> Result<Option<Vec<Uuid>>, ApiError> {
    if filters.place.is_empty() {
        return Ok(None);
    }
    let mut sql = Sql::default();
    let codes = sql.bind_all(filters.place.as_slice());
    let text = format!("SELECT id FROM ({}) AS venue LIMIT {}", venues_of_places(&codes), MAX_RANGES + 1);
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
    let venues: Vec<ItemRow> = read_rows(database, statement).await?;
    Ok((venues.len() <= MAX_RANGES).then(|| venues.into_iter().map(|row| row.id).collect()))
}

/// The performers or venues of a filter, also by ids that they had before.
async fn fetch_items(
    database: &impl ReadConnection,
    table: &'static str,
    refs: &ItemRefSet,
) -> Result<Option<Vec<Uuid>>, ApiError> {
    if refs.is_empty() {
        return Ok(None);
    }
    let mut sql = Sql::default();
    let mut selects = Vec::new();
    let ids = refs.ids();
    if !ids.is_empty() {
        let ids = sql.bind_all(&ids);
        selects.push(format!("SELECT id FROM {table} WHERE id IN ({ids})"));
        selects.push(format!("SELECT target AS id FROM alias WHERE kind = '{table}' AND id IN ({ids})"));
    }
    for (provider, source_id) in refs.of_providers() {
        let (provider, source_id) = (sql.bind(provider), sql.bind(source_id));
        selects.push(format!(
            "SELECT {table}.id FROM {table} JOIN provider ON provider.id = {table}.provider_id \
             WHERE provider.slug = {provider} AND {table}.source_id = {source_id}"
        ));
    }
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), selects.join(" UNION "));
    let rows: Vec<ItemRow> = read_rows(database, statement).await?;
    Ok(Some(rows.into_iter().map(|row| row.id).collect()))
}

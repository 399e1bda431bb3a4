//! What filters name, as keys of rows.

use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::{filters::EventFilters, item_ref::ItemRefSet, sort::Sort, words::Documents};
use crate::{
    database::sql::{ReadConnection, Sql, read_rows},
    error::ApiError,
};

/// The keys of what the filters name; `None` if a filter selects all.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) performers: Option<Vec<Uuid>>,
    pub(super) venues: Option<Vec<Uuid>>,
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
    currency: String,
    currency_digits: i16,
}

#[derive(FromQueryResult)]
struct DigitsRow {
    currency_digits: i16,
}

impl Resolved {
    /// Looks up what the filters name.
    pub(super) async fn fetch(database: &impl ReadConnection, filters: &EventFilters, sort: Sort) -> Result<Self, ApiError> {
        let compares_prices = filters.price.compares() || sort.is_by_price();
        let needs_providers = !filters.provider.is_empty() || compares_prices && filters.price.currency.is_none();
        let providers = if needs_providers { fetch_providers(database, filters).await? } else { Vec::new() };
        Ok(Self {
            performers: fetch_items(database, "performer", &filters.performer).await?,
            venues: fetch_items(database, "venue", &filters.venue).await?,
            documents: match &filters.words {
                Some(words) => Some(words.find_documents(database).await.map_err(|error| filters.explain(error))?),
                None => None,
            },
            currency: if compares_prices { find_currency(database, filters, &providers).await? } else { None },
            providers: (!filters.provider.is_empty()).then(|| providers.iter().map(|provider| provider.id).collect()),
        })
    }

    /// The words by which events are found, if these are not those of the request.
    pub(super) fn corrected(&self) -> Option<String> {
        self.documents.as_ref()?.corrected()
    }

    /// Whether no event can have what the filters name.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |ids: &Option<Vec<Uuid>>| ids.as_ref().is_some_and(Vec::is_empty);
        let has_no_document = self.documents.as_ref().is_some_and(|documents| documents.count == 0);
        has_no_document
            || is_empty(&self.performers)
            || is_empty(&self.venues)
            || self.providers.as_ref().is_some_and(Vec::is_empty)
    }
}

/// The providers of the filter, or all.
async fn fetch_providers(database: &impl ReadConnection, filters: &EventFilters) -> Result<Vec<ProviderRow>, ApiError> {
    let mut sql = Sql::default();
    let mut text = "SELECT id, currency, currency_digits FROM provider WHERE loading_since IS NULL".to_owned();
    if !filters.provider.is_empty() {
        text += &format!(" AND slug IN ({})", sql.bind_all(filters.provider.as_slice()));
    }
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
    Ok(read_rows(database, statement).await?)
}

/// The currency of the filter, or the only one of the providers.
async fn find_currency(
    database: &impl ReadConnection,
    filters: &EventFilters,
    providers: &[ProviderRow],
) -> Result<Option<(String, i16)>, ApiError> {
    let Some(currency) = &filters.price.currency else {
        let mut currencies: Vec<(&str, i16)> =
            providers.iter().map(|provider| (provider.currency.as_str(), provider.currency_digits)).collect();
        currencies.sort_unstable();
        currencies.dedup();
        return match currencies[..] {
            [] => Ok(None),
            [(currency, digits)] => Ok(Some((currency.to_owned(), digits))),
            _ => {
                let currencies = currencies.iter().map(|(currency, _)| (*currency).to_owned()).collect();
                Err(ApiError::CurrencyRequired { currencies })
            }
        };
    };
    let mut sql = Sql::default();
    let code = sql.bind(currency.clone());
    let text = format!(
        "SELECT CAST(COALESCE((SELECT currency_digits FROM provider WHERE currency = {code} LIMIT 1), \
         (SELECT event.currency_digits FROM listing JOIN event ON event.id = listing.event_id \
         WHERE listing.currency = {code} AND listing.upcoming = TRUE LIMIT 1), 2) AS SMALLINT) AS currency_digits"
    );
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
    let digits = read_rows::<DigitsRow>(database, statement).await?.first().map_or(2, |row| row.currency_digits);
    Ok(Some((currency.clone(), digits)))
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

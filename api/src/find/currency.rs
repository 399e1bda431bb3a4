//! The currency in which the prices of a query are compared.

use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{
    filters::EventFilters,
    resolve::Resolved,
    when::{RangeKind, When},
};
use crate::{
    database::sql::{ReadConnection, Sql, read_rows},
    error::ApiError,
};

/// The digits of a currency that neither a row nor ISO 4217 has.
const DEFAULT_DIGITS: i16 = 2;

/// A currency, and its decimal digits.
#[derive(Debug, FromQueryResult)]
struct CurrencyRow {
    currency: String,
    currency_digits: i16,
}

#[derive(FromQueryResult)]
struct DigitsRow {
    currency_digits: Option<i16>,
}

/// The currency of the filter, or the only one of the providers that the result may have. `None` if there are none.
pub(super) async fn find(
    database: &impl ReadConnection,
    filters: &EventFilters,
    resolved: &Resolved,
) -> Result<Option<(String, i16)>, ApiError> {
    if let Some(currency) = &filters.price.currency {
        return Ok(Some((currency.clone(), find_digits(database, currency).await?)));
    }
    let mut rows = fetch_of_providers(database, filters, resolved).await?;
    rows.dedup_by(|row, previous| row.currency == previous.currency);
    match &rows[..] {
        [] => Ok(None),
        [row] => Ok(Some((row.currency.clone(), row.currency_digits))),
        _ => Err(ApiError::CurrencyRequired { currencies: rows.into_iter().map(|row| row.currency).collect() }),
    }
}

/// The currencies of the providers with an event that the filters may select, as far as that takes one descent of an index for each
/// provider: of those that they name, with one of the venues, performers and organizers, and an event in the range of the starts.
async fn fetch_of_providers(
    database: &impl ReadConnection,
    filters: &EventFilters,
    resolved: &Resolved,
) -> Result<Vec<CurrencyRow>, ApiError> {
    let mut sql = Sql::default();
    let mut conditions = vec!["provider.loading_since IS NULL".to_owned()];
    conditions.extend(resolved.providers.as_ref().map(|ids| format!("provider.id IN ({})", sql.bind_all(ids))));
    for (table, ids) in [("performer", &resolved.performers), ("venue", &resolved.venues)] {
        let of_items = |ids| format!("provider.id IN (SELECT provider_id FROM {table} WHERE id IN ({ids}))");
        conditions.extend(ids.as_ref().map(|ids| of_items(sql.bind_all(ids))));
    }
    if !filters.organizer.is_empty() {
        let slugs: Vec<String> = filters.organizer.of_providers().map(|(slug, _)| slug.to_owned()).collect();
        conditions.push(if slugs.is_empty() {
            "FALSE".to_owned()
        } else {
            format!("provider.slug IN ({})", sql.bind_all(&slugs))
        });
    }
    conditions.push(has_event(filters, &mut sql));
    let text = format!(
        "SELECT DISTINCT currency, currency_digits FROM provider WHERE {} ORDER BY currency, currency_digits",
        conditions.join(" AND ")
    );
    Ok(read_rows(database, sql.statement(ConnectionTrait::get_database_backend(database), text)).await?)
}

/// The condition that a provider has an event in the range of the starts. The minimum is the first entry of a range of the index of
/// providers; to find any row, PostgreSQL might scan the table.
fn has_event(filters: &EventFilters, sql: &mut Sql) -> String {
    let mut bounds = String::new();
    if let When::Between(between) = filters.when() {
        let (first, last) = between.instants();
        if let Some(first) = first.filter(|_| between.kind != RangeKind::Overlaps) {
            bounds += &format!(" AND listing.starts_at >= {}", sql.bind(first));
        }
        if let Some(last) = last {
            bounds += &format!(" AND listing.starts_at <= {}", sql.bind(last));
        }
    }
    let flags: &[&str] = match (filters.are_upcoming(None), filters.have_left()) {
        (true, _) => &["TRUE"],
        (false, true) => &["FALSE"],
        (false, false) => &["TRUE", "FALSE"],
    };
    let of_flag = |flag: &&str| {
        format!(
            "(SELECT MIN(listing.starts_at) FROM listing WHERE listing.provider_id = provider.id AND listing.upcoming = {flag}{bounds}) \
             IS NOT NULL"
        )
    };
    format!("({})", flags.iter().map(of_flag).collect::<Vec<_>>().join(" OR "))
}

/// The digits with which the prices of a currency are stored: those of its providers or upcoming events, which indexes have, or else those
/// of ISO 4217, with which they were imported.
async fn find_digits(database: &impl ReadConnection, currency: &str) -> Result<i16, ApiError> {
    let mut sql = Sql::default();
    let code = sql.bind(currency);
    let text = format!(
        "SELECT CAST(COALESCE((SELECT currency_digits FROM provider WHERE currency = {code} LIMIT 1), \
         (SELECT event.currency_digits FROM listing JOIN event ON event.id = listing.event_id \
         WHERE listing.currency = {code} AND listing.upcoming LIMIT 1)) AS SMALLINT) AS currency_digits"
    );
    let statement = sql.statement(ConnectionTrait::get_database_backend(database), text);
    let stored = read_rows::<DigitsRow>(database, statement).await?.first().and_then(|row| row.currency_digits);
    let of_iso = || iso_currency::Currency::from_code(currency)?.exponent().and_then(|digits| i16::try_from(digits).ok());
    Ok(stored.or_else(of_iso).unwrap_or(DEFAULT_DIGITS))
}

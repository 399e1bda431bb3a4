//! Events by the day on which they start.

use chrono::{Days, NaiveDate};
use entity::{UtcInstant, daily_total};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{filters::EventFilters, rows::Snapshot, statement::Columns, summary::read_summary};
use crate::{
    database::sql::{ReadConnection, Sql, VERSION_COLUMNS, is_loaded, read_rows},
    error::ApiError,
};

const COLUMNS: Columns<'_> = Columns { text: daily_total::EVENT_COLUMNS, of_event: true };

/// The events of a day with prices in one currency.
#[derive(Debug, FromQueryResult)]
pub(crate) struct DayCount {
    /// The day on the clock at the venue.
    pub(crate) day: String,
    pub(crate) currency: String,
    pub(crate) currency_digits: i16,
    pub(crate) count: i64,
    /// The lowest price in minor units, if any of them has prices.
    pub(crate) min_price: Option<i64>,
    version: i64,
    raised_at: UtcInstant,
}

/// The counts of a calendar.
#[derive(Debug)]
pub(crate) struct CountedDays {
    pub(crate) counts: Vec<DayCount>,
    /// The words by which events were found, if these are not those of the request.
    pub(crate) corrected: Option<String>,
}

/// The days of a calendar that are read from [`daily_total`] if its rows are valid: all from the first or a later day to the last.
pub(crate) fn select_totals(filters: &EventFilters, (first, last): (NaiveDate, NaiveDate)) -> Option<(NaiveDate, NaiveDate)> {
    let first = filters.first_whole_day(first).filter(|first| *first <= last)?;
    Some((first, last))
}

/// Counts the events that start on the days from the first to the last. Days without events have no rows.
pub(crate) async fn count_days(
    database: &impl ReadConnection,
    filters: &EventFilters,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Snapshot<CountedDays>, ApiError> {
    let Some(days) = select_totals(filters, (first, last)) else {
        return count_events(database, filters, (first, last)).await;
    };
    if !are_totals_valid(database).await? {
        return count_events(database, filters, (first, last)).await;
    }
    let mut counts = read_totals(database, days).await?;
    if first < days.0 {
        let (before, _) = count_events(database, filters, (first, days.0 - Days::new(1))).await?;
        counts.extend(before.counts);
    }
    Ok((CountedDays { counts, corrected: None }, None))
}

async fn are_totals_valid(database: &impl ReadConnection) -> Result<bool, ApiError> {
    Ok(daily_total::select_invalid().one(database).await?.is_none())
}

/// The counts of all events that are in their feed and not cancelled.
async fn read_totals(database: &impl ReadConnection, (first, last): (NaiveDate, NaiveDate)) -> Result<Vec<DayCount>, ApiError> {
    let mut sql = Sql::default();
    let (first, last) = (sql.bind(first.to_string()), sql.bind(last.to_string()));
    let is_loaded = is_loaded("daily_total");
    let text = format!(
        "SELECT day, currency, currency_digits, CAST(SUM(event_count) AS BIGINT) AS count, MIN(min_price) AS min_price, {VERSION_COLUMNS} \
         FROM daily_total WHERE day BETWEEN {first} AND {last} AND {is_loaded} GROUP BY 1, 2, 3"
    );
    Ok(read_rows(database, sql.statement(ConnectionTrait::get_database_backend(database), text)).await?)
}

async fn count_events(
    database: &impl ReadConnection,
    filters: &EventFilters,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Snapshot<CountedDays>, ApiError> {
    let columns = (COLUMNS, Some(daily_total::start_bounds(first, last)));
    let (counts, corrected): (Vec<DayCount>, _) = read_summary(database, filters, columns, |_, events, sql| {
        let (first, last) = (sql.bind(first.to_string()), sql.bind(last.to_string()));
        format!(
            "SELECT found.day, found.currency, COALESCE(found.own_digits, provider.currency_digits) AS currency_digits, \
             COUNT(*) AS count, MIN(found.min_price) AS min_price, {VERSION_COLUMNS} \
             FROM ({events}) AS found CROSS JOIN provider \
             WHERE provider.id = found.provider_id AND found.day BETWEEN {first} AND {last} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
    })
    .await?;
    let snapshot = counts.first().map(|row| (row.version, row.raised_at));
    Ok((CountedDays { counts, corrected }, snapshot))
}

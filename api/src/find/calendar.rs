//! Events by the day on which they start.

use chrono::{Days, NaiveDate, NaiveTime};
use entity::{UtcInstant, daily_total};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{filters::EventFilters, rows::Snapshot, statement::Columns, summary::read_summary};
use crate::{
    database::sql::{ReadConnection, Sql, VERSION_COLUMNS, is_loaded, read_rows},
    error::ApiError,
};

const COLUMNS: Columns = Columns {
    text: "SUBSTR(event.local_start, 1, 10) AS day, listing.provider_id, listing.currency, event.currency_digits AS own_digits, \
           listing.min_price",
    of_event: true,
};

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

/// Counts the events that start on the days from the first to the last. Days without events have no rows.
pub(crate) async fn count_days(
    database: &impl ReadConnection,
    filters: &EventFilters,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Snapshot<CountedDays>, ApiError> {
    let whole = filters.first_whole_day(first).filter(|whole| *whole <= last);
    match whole {
        Some(whole) if are_totals_valid(database).await? => {
            let mut counts = read_totals(database, (whole, last)).await?;
            if first < whole {
                let (before, _) = count_events(database, filters, (first, whole - Days::new(1))).await?;
                counts.extend(before.counts);
            }
            Ok((CountedDays { counts, corrected: None }, None))
        }
        _ => count_events(database, filters, (first, last)).await,
    }
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
    let columns = (COLUMNS, Some(instants(first, last)));
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

/// Instants between which all events of the days start, wherever they take place: no clock differs from UTC by a day.
fn instants(first: NaiveDate, last: NaiveDate) -> (UtcInstant, UtcInstant) {
    let instant = |day: NaiveDate| UtcInstant::from(day.and_time(NaiveTime::MIN).and_utc());
    (instant(first - Days::new(1)), instant(last + Days::new(2)))
}

//! `daily_total`: how many events of a provider start on each day, and the lowest prices, so that a calendar without filters reads few rows.
//!
//! The rows are derived from those of `listing` and `event`, in the transaction that changes these. They contain the events that are in
//! their feed and not cancelled, also those that have ended, so they do not change with time. `provider.totals_release` is the release of
//! the provider for which they are valid. A program of an earlier release sets only `last_release`, which makes them invalid.

use std::cmp;

use sea_orm::{
    Statement, Value,
    entity::prelude::*,
    sea_query::{CaseStatement, Expr, ExprTrait, Func, SimpleExpr},
};

use crate::{
    EventStatus, UtcInstant, chunks,
    footprint::{DayRange, Footprint, MICROS_PER_DAY},
    provider, release,
};

/// `totals_release` of a provider without a release.
pub const NO_RELEASE: i64 = 0;
/// The days that can be stored: from 0000-01-01 to 9999-12-31.
const ALL_DAYS: DayRange = (-719_528, 2_932_896);

/// The events of a provider that start on a day, with prices in one currency.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "daily_total")]
pub struct Model {
    /// The day on the clock at the venue: `2021-06-30`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: String,
    /// The provider.
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider_id: i32,
    /// ISO 4217 code of their prices.
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    /// Decimal digits of the minor unit of `currency`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency_digits: i16,
    /// The number of events.
    pub event_count: i64,
    /// The lowest price in minor units; `None` if none of them has prices.
    pub min_price: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The providers with rows that are not valid. They need not be while readers do not see the provider: the end of a first load computes all.
#[must_use]
pub fn select_invalid() -> Select<provider::Entity> {
    provider::Entity::find().filter(provider::Column::LoadingSince.is_null()).filter(are_valid().not())
}

fn are_valid() -> SimpleExpr {
    let is_last = Expr::col(provider::Column::TotalsRelease).eq(last_release());
    Func::coalesce([is_last, Expr::val(false)]).into()
}

fn last_release() -> SimpleExpr {
    Func::coalesce([Expr::col(provider::Column::LastRelease), Expr::val(NO_RELEASE)]).into()
}

/// Computes the rows of the days that a release may change. To be called after all other rows are written, in a transaction that has
/// locked the provider's row, and before the release is published: other transactions wait for that.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn update(transaction: &impl ConnectionTrait, provider_id: i32, footprint: &Footprint) -> Result<(), DbErr> {
    match footprint.local_days() {
        // The other rows are as valid as before.
        Some(days) => compute(transaction, provider_id, days).await,
        None => compute_all(transaction, provider_id).await,
    }
}

/// Computes all rows of a provider, unless they are valid. Returns whether they were not. To be called in a transaction that has locked
/// the provider's row.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn complete(transaction: &impl ConnectionTrait, provider_id: i32) -> Result<bool, DbErr> {
    let invalid = select_invalid().filter(provider::COLUMN.id.eq(provider_id)).one(transaction).await?;
    if invalid.is_some() {
        compute_all(transaction, provider_id).await?;
    }
    Ok(invalid.is_some())
}

/// Makes the rows of a provider invalid, until [`complete`] computes them.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn invalidate(transaction: &impl ConnectionTrait, provider_id: i32) -> Result<(), DbErr> {
    set_totals_release(transaction, provider_id, Expr::val(None::<i64>)).await
}

/// Sets the newest release of providers. Rows that were valid remain so.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn set_last_release(
    transaction: &impl ConnectionTrait,
    providers: impl IntoIterator<Item = i32>,
    release: &release::Model,
) -> Result<(), DbErr> {
    let totals_release =
        CaseStatement::new().case(are_valid(), release.version).finally(Expr::col(provider::Column::TotalsRelease));
    provider::Entity::update_many()
        .col_expr(provider::Column::TotalsRelease, totals_release.into())
        .col_expr(provider::Column::LastRelease, release.version.into())
        .col_expr(provider::Column::LastReleaseAt, release.raised_at.into())
        .filter(provider::COLUMN.id.is_in(providers))
        .exec(transaction)
        .await?;
    Ok(())
}

async fn compute_all(transaction: &impl ConnectionTrait, provider_id: i32) -> Result<(), DbErr> {
    compute(transaction, provider_id, vec![ALL_DAYS]).await?;
    set_totals_release(transaction, provider_id, last_release()).await
}

async fn set_totals_release(transaction: &impl ConnectionTrait, provider_id: i32, release: SimpleExpr) -> Result<(), DbErr> {
    let update = provider::Entity::update_many().col_expr(provider::Column::TotalsRelease, release);
    update.filter(provider::COLUMN.id.eq(provider_id)).exec(transaction).await?;
    Ok(())
}

/// Replaces the rows of some ranges of days, which must be apart from each other.
async fn compute(transaction: &impl ConnectionTrait, provider_id: i32, ranges: Vec<DayRange>) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let ranges = ranges.into_iter().map(|(first, last)| (cmp::max(first, ALL_DAYS.0), cmp::min(last, ALL_DAYS.1))).collect();
    for ranges in chunks(ranges) {
        let mut values = BoundValues::of(provider_id);
        let of_ranges: Vec<String> = ranges.iter().map(|range| values.bind_days("day", *range)).collect();
        let text = format!("DELETE FROM daily_total WHERE provider_id = $1 AND ({})", of_ranges.join(" OR "));
        transaction.execute_raw(Statement::from_sql_and_values(backend, text, values.0)).await?;

        let mut values = BoundValues::of(provider_id);
        let events: Vec<String> = ranges.iter().map(|range| select_events(*range, &mut values)).collect();
        let text = format!(
            "INSERT INTO daily_total (day, provider_id, currency, currency_digits, event_count, min_price) \
             SELECT day, provider_id, currency, \
             COALESCE(own_digits, (SELECT currency_digits FROM provider WHERE id = $1)) AS currency_digits, COUNT(*), MIN(min_price) \
             FROM ({}) AS found GROUP BY 1, 2, 3, 4",
            events.join(" UNION ALL ")
        );
        transaction.execute_raw(Statement::from_sql_and_values(backend, text, values.0)).await?;
    }
    Ok(())
}

/// The events of a range of days.
fn select_events((first, last): DayRange, values: &mut BoundValues) -> String {
    const DAY: &str = "SUBSTR(event.local_start, 1, 10)";
    let of_days = values.bind_days(DAY, (first, last));
    // They bound the range of the index. No clock differs from UTC by a day.
    let (from, to) = (values.bind(day_start(first - 1).0), values.bind(day_start(last + 2).0));
    let cancelled = EventStatus::Cancelled.name();
    let of_flag = |upcoming: &str| {
        format!(
            "SELECT {DAY} AS day, listing.provider_id, listing.currency, event.currency_digits AS own_digits, listing.min_price \
             FROM listing CROSS JOIN event WHERE listing.provider_id = $1 AND listing.upcoming = {upcoming} \
             AND listing.starts_at BETWEEN {from} AND {to} AND listing.listed = TRUE AND listing.status <> '{cancelled}' \
             AND event.id = listing.event_id AND {of_days}"
        )
    };
    // The column is in the index before the start.
    format!("{} UNION ALL {}", of_flag("TRUE"), of_flag("FALSE"))
}

/// The values of a statement, numbered in the order in which they are bound.
struct BoundValues(Vec<Value>);

impl BoundValues {
    fn of(provider_id: i32) -> Self {
        Self(vec![provider_id.into()])
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// The condition that a column is a day of a range.
    fn bind_days(&mut self, column: &str, (first, last): DayRange) -> String {
        let mut bind_day = |day| self.bind(day_start(day).to_utc().unwrap_or_default().date_naive().to_string());
        format!("{column} BETWEEN {} AND {}", bind_day(first), bind_day(last))
    }
}

/// The first instant of a day in UTC.
fn day_start(day: i32) -> UtcInstant {
    UtcInstant(i64::from(day) * MICROS_PER_DAY)
}

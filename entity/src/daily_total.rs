//! `daily_total`: how many events of a provider start on each day, and the lowest prices, so that a calendar without filters reads few rows.
//!
//! The rows are derived from those of `listing` and `event`, in the transaction that changes these. They contain the events that are in
//! their feed and not cancelled, also those that have ended, so they do not change with time.
//!
//! `provider.totals_release` is the release of the provider for which its rows are current. A program of an earlier release sets only
//! `last_release`, which makes them outdated. Until all days are computed, `provider.totals_through` is the last day with rows. Each release
//! updates the rows up to this day. The rows are valid if they are current and complete.

use std::{
    cmp,
    collections::BTreeSet,
    time::{Duration, Instant},
};

use chrono::{Days, NaiveDate, NaiveTime};
use sea_orm::{
    Condition, QueryOrder, QuerySelect, Statement, UpdateMany,
    entity::prelude::*,
    sea_query::{CaseStatement, Expr, ExprTrait, Func, SimpleExpr},
};

use crate::{EventStatus, UtcInstant, listing, parse_day, provider, release};

/// `totals_release` of a provider without a release.
pub const NO_RELEASE: i64 = 0;
/// What is read of each event to compute rows: its day on the clock at its venue, and its price.
pub const EVENT_COLUMNS: &str = "SUBSTR(event.local_start, 1, 10) AS day, listing.provider_id, listing.currency, \
     event.currency_digits AS own_digits, listing.min_price";
/// A first and a last day.
type Span = (NaiveDate, NaiveDate);
/// Days of a span: a statement for all days of a large provider would take minutes.
const DAYS_PER_SPAN: Days = Days::new(7);
/// Spans of a statement: the changes of a small release are on few days, which may be far from each other.
const SPANS_PER_STATEMENT: usize = 8;
/// How long a release updates rows: other writers wait for it.
const UPDATE_TIME: Duration = Duration::from_secs(2);
/// The last day that can be stored.
const LAST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};

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

/// What [`compute_more`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotalsProgress {
    /// All rows of the provider are valid.
    Complete,
    /// Rows of later days are missing.
    Continued,
    /// The same, and there was no valid row before.
    Begun,
}

/// The providers with rows that are not valid, of those that readers see.
#[must_use]
pub fn select_invalid() -> Select<provider::Entity> {
    let are_complete = Expr::col(provider::Column::TotalsThrough).is_null();
    provider::Entity::find().filter(provider::Column::LoadingSince.is_null()).filter(are_current().and(are_complete).not())
}

/// Instants between which all events of some days start, wherever they take place: no clock differs from UTC by a day.
#[must_use]
pub fn start_bounds(first: NaiveDate, last: NaiveDate) -> (UtcInstant, UtcInstant) {
    let midnight = |day: NaiveDate| UtcInstant::from(day.and_time(NaiveTime::MIN).and_utc());
    (midnight(first - Days::new(1)), midnight(last + Days::new(2)))
}

/// Updates the rows of the days on which changed events start, before or after the change. To be called after all other rows are written,
/// in a transaction that has locked the provider's row, and before the release is published: other transactions wait for that. If it takes
/// too long, the rows of the remaining days are left to [`compute_more`].
///
/// # Errors
///
/// When the database is unavailable.
pub async fn update(transaction: &impl ConnectionTrait, provider_id: i32, mut days: BTreeSet<NaiveDate>) -> Result<(), DbErr> {
    let Some(provider) = provider::Entity::find_by_id(provider_id).filter(are_current()).one(transaction).await? else {
        return Ok(());
    };
    if let Some(through) = computed_through(&provider) {
        days.retain(|day| *day <= through);
    }
    let begun_at = Instant::now();
    while let Some(&first) = days.first() {
        if begun_at.elapsed() > UPDATE_TIME {
            return set_computed_through(transaction, provider_id, Some(first - Days::new(1))).await;
        }
        compute(transaction, provider_id, &take_spans(&mut days)).await?;
    }
    Ok(())
}

/// Takes the first days for one statement, as spans of a first and a last day.
fn take_spans(days: &mut BTreeSet<NaiveDate>) -> Vec<Span> {
    let mut spans = Vec::new();
    while spans.len() < SPANS_PER_STATEMENT
        && let Some(first) = days.pop_first()
    {
        let later = days.split_off(&(first + DAYS_PER_SPAN));
        spans.push((first, days.pop_last().unwrap_or(first)));
        *days = later;
    }
    spans
}

/// Computes the rows of some more days, unless the rows of the provider are valid. To be called in a transaction that has locked the
/// provider's row.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn compute_more(transaction: &impl ConnectionTrait, provider_id: i32) -> Result<TotalsProgress, DbErr> {
    let Some(provider) = select_invalid().filter(provider::COLUMN.id.eq(provider_id)).one(transaction).await? else {
        return Ok(TotalsProgress::Complete);
    };
    let is_current = provider.totals_release == Some(provider.last_release.unwrap_or(NO_RELEASE));
    let through = computed_through(&provider).filter(|_| is_current);
    let begins = through.is_none();
    if begins {
        delete(transaction, provider_id).await?;
    }
    let first = find_day_after(transaction, provider_id, through).await?;
    let through = first.map(|first| cmp::min(first + DAYS_PER_SPAN - Days::new(1), LAST_DAY));
    if let Some(span) = first.zip(through) {
        compute(transaction, provider_id, &[span]).await?;
    }
    set_computed_through(transaction, provider_id, through).await?;
    Ok(match through {
        None => TotalsProgress::Complete,
        Some(_) if begins => TotalsProgress::Begun,
        Some(_) => TotalsProgress::Continued,
    })
}

/// Makes the rows up to a day current, or all of them.
async fn set_computed_through(
    transaction: &impl ConnectionTrait,
    provider_id: i32,
    through: Option<NaiveDate>,
) -> Result<(), DbErr> {
    provider::Entity::update_many()
        .col_expr(provider::Column::TotalsRelease, last_release())
        .col_expr(provider::Column::TotalsThrough, through.map(|day| day.to_string()).into())
        .filter(provider::COLUMN.id.eq(provider_id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Makes the rows of a provider invalid, until [`compute_more`] has computed all of them.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn invalidate(transaction: &impl ConnectionTrait, provider_id: i32) -> Result<(), DbErr> {
    let update = provider::Entity::update_many().col_expr(provider::Column::TotalsRelease, None::<i64>.into());
    update.filter(provider::COLUMN.id.eq(provider_id)).exec(transaction).await?;
    Ok(())
}

/// Deletes the rows of a provider.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn delete(transaction: &impl ConnectionTrait, provider_id: i32) -> Result<(), DbErr> {
    Entity::delete_many().filter(COLUMN.provider_id.eq(provider_id)).exec(transaction).await?;
    Ok(())
}

/// Sets the newest release of providers. Rows that were current remain so.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn set_last_release(
    transaction: &impl ConnectionTrait,
    providers: impl IntoIterator<Item = i32>,
    release: &release::Model,
) -> Result<(), DbErr> {
    let update = with_last_release(provider::Entity::update_many(), release);
    update.filter(provider::COLUMN.id.is_in(providers)).exec(transaction).await?;
    Ok(())
}

/// Adds what [`set_last_release`] sets to an update of providers.
#[must_use]
pub fn with_last_release(update: UpdateMany<provider::Entity>, release: &release::Model) -> UpdateMany<provider::Entity> {
    let totals_release =
        CaseStatement::new().case(are_current(), release.version).finally(Expr::col(provider::Column::TotalsRelease));
    update
        .col_expr(provider::Column::TotalsRelease, totals_release.into())
        .col_expr(provider::Column::LastRelease, release.version.into())
        .col_expr(provider::Column::LastReleaseAt, release.raised_at.into())
}

fn are_current() -> SimpleExpr {
    let is_last = Expr::col(provider::Column::TotalsRelease).eq(last_release());
    Func::coalesce([is_last, Expr::val(false)]).into()
}

fn last_release() -> SimpleExpr {
    Func::coalesce([Expr::col(provider::Column::LastRelease), Expr::val(NO_RELEASE)]).into()
}

fn computed_through(provider: &provider::Model) -> Option<NaiveDate> {
    parse_day(provider.totals_through.as_ref()?).ok()
}

/// The first day after another one on which an event may start.
async fn find_day_after(
    database: &impl ConnectionTrait,
    provider_id: i32,
    previous: Option<NaiveDate>,
) -> Result<Option<NaiveDate>, DbErr> {
    let next = previous.map(|day| day + Days::new(1));
    let mut starts = Vec::new();
    // The column is in the index before the start. Events that end at the same time become `false`.
    for upcoming in [true, false] {
        let mut events = listing::Entity::find()
            .select_only()
            .column(listing::Column::StartsAt)
            .filter(listing::COLUMN.provider_id.eq(provider_id))
            .filter(listing::COLUMN.upcoming.eq(upcoming))
            .order_by_asc(listing::Column::StartsAt);
        if let Some(next) = next {
            events = events.filter(listing::COLUMN.starts_at.gte(start_bounds(next, next).0));
        }
        starts.extend(events.into_tuple::<UtcInstant>().one(database).await?);
    }
    let first_start = starts.into_iter().min().and_then(UtcInstant::to_utc);
    let first = first_start.map(|start| cmp::max(Some(start.date_naive() - Days::new(1)), next));
    Ok(first.flatten().filter(|first| *first <= LAST_DAY))
}

/// Replaces the rows of the days of some spans.
async fn compute(transaction: &impl ConnectionTrait, provider_id: i32, spans: &[Span]) -> Result<(), DbErr> {
    let of_span = |(first, last): &Span| Column::Day.between(first.to_string(), last.to_string());
    let of_spans = spans.iter().map(of_span).fold(Condition::any(), Condition::add);
    Entity::delete_many().filter(COLUMN.provider_id.eq(provider_id)).filter(of_spans).exec(transaction).await?;
    let mut values = vec![provider_id.into()];
    let mut rows = Vec::new();
    for (first, last) in spans {
        let number = values.len() + 1;
        let cast = |offset: usize, name: &str| format!("CAST(${} AS {name})", number + offset);
        rows.push(format!("({}, {}, {}, {})", cast(0, "BIGINT"), cast(1, "BIGINT"), cast(2, "TEXT"), cast(3, "TEXT")));
        let (from, to) = start_bounds(*first, *last);
        values.extend([from.into(), to.into(), first.to_string().into(), last.to_string().into()]);
    }
    let cancelled = EventStatus::Cancelled.name();
    let of_flag = |upcoming: &str| {
        format!(
            "SELECT {EVENT_COLUMNS}, first_day, last_day FROM span CROSS JOIN listing CROSS JOIN event \
             WHERE event.id = listing.event_id AND listing.provider_id = $1 AND listing.upcoming = {upcoming} \
             AND listing.starts_at BETWEEN first_start AND last_start AND listing.listed = TRUE AND listing.status <> '{cancelled}'"
        )
    };
    // The column is in the index before the start.
    let events = format!("{} UNION ALL {}", of_flag("TRUE"), of_flag("FALSE"));
    let text = format!(
        "WITH span (first_start, last_start, first_day, last_day) AS (VALUES {}) \
         INSERT INTO daily_total (day, provider_id, currency, currency_digits, event_count, min_price) \
         SELECT day, provider_id, currency, COALESCE(own_digits, (SELECT currency_digits FROM provider WHERE id = $1)) AS currency_digits, \
         COUNT(*), MIN(min_price) FROM ({events}) AS found WHERE day BETWEEN first_day AND last_day GROUP BY 1, 2, 3, 4",
        rows.join(", ")
    );
    transaction.execute_raw(Statement::from_sql_and_values(transaction.get_database_backend(), text, values)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_near_are_one_span() {
        let day = |number| NaiveDate::from_ymd_opt(2031, 1, 1).unwrap() + Days::new(number);
        let mut days: BTreeSet<NaiveDate> = [0, 3, 6, 7, 20].map(day).into();
        assert_eq!(take_spans(&mut days), [(day(0), day(6)), (day(7), day(7)), (day(20), day(20))]);
        assert!(days.is_empty());
        let mut days: BTreeSet<NaiveDate> = (0..9).map(|week| day(10 * week)).collect();
        assert_eq!(take_spans(&mut days).len(), SPANS_PER_STATEMENT);
        assert_eq!(Vec::from_iter(days), [day(80)]);
    }
}

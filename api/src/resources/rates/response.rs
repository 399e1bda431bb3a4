//! The response of a request for rates.

use entity::UtcInstant;
use poem_openapi::{Object, types::Example};
use rates::{Day, compute_mean};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};

use crate::response::{LocalDate, Nullable};

/// Fewer prices have no average: it would be the price of one seller, not the cost of travelling.
const MIN_COUNT: i64 = 3;

/// Daily average prices.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(example)]
pub struct RateList {
    /// The averages, one for each day, latest first.
    pub rates: Vec<DailyRate>,
}

/// The average price of one day.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct DailyRate {
    /// The number of prices.
    #[oai(validator(minimum(value = "0")))]
    pub count: i64,
    /// The day.
    pub day: LocalDate,
    /// The average of the prices, not rounded; null if there are fewer than three.
    #[oai(validator(minimum(value = "0")))]
    pub price: Nullable<f64>,
}

/// The sums of a day; if no day has prices, there is one row without a day.
#[derive(Debug, FromQueryResult)]
pub(super) struct RateRow {
    pub(super) version: i64,
    pub(super) raised_at: UtcInstant,
    pub(super) is_orig_known: bool,
    pub(super) is_dest_known: bool,
    day: Option<i32>,
    price_count: Option<i64>,
    price_sum: Option<i64>,
}

impl RateList {
    /// The averages of all days from the first to the last. The rows are sorted, latest first.
    pub(super) fn new((first, last): (Day, Day), rows: &[RateRow]) -> Self {
        let mut sums = rows.iter().filter_map(|row| Some((row.day?, row.price_count?, row.price_sum?))).peekable();
        let rates = (first.0..=last.0).rev().map(|day| {
            let (count, sum) = sums.next_if(|(of_day, ..)| *of_day == day).map_or((0, 0), |(_, count, sum)| (count, sum));
            let price = (count >= MIN_COUNT).then(|| compute_mean(sum, count));
            DailyRate { count, day: Day(day).to_string().into(), price: price.into() }
        });
        Self { rates: rates.collect() }
    }
}

impl Example for RateList {
    fn example() -> Self {
        let rate = |day: &str, count, price| DailyRate { count, day: day.into(), price: Nullable(price) };
        Self {
            rates: vec![
                rate("2021-01-31", 3, Some(1_154.333_333_333_333_3)),
                rate("2021-01-30", 2, None),
                rate("2021-01-29", 0, None),
            ],
        }
    }
}

//! What is told of rates.

use entity::UtcInstant;
use poem_openapi::{Object, types::Example};
use rates::{Day, compute_mean};
use sea_orm::FromQueryResult;
use serde::Serialize;

use crate::response::Nullable;

/// Fewer prices than this have no mean: it would tell what one seller asks, not what travelling costs.
const MIN_COUNT: i64 = 3;

/// Daily averages.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct RatesAnswer {
    /// One for each day, latest first.
    pub rates: Vec<Rate>,
}

/// One day.
#[derive(Debug, Object, Serialize)]
pub struct Rate {
    /// How many prices there are.
    pub count: i64,
    /// The day, such as 2021-01-31.
    pub day: String,
    /// The mean of all of them, not rounded; null if there are fewer than three.
    pub price: Nullable<f64>,
}

/// What a statement says of a day; the first row comes without one if no day has prices.
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

impl RatesAnswer {
    /// Every day from the first to the last, with what the rows say of it: they stand latest first.
    pub(super) fn new((first, last): (Day, Day), rows: &[RateRow]) -> Self {
        let mut found = rows.iter().filter_map(|row| Some((row.day?, row.price_count?, row.price_sum?))).peekable();
        let rates = (first.0..=last.0).rev().map(|day| {
            let (count, sum) = found.next_if(|(found, ..)| *found == day).map_or((0, 0), |(_, count, sum)| (count, sum));
            let price = (count >= MIN_COUNT).then(|| compute_mean(sum, count));
            Rate { count, day: Day(day).to_string(), price: price.into() }
        });
        Self { rates: rates.collect() }
    }
}

impl Example for RatesAnswer {
    fn example() -> Self {
        let rate = |day: &str, count, price| Rate { count, day: day.to_owned(), price: Nullable(price) };
        Self {
            rates: vec![
                rate("2021-01-31", 3, Some(1_154.333_333_333_333_3)),
                rate("2021-01-30", 2, None),
                rate("2021-01-29", 0, None),
            ],
        }
    }
}

//! The response of a request for a calendar.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use entity::to_decimal;
use poem_openapi::{Object, types::Example};
use serde::{Deserialize, Serialize};

use crate::{
    find::CountedDays,
    response::{AlwaysNull, CurrencyCode, LocalDate, Nullable},
};

/// Events by day.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
#[oai(example)]
pub struct Calendar {
    /// The result.
    pub data: CalendarDays,
    /// What describes all days.
    pub meta: CalendarMeta,
    /// Always null.
    #[serde(skip_deserializing)]
    pub error: AlwaysNull,
}

/// The days of a calendar.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct CalendarDays {
    /// All days from the first to the last, also those without events.
    pub days: Vec<CalendarDay>,
}

/// The events that start on a day.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct CalendarDay {
    /// The day on the clock at the venue.
    pub day: LocalDate,
    /// The number of events.
    #[oai(validator(minimum(value = "0")))]
    pub count: i64,
    /// The lowest price; null if no event has prices, or if the prices of the calendar are in several currencies.
    #[oai(validator(minimum(value = "0")))]
    pub min_price: Nullable<f64>,
    /// The currency of `min_price` (ISO 4217).
    pub currency: Nullable<CurrencyCode>,
    /// The lowest price in each currency, by its code.
    pub prices: Vec<CurrencyPrice>,
}

/// The lowest price in a currency.
#[derive(Clone, Debug, Deserialize, Object, Serialize)]
pub struct CurrencyPrice {
    /// The currency (ISO 4217).
    pub currency: CurrencyCode,
    /// The lowest price.
    #[oai(validator(minimum(value = "0")))]
    pub min_price: f64,
}

/// What describes a whole calendar.
#[derive(Clone, Debug, Default, Deserialize, Object, Serialize)]
pub struct CalendarMeta {
    /// The number of events on all days.
    #[oai(validator(minimum(value = "0")))]
    pub total: i64,
    /// The words that were searched instead of those of `q`; null if they are the same.
    pub corrected: Nullable<String>,
}

/// The events of one day while they are added up.
#[derive(Default)]
struct Sum<'a> {
    count: i64,
    min_prices: BTreeMap<&'a str, f64>,
}

impl Calendar {
    /// The days from the first to the last.
    pub(super) fn new((first, last): (NaiveDate, NaiveDate), counted: CountedDays) -> Self {
        let mut sums: BTreeMap<&str, Sum<'_>> = BTreeMap::new();
        for row in &counted.counts {
            let sum = sums.entry(&row.day).or_default();
            sum.count += row.count;
            if let Some(min_price) = row.min_price {
                let min_price = to_decimal(min_price, row.currency_digits);
                let lowest = sum.min_prices.entry(&row.currency).or_insert(min_price);
                *lowest = lowest.min(min_price);
            }
        }
        let mut currencies = sums.values().flat_map(|sum| sum.min_prices.keys());
        let first_currency = currencies.next();
        let is_comparable = currencies.all(|currency| Some(currency) == first_currency);
        let total = sums.values().map(|sum| sum.count).sum();
        let days = first.iter_days().take_while(|day| *day <= last).map(|day| {
            let day = day.to_string();
            let sum = sums.get(day.as_str());
            CalendarDay::new(&day, sum.unwrap_or(&Sum::default()), is_comparable)
        });
        let data = CalendarDays { days: days.collect() };
        let meta = CalendarMeta { total, corrected: counted.corrected.into() };
        Self { data, meta, error: AlwaysNull }
    }
}

impl CalendarDay {
    fn new(day: &str, sum: &Sum<'_>, is_comparable: bool) -> Self {
        let prices: Vec<CurrencyPrice> = sum
            .min_prices
            .iter()
            .map(|(currency, min_price)| CurrencyPrice { currency: (*currency).into(), min_price: *min_price })
            .collect();
        let only = prices.first().filter(|_| is_comparable);
        Self {
            day: day.into(),
            count: sum.count,
            min_price: only.map(|price| price.min_price).into(),
            currency: only.map(|price| price.currency.clone()).into(),
            prices,
        }
    }
}

impl Example for Calendar {
    fn example() -> Self {
        let prices = vec![CurrencyPrice { currency: "EUR".into(), min_price: 12.5 }];
        let day = CalendarDay {
            day: "2021-02-10".into(),
            count: 3,
            min_price: Nullable(Some(12.5)),
            currency: Nullable(Some("EUR".into())),
            prices,
        };
        let empty = CalendarDay {
            day: "2021-02-11".into(),
            count: 0,
            min_price: Nullable(None),
            currency: Nullable(None),
            prices: Vec::new(),
        };
        let meta = CalendarMeta { total: 3, ..CalendarMeta::default() };
        Self { data: CalendarDays { days: vec![day, empty] }, meta, error: AlwaysNull }
    }
}

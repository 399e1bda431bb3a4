//! `GET /events/calendar` and `GET /events/facets` compared with a full scan.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use entity::fold_name;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    queries::RandomQuery,
    world::{CITIES, COUNTRIES, Expected, RandomVenue, local_of},
};
use crate::test_app::TestApp;

const FACETS: [&str; 9] = ["category", "city", "country", "venue", "performer", "provider", "status", "availability", "currency"];
const DEFAULT_DAYS: u64 = 31;

/// Events, and the lowest price in each currency.
type Sum<'a> = (i64, BTreeMap<&'a str, i64>);

pub(super) async fn compare_calendar(
    app: &TestApp,
    events: &[Expected],
    venues: &[RandomVenue],
    (query, now): (&RandomQuery, DateTime<Utc>),
) -> Result<(), TestCaseError> {
    let today = now.date_naive();
    let filters = query.to_filter_string(today, now);
    let calendar = app.get(&format!("/events/calendar?{filters}")).await.json();
    let days = calendar["data"]["days"].as_array().unwrap_or_else(|| panic!("{filters}: {calendar:#}"));
    let span = Days::new(DEFAULT_DAYS - 1);
    let (first, last) = match query.edges(today) {
        (Some(first), Some(last)) => (first, last),
        (Some(first), None) => (first, first + span),
        (None, Some(last)) => (last - span, last),
        (None, None) => {
            // Midnight may have passed since the test began.
            let first: NaiveDate = days[0]["day"].as_str().unwrap().parse().unwrap();
            prop_assert!(first == today || first == today + Days::new(1), "{} on {}", first, today);
            (first, first + span)
        }
    };
    let query = query.of_days();
    let mut sums: BTreeMap<NaiveDate, Sum<'_>> = BTreeMap::new();
    for event in events.iter().filter(|event| query.selects(event, venues, (today, now))) {
        let day = local_of(event.zone, event.starts_at).date();
        if (first..=last).contains(&day) {
            let (count, prices) = sums.entry(day).or_default();
            *count += 1;
            if let Some((min, _)) = event.prices {
                prices.entry(event.currency).and_modify(|lowest| *lowest = min.min(*lowest)).or_insert(min);
            }
        }
    }
    let mut currencies: Vec<&str> = sums.values().flat_map(|(_, prices)| prices.keys().copied()).collect();
    currencies.sort_unstable();
    currencies.dedup();
    let expected = first.iter_days().take_while(|day| *day <= last).map(|day| {
        let empty = (0, BTreeMap::new());
        let (count, prices) = sums.get(&day).unwrap_or(&empty);
        let only = prices.iter().next().filter(|_| currencies.len() == 1);
        json!({
            "day": day.to_string(),
            "count": count,
            "min_price": only.map(|(_, price)| decimal(*price)),
            "currency": only.map(|(currency, _)| currency),
            "prices": prices.iter().map(|(currency, price)| json!({ "currency": currency, "min_price": decimal(*price) })).collect::<Vec<_>>(),
        })
    });
    prop_assert_eq!(days, &expected.collect::<Vec<_>>(), "{}", filters);
    prop_assert_eq!(&calendar["meta"]["total"], sums.values().map(|(count, _)| count).sum::<i64>(), "{}", filters);
    Ok(())
}

pub(super) async fn compare_facets(
    app: &TestApp,
    events: &[Expected],
    venues: &[RandomVenue],
    (query, now): (&RandomQuery, DateTime<Utc>),
) -> Result<(), TestCaseError> {
    let filters = query.to_filter_string(now.date_naive(), now);
    let found = app.get(&format!("/events/facets?{filters}&by={}", FACETS.join(","))).await.json();
    let facets = found["data"]["facets"].as_array().unwrap_or_else(|| panic!("{filters}: {found:#}"));
    let selected: Vec<&Expected> = events.iter().filter(|event| query.selects(event, venues, (now.date_naive(), now))).collect();
    prop_assert_eq!(&found["meta"], &json!({ "total": selected.len(), "complete": true, "corrected": null }), "{}", filters);
    prop_assert_eq!(facets.len(), FACETS.len());
    for (name, facet) in FACETS.into_iter().zip(facets) {
        prop_assert_eq!(&facet["by"], name);
        let values = facet["values"].as_array().unwrap();
        let order = |value: &Value| (-value["count"].as_i64().unwrap(), value["value"].as_str().unwrap().to_owned());
        prop_assert!(values.is_sorted_by_key(order), "{}: {:#}", filters, facet);
        // Of venues and performers, ids are known only to the database.
        let is_item = ["venue", "performer"].contains(&name);
        let mut counts: Vec<(&str, &str, i64)> = values
            .iter()
            .map(|value| {
                let id = if is_item { "" } else { value["value"].as_str().unwrap() };
                (id, value["name"].as_str().unwrap_or_default(), value["count"].as_i64().unwrap())
            })
            .collect();
        counts.sort_unstable();
        let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
        for key in selected.iter().flat_map(|event| values_of(name, event, venues)) {
            *sums.entry(key).or_default() += 1;
        }
        let mut expected: Vec<(&str, &str, i64)> = sums
            .iter()
            .map(|((value, name), count)| (if is_item { "" } else { value.as_str() }, name.as_str(), *count))
            .collect();
        expected.sort_unstable();
        prop_assert_eq!(counts, expected, "{} by {}", filters, name);
    }
    Ok(())
}

/// The values of an event, each with its name.
fn values_of(facet: &str, event: &Expected, venues: &[RandomVenue]) -> Vec<(String, String)> {
    let plain = |value: &str| (value.to_owned(), String::new());
    let city = event.venue.and_then(|venue| venues[venue].1);
    match facet {
        "category" => {
            let category = event.category;
            let first_level = category.and_then(|category| category.split_once('/')).map(|(first_level, _)| first_level);
            category.into_iter().chain(first_level).map(plain).collect()
        }
        "city" => city.map(|city| (fold_name(CITIES[city]), CITIES[city].to_owned())).into_iter().collect(),
        "country" => city.map(|city| plain(COUNTRIES[city])).into_iter().collect(),
        "venue" => {
            let name = event.venue.map(|venue| format!("{} {venue}", event.provider));
            name.map(|name| (name.clone(), name)).into_iter().collect()
        }
        "performer" => {
            let mut ids = event.performers.clone();
            ids.sort_unstable();
            ids.dedup();
            ids.into_iter().map(|id| (format!("{}:{id}", event.provider), format!("Performer {id}"))).collect()
        }
        "provider" => vec![plain(event.provider)],
        "status" => vec![plain(event.status.name())],
        "availability" => vec![plain(event.availability)],
        _ => vec![plain(event.currency)],
    }
}

#[expect(clippy::cast_precision_loss, reason = "prices are small")]
fn decimal(minor_units: i64) -> f64 {
    minor_units as f64 / 100.0
}

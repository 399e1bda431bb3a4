//! `GET /events` and the numbers of events compared with a full scan: every query returns the same events in the same order, in pages of any size.

use std::{cmp::Ordering, sync::Arc};

use chrono::{DateTime, SubsecRound, Utc};
use migration::{on_every_backend, testing::TestDatabase};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;
use tokio::{runtime::Handle, task::block_in_place};

use super::{
    queries::{RandomQuery, SORTS, queries},
    summaries::{compare_calendar, compare_facets},
    world::{CURRENCIES, Expected, PROVIDERS, RandomVenue, events, insert, venues},
};
use crate::{fixtures::CatalogueFixture, test_app::TestApp};

on_every_backend!(lists_match_a_full_scan);

const CASES: u32 = 8;
const QUERIES_PER_CASE: usize = 60;

async fn lists_match_a_full_scan(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    for (provider, currency) in PROVIDERS.into_iter().zip(CURRENCIES) {
        catalogue.insert_provider(provider, currency, 2).await;
    }
    let app = TestApp::new(&database).await;
    let world = (venues(), events(), vec(queries(), QUERIES_PER_CASE));
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let handle = Handle::current();
    block_in_place(|| {
        runner.run(&world, |(venues, events, queries)| {
            handle.block_on(async {
                let now = Utc::now().trunc_subsecs(0);
                let expected = insert(&catalogue, &venues, &events, now).await;
                catalogue.compute_totals().await;
                for query in queries.iter().filter(|query| query.is_valid() && !query.is_at_edge(&venues)) {
                    compare(&app, &expected, &venues, (query, now)).await?;
                    compare_calendar(&app, &expected, &venues, (query, now)).await?;
                    compare_calendar(&app, &expected, &venues, (&query.only_days(), now)).await?;
                    compare_facets(&app, &expected, &venues, (query, now)).await?;
                }
                Ok(())
            })
        })
    })
    .unwrap();
}

async fn compare(
    app: &TestApp,
    events: &[Expected],
    venues: &[RandomVenue],
    (query, now): (&RandomQuery, DateTime<Utc>),
) -> Result<(), TestCaseError> {
    let today = now.date_naive();
    let mut expected: Vec<&Expected> = events.iter().filter(|event| query.selects(event, venues, (today, now))).collect();
    expected.sort_by(|left, right| order(query, venues, left, right));
    let expected: Vec<String> = expected.iter().map(|event| event.id.to_string()).collect();

    let filters = query.to_query_string(today, now);
    let all = app.get(&format!("/events?{filters}&limit=1000&total=true")).await.json();
    prop_assert_eq!(&ids_of(&all), &expected, "{}", filters);
    prop_assert_eq!(&all["meta"]["total"], expected.len(), "{}", filters);
    prop_assert_eq!(&all["meta"]["complete"], true, "{}", filters);
    let pages = app.get_pages(&format!("/events?{filters}&limit={}", query.limit)).await;
    let pages: Vec<String> = pages.iter().flat_map(|page| ids_of(&page.json())).collect();
    prop_assert_eq!(&pages, &expected, "{} in pages of {}", filters, query.limit);
    Ok(())
}

fn ids_of(page: &Value) -> Vec<String> {
    let events = page["data"]["events"].as_array().unwrap_or_else(|| panic!("{page:#}"));
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn order(query: &RandomQuery, venues: &[RandomVenue], left: &Expected, right: &Expected) -> Ordering {
    let by_start = (left.starts_at, left.id).cmp(&(right.starts_at, right.id));
    // Events without a price are the last in both directions.
    let has_price = left.prices.is_none().cmp(&right.prices.is_none());
    let by_price = left.prices.map(|(min, _)| min).cmp(&right.prices.map(|(min, _)| min)).then(by_start);
    match SORTS[query.sort] {
        "starts_at" => by_start,
        "-starts_at" => by_start.reverse(),
        "price" => has_price.then(by_price),
        "-price" => has_price.then(by_price.reverse()),
        "distance" => {
            let [left, right] = [left, right].map(|event| query.distance(event, venues).unwrap_or(f64::MAX));
            left.total_cmp(&right).then(by_start)
        }
        "relevance" => query.rank(left, venues).cmp(&query.rank(right, venues)).then(by_start),
        "-updated_at" => (right.updated_at, right.id).cmp(&(left.updated_at, left.id)),
        _ => (right.first_seen_at, right.id).cmp(&(left.first_seen_at, left.id)),
    }
}

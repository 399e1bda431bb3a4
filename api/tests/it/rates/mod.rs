//! Rates: places, batches and queries.

mod batches;
mod concurrent;
mod event_rates;
mod idempotency;
mod places;
mod queries;
mod rejected_batches;

use std::collections::BTreeMap;

use entity::{rate, rate_batch, rate_day};
use migration::testing::TestDatabase;
use poem::http::Method;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::test_app::{TestApp, TestResponse};

pub(crate) const BATCHES: &str = "/rates/batches";

/// The CSV body of a batch.
#[derive(Clone, Debug)]
pub(crate) struct CsvBatch(String);

impl Default for CsvBatch {
    fn default() -> Self {
        Self("orig_code,dest_code,day,price\n".to_owned())
    }
}

impl CsvBatch {
    pub(crate) fn add(mut self, orig: &str, dest: &str, day: &str, price: &str) -> Self {
        self.0.push_str(&format!("{orig},{dest},{day},{price}\n"));
        self
    }
}

/// Replaces the regions, as (slug, parent), and the places, as (code, region). An empty parent or region is null.
pub(crate) async fn put_places(app: &TestApp, regions: &[(&str, &str)], places: &[(&str, &str)]) -> TestResponse {
    let slug_or_null = |slug: &str| if slug.is_empty() { Value::Null } else { json!(slug) };
    let regions: Vec<Value> =
        regions.iter().map(|(slug, parent)| json!({ "slug": slug, "name": slug, "parent_slug": slug_or_null(parent) })).collect();
    let places: Vec<Value> =
        places.iter().map(|(code, region)| json!({ "code": code, "name": code, "region_slug": slug_or_null(region) })).collect();
    let list = json!({ "regions": regions, "places": places }).to_string();
    let response = app.upload(Method::PUT, "/places", ("application/json", list), &[]).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response
}

/// Sends a batch.
pub(crate) async fn post_batch(app: &TestApp, prices: &CsvBatch, headers: &[(&str, &str)]) -> TestResponse {
    app.upload(Method::POST, BATCHES, ("text/csv", prices.0.clone()), headers).await
}

/// Imports a batch, and returns its id.
pub(crate) async fn import_batch(app: &TestApp, prices: &CsvBatch) -> i64 {
    let response = post_batch(app, prices, &[]).await;
    assert_eq!(response.status, 201, "{}", response.text());
    response.json()["data"]["id"].as_i64().unwrap()
}

/// The rates of a route, as (day, count, price).
async fn fetch_rates(app: &TestApp, (orig, dest): (&str, &str), (from, to): (&str, &str)) -> Vec<(String, i64, Option<f64>)> {
    let response = app.get(&format!("/rates?date_from={from}&date_to={to}&orig_code={orig}&dest_code={dest}")).await.json();
    let rates = response["rates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rate| (rate["day"].as_str().unwrap().to_owned(), rate["count"].as_i64().unwrap(), rate["price"].as_f64()));
    rates.collect()
}

/// Checks that the daily sums and the counts of the batches match the prices. Returns the number of prices.
async fn assert_sums_match_prices(database: &TestDatabase) -> u64 {
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    let prices = rate::Entity::find().all(&connection).await.unwrap();
    let mut recount: BTreeMap<(i32, i32, i32), (i64, i64)> = BTreeMap::new();
    for price in &prices {
        let (count, sum) = recount.entry((price.orig_place_id, price.dest_place_id, price.day)).or_default();
        *count += 1;
        *sum += price.price;
    }
    let sums = rate_day::Entity::find().all(&connection).await.unwrap();
    let sums: BTreeMap<_, _> =
        // A sum of 0 remains when all prices of a day were deleted.
        sums.into_iter().filter(|sum| (sum.price_count, sum.price_sum) != (0, 0)).map(|sum| ((sum.orig_place_id, sum.dest_place_id, sum.day), (sum.price_count, sum.price_sum))).collect();
    assert_eq!(sums, recount);
    assert_batch_counts(&connection).await;
    prices.len() as u64
}

async fn assert_batch_counts(connection: &DatabaseConnection) {
    for batch in rate_batch::Entity::find().all(connection).await.unwrap() {
        let count = rate::Entity::find().filter(rate::Column::BatchId.eq(batch.id)).count(connection).await.unwrap();
        let expected = if batch.taken_back_at.is_some() { 0 } else { batch.price_count };
        assert_eq!(i64::try_from(count).unwrap(), expected, "{batch:?}");
    }
}

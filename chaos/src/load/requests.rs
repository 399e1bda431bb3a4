//! The requests.

use std::time::{Duration, Instant};

use programs::Failure;
use reqwest::Method;

use crate::{
    client::{Client, Response},
    deployment::{DESTINATION, ORIGIN, PUSHED},
    ledger::{AcknowledgedWrite, Ledger},
    load::RequestError,
};

/// One write in this number is a pushed feed, which a worker must apply; the others are batches of prices.
const PUSH_EVERY: u64 = 5;
/// One uncached read in this number reads the prices of a batch.
const PRICES_EVERY: u64 = 4;
/// The days of a batch.
const DAYS: [&str; 3] = ["2030-05-01", "2030-05-02", "2030-05-03"];
/// How long the programs may take to accept their first writes.
const START_TIME: Duration = Duration::from_secs(60);
/// The pause between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// A search that is the same each time.
pub(super) async fn read_cached(client: &Client) -> Result<u16, RequestError> {
    Ok(client.get("/search?starts_at=2020-01-01&ends_at=2040-01-01&limit=20").await?.status)
}

/// A search with bounds that no other search has, or the prices of a batch.
pub(super) async fn read_uncached(client: &Client, number: u64) -> Result<u16, RequestError> {
    if number.is_multiple_of(PRICES_EVERY) {
        return read_prices(client).await;
    }
    let ends_at =
        format!("2040-01-01T00:{:02}:{:02}.{:06}Z", number / 60_000_000 % 60, number / 1_000_000 % 60, number % 1_000_000);
    Ok(client.get(&format!("/search?starts_at=2020-01-01&ends_at={ends_at}&limit=20")).await?.status)
}

/// The prices of the days of a batch: every batch has one for each.
async fn read_prices(client: &Client) -> Result<u16, RequestError> {
    let [first, .., last] = DAYS;
    let path = format!("/rates?date_from={first}&date_to={last}&orig_code={ORIGIN}&dest_code={DESTINATION}");
    let response = client.get(&path).await?;
    let rates = response.json();
    let mut counts = rates["rates"].as_array().into_iter().flatten().map(|rate| &rate["count"]);
    let first = counts.next();
    if counts.all(|count| Some(count) == first) { Ok(response.status) } else { Err(RequestError::HalfVisible) }
}

/// Sends a write, and records it if it is acknowledged.
pub(super) async fn write(client: &Client, ledger: &Ledger) -> Result<u16, RequestError> {
    let number = ledger.next_number();
    if number.is_multiple_of(PUSH_EVERY) {
        push_event(client, ledger, number).await
    } else {
        import_batch(client, ledger, number).await
    }
}

async fn import_batch(client: &Client, ledger: &Ledger, number: u64) -> Result<u16, RequestError> {
    let (key, price) = (format!("batch-{number}"), 100 + number % 50);
    let rows = DAYS.map(|day| format!("{ORIGIN},{DESTINATION},{day},{price}\n")).concat();
    let body = format!("orig_code,dest_code,day,price\n{rows}");
    let headers = [("content-type", "text/csv"), ("idempotency-key", key.as_str())];
    let response = client.send(Method::POST, "/rates/batches", &headers, body).await?;
    if let (201, Some(id)) = (response.status, response.json()["data"]["id"].as_i64()) {
        ledger.record(AcknowledgedWrite::Batch { id, key });
    }
    Ok(response.status)
}

async fn push_event(client: &Client, ledger: &Ledger, number: u64) -> Result<u16, RequestError> {
    let starts_at = format_start(number);
    let response = send_event(client, number, &starts_at).await?;
    if let (202, Some(location)) = (response.status, response.header("location")) {
        ledger.record(AcknowledgedWrite::Push { run: resolve(location), starts_at });
    }
    Ok(response.status)
}

/// The path of a `Location`, which is relative to that of a pushed feed.
fn resolve(location: &str) -> String {
    format!("/{}", location.trim_start_matches("../"))
}

async fn send_event(client: &Client, id: u64, starts_at: &str) -> Result<Response, reqwest::Error> {
    let body = format!(
        "<eventList><output><base_event base_event_id=\"{id}\" sell_mode=\"online\" title=\"pushed {id}\">\
         <event event_id=\"1\" event_start_date=\"{starts_at}\"><zone zone_id=\"1\" price=\"7.00\"/></event>\
         </base_event></output></eventList>"
    );
    let path = format!("/providers/{PUSHED}/feed?mode=delta");
    client.send(Method::POST, &path, &[("content-type", "application/xml")], body).await
}

/// A minute that no other pushed event starts in, so that the event can be found.
fn format_start(number: u64) -> String {
    let (minute, day) = (number % 1440, number / 1440);
    let (month, year) = (day / 28, day / 28 / 12);
    format!("{}-{:02}-{:02}T{:02}:{:02}:00", 2050 + year, month % 12 + 1, day % 28 + 1, minute / 60, minute % 60)
}

/// Stores the places of the prices, and waits until a pushed feed is accepted.
pub(crate) async fn prepare(client: &Client) -> Result<(), Failure> {
    let places = serde_json::json!({
        "regions": [{"slug": "region", "name": "Region"}],
        "places": [
            {"code": ORIGIN, "name": "Origin", "region_slug": "region"},
            {"code": DESTINATION, "name": "Destination", "region_slug": "region"},
        ],
    });
    let until = Instant::now() + START_TIME;
    loop {
        let headers = [("content-type", "application/json")];
        let places = client.send(Method::PUT, "/places", &headers, places.to_string()).await?;
        let pushed = send_event(client, 0, &format_start(0)).await?;
        if places.status < 300 && pushed.status == 202 {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("places: {}; pushed feed: {}", places.describe(), pushed.describe()).into());
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

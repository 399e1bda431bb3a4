//! An event on its path from the provider to the response of a search.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::{InjectedFault, SimCatalogue};
use serde_json::{Value, json};

use crate::{
    deployment::{ApiProcess, Deployment},
    wait::eventually,
};

on_every_backend!(three_polls_are_searchable_with_their_latest_values, search_results_do_not_change_while_the_provider_fails,);

const RANGE: &str = "/search?starts_at=2021-02-01T00:00:00Z&ends_at=2022-07-03T00:00:00Z";

/// A feed of base events: id, sell mode, title and events.
fn feed(base_events: &[(&str, &str, &str, &str)]) -> String {
    let body: String = base_events
        .iter()
        .map(|(id, mode, title, events)| {
            format!("<base_event base_event_id=\"{id}\" sell_mode=\"{mode}\" title=\"{title}\">{events}</base_event>\n")
        })
        .collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\"><output>\n{body}</output></eventList>\n")
}

/// An event with its zones: id and price.
fn event(id: &str, start: &str, end: &str, zones: &[(&str, &str)]) -> String {
    let zones: String = zones
        .iter()
        .map(|(id, price)| format!("<zone zone_id=\"{id}\" capacity=\"9\" price=\"{price}\" name=\"Zone\"/>"))
        .collect();
    format!("<event event_id=\"{id}\" event_start_date=\"{start}\" event_end_date=\"{end}\" sold_out=\"false\">{zones}</event>")
}

async fn search(api: &ApiProcess) -> Vec<Value> {
    let (status, body) = api.get(RANGE).await;
    assert_eq!(status, 200, "{body}");
    body["data"]["events"].as_array().unwrap().clone()
}

async fn three_polls_are_searchable_with_their_latest_values(database: Arc<TestDatabase>) {
    let flamenco = |end| event("291", "2021-06-30T21:00:00", end, &[("40", "20.00"), ("38", "15.00"), ("30", "30.00")]);
    let comedy = event("1642", "2021-02-10T20:00:00", "2021-02-10T21:30:00", &[("311", "55.00")]);
    let opera = |end| event("1642", "2021-07-31T20:00:00", end, &[("186", "75.00"), ("186", "65.00")]);
    let tribute = event("1642", "2021-09-31T20:00:00", "2021-09-31T21:00:00", &[("7", "65.00")]);
    let deployment = Deployment::new(database, SimCatalogue::default()).await;
    let api = deployment.start_api();

    deployment.provider.serve_document(feed(&[
        ("291", "online", "Flamenco Night", &flamenco("2021-06-30T22:00:00")),
        ("322", "online", "Stand-up Hour", &comedy),
        ("1591", "online", "Open-air Opera", &opera("2021-07-31T21:00:00")),
    ]));
    assert!(deployment.sync());
    let first = search(&api).await;
    assert_eq!(first.len(), 3);

    deployment.provider.serve_document(feed(&[
        ("291", "online", "Flamenco Night", &flamenco("2021-06-30T22:00:00")),
        ("1591", "online", "Open-air Opera", &opera("2021-07-31T21:20:00")),
        ("444", "offline", "A Tribute", &tribute),
    ]));
    assert!(deployment.sync());
    deployment.provider.serve_document(feed(&[
        ("291", "online", "Flamenco Night", &flamenco("2021-06-30T21:30:00")),
        ("1591", "online", "Open-air Opera", &opera("2021-07-31T21:00:00")),
        ("444", "offline", "A Tribute", &tribute),
    ]));
    assert!(deployment.sync());

    let row = |id: &str, title: &str, start: (&str, &str), end: &str, prices: (f64, f64)| {
        json!({
            "id": id, "title": title, "start_date": start.0, "start_time": start.1, "end_date": start.0, "end_time": end,
            "min_price": prices.0, "max_price": prices.1,
        })
    };
    // Ids must be the same in every run, on every machine and on both databases.
    let expected = [
        row("c4a626ff-9f25-5533-a0a8-2b67472b5ee3", "Stand-up Hour", ("2021-02-10", "20:00:00"), "21:30:00", (55.0, 55.0)),
        row("f2feb9fe-5ab9-5642-ad18-eefdb2f67a18", "Flamenco Night", ("2021-06-30", "21:00:00"), "21:30:00", (15.0, 30.0)),
        row("c1ee3839-e42e-5c2e-9759-b071f98bb9c4", "Open-air Opera", ("2021-07-31", "20:00:00"), "21:00:00", (65.0, 75.0)),
    ];
    // The API has cached the earlier response, and detects the new catalogue version.
    eventually("the search returns the latest values", async || (search(&api).await == expected).then_some(())).await;

    let (status, left) = api.get("/events/c4a626ff-9f25-5533-a0a8-2b67472b5ee3").await;
    assert_eq!(status, 200);
    assert!(left["data"]["left"].is_string(), "an event that was removed from the feed has a removal date: {left}");
}

async fn search_results_do_not_change_while_the_provider_fails(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SimCatalogue { events: 40, ..SimCatalogue::default() }).await;
    let api = deployment.start_api();
    assert!(deployment.sync());
    let (_, before) = api.get("/search").await;
    assert!(!before["data"]["events"].as_array().unwrap().is_empty());

    let faults = ["status:503", "reset", "truncate", "truncate:4000", "garbage", "html", "encoding", "gzip-garbage"];
    for fault in faults.map(|fault| fault.parse::<InjectedFault>().unwrap()) {
        deployment.provider.set_faults([fault.clone()]);
        assert!(!deployment.sync(), "a sync with {fault} fails");
        let (status, after) = api.get("/search").await;
        assert_eq!((status, &after), (200, &before), "with {fault}");
        let (_, providers) = api.get("/providers").await;
        let provider = &providers["data"]["providers"][0];
        assert_eq!((&provider["state"], &provider["last_run"]["state"]), (&json!("failing"), &json!("failed")), "with {fault}");
        assert!(provider["last_run"]["reason"].is_string(), "with {fault}");
    }

    deployment.provider.set_faults([]);
    assert!(deployment.sync(), "the next valid feed is accepted");
    assert_eq!(api.get("/providers").await.1["data"]["providers"][0]["state"], "ok");
}

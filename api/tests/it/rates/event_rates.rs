//! `GET /events/{id}/rates`.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};

use super::{CsvBatch, import_batch, put_places};
use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(returns_the_days_around_an_event, an_event_without_a_known_place_is_404);

async fn returns_the_days_around_an_event(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let place = |event: NewEvent| event.venue("Sala Apolo", (41.374, 2.169), Some("ESBCN"));
    let short = place(NewEvent::titled("short").starts("2021-02-10"));
    let long = place(NewEvent::titled("long").starts("2021-02-27").ends("2021-03-01T12:00:00"));
    let ids = [short.row.id, long.row.id];
    catalogue.insert([short, long]).await;
    let app = TestApp::new(&database).await;
    put_places(&app, &[("baltic", "")], &[("ESBCN", ""), ("EETLL", "baltic")]).await;
    let mut prices = CsvBatch::default();
    for price in ["90", "100", "110"] {
        prices = prices.add("EETLL", "ESBCN", "2021-02-07", price);
    }
    import_batch(&app, &prices).await;

    let fetch = async |id, orig: &str| app.get(&format!("/events/{id}/rates?orig_code={orig}")).await.json()["rates"].clone();
    let days = |rates: &serde_json::Value| {
        let day = |rate: &serde_json::Value| rate["day"].as_str().unwrap().to_owned();
        let rates = rates.as_array().unwrap();
        (rates.len(), day(&rates[0]), day(rates.last().unwrap()))
    };
    for orig in ["EETLL", "baltic"] {
        let rates = fetch(ids[0], orig).await;
        assert_eq!(days(&rates), (7, "2021-02-13".to_owned(), "2021-02-07".to_owned()));
        assert_eq!(rates[6], serde_json::json!({ "count": 3, "day": "2021-02-07", "price": 100.0 }), "{orig}");
    }
    let rates = fetch(ids[1], "EETLL").await;
    assert_eq!(days(&rates), (9, "2021-03-04".to_owned(), "2021-02-24".to_owned()));
}

async fn an_event_without_a_known_place_is_404(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let events = [
        NewEvent::titled("without venue"),
        NewEvent::titled("without code").venue("Sala Apolo", (41.374, 2.169), None),
        NewEvent::titled("unknown code").venue("Sala Razz", (41.374, 2.169), Some("ESXXX")),
        NewEvent::titled("hidden").venue("Sala Bikini", (41.374, 2.169), Some("ESBCN")).with(|row| row.shown = false),
    ];
    let [without_venue, without_code, unknown_code, hidden] = events.clone().map(|event| event.row.id);
    catalogue.insert(events).await;
    let app = TestApp::new(&database).await;
    put_places(&app, &[], &[("ESBCN", "")]).await;
    let fetch = async |path: String| app.get(&path).await;
    for (id, part) in
        [(without_venue, "venue is unknown"), (without_code, "venue is unknown"), (unknown_code, "the place `ESXXX` is unknown")]
    {
        let problem = fetch(format!("/events/{id}/rates?orig_code=ESBCN")).await.problem(404, "unknown_place");
        assert_eq!(problem["errors"][0]["parameter"], "id");
        assert!(problem["errors"][0]["message"].as_str().unwrap().contains(part), "{problem}");
    }
    let both = fetch(format!("/events/{unknown_code}/rates?orig_code=XXXXX")).await.problem(404, "unknown_place");
    let parameters: Vec<_> =
        both["errors"].as_array().unwrap().iter().map(|error| error["parameter"].as_str().unwrap()).collect();
    assert_eq!(parameters, ["orig_code", "id"]);
    fetch(format!("/events/{hidden}/rates?orig_code=ESBCN")).await.problem(404, "not_found");
    assert_eq!(
        fetch(format!("/events/{without_venue}/rates")).await.validation_errors(),
        [("orig_code".to_owned(), "is required".to_owned())]
    );
    assert_eq!(fetch("/events/7/rates?orig_code=ESBCN".to_owned()).await.validation_errors()[0].0, "id");
}

//! `GET /rates`.

use std::sync::Arc;

use api::State;
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};

use super::{CsvBatch, fetch_rates, import_batch, put_places};
use crate::test_app::TestApp;

on_every_backend!(
    returns_one_row_per_day_latest_first,
    a_region_includes_its_descendants,
    reports_unknown_places,
    reports_invalid_parameters,
    the_longest_range_is_two_years,
    a_batch_is_visible_to_its_sender_immediately,
);

const JANUARY: (&str, &str) = ("2021-01-29", "2021-01-31");

async fn returns_one_row_per_day_latest_first(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    put_places(&app, &[], &[("CNGGZ", ""), ("EETLL", "")]).await;
    let mut prices = CsvBatch::default();
    for (day, price) in [
        ("2021-01-28", "9"),
        ("2021-01-29", "1244"),
        ("2021-01-31", "1244"),
        ("2021-01-31", "1140.5"),
        ("2021-01-31", "1078.50"),
        ("2021-01-29", "1244"),
        ("2021-02-01", "9"),
    ] {
        prices = prices.add("CNGGZ", "EETLL", day, price);
    }
    import_batch(&app, &prices).await;
    let response = app.get("/rates?date_from=2021-01-29&date_to=2021-01-31&orig_code=CNGGZ&dest_code=EETLL").await;
    let expected = r#"{"rates":[{"count":3,"day":"2021-01-31","price":1154.3333333333333},{"count":0,"day":"2021-01-30","price":null},{"count":2,"day":"2021-01-29","price":null}]}"#;
    assert_eq!(response.text(), expected);
    assert_eq!(
        fetch_rates(&app, ("EETLL", "CNGGZ"), JANUARY).await.iter().map(|(_, count, _)| count).sum::<i64>(),
        0,
        "the other direction has no prices"
    );
}

async fn a_region_includes_its_descendants(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let regions = [("deep", "middle"), ("middle", "top"), ("top", ""), ("empty", "top"), ("other", "")];
    let places = [("AADEP", "deep"), ("AAMID", "middle"), ("AATOP", "top"), ("BBOTH", "other"), ("CCNON", "")];
    put_places(&app, &regions, &places).await;
    let mut prices = CsvBatch::default();
    for (orig, price) in [("AADEP", "1"), ("AAMID", "10"), ("AATOP", "100"), ("BBOTH", "1000"), ("CCNON", "10000")] {
        for _ in 0..3 {
            prices = prices.add(orig, "BBOTH", "2021-01-30", price);
        }
    }
    import_batch(&app, &prices).await;
    for (orig, dest, count, price) in [
        ("AADEP", "BBOTH", 3, Some(1.0)),
        ("deep", "BBOTH", 3, Some(1.0)),
        ("middle", "BBOTH", 6, Some(5.5)),
        ("top", "BBOTH", 9, Some(37.0)),
        ("top", "other", 9, Some(37.0)),
        ("other", "other", 3, Some(1000.0)),
        ("CCNON", "other", 3, Some(10_000.0)),
        ("empty", "BBOTH", 0, None),
        ("other", "top", 0, None),
    ] {
        let rates = fetch_rates(&app, (orig, dest), ("2021-01-30", "2021-01-30")).await;
        assert_eq!(rates, [("2021-01-30".to_owned(), count, price)], "{orig} to {dest}");
    }
}

async fn reports_unknown_places(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    put_places(&app, &[("baltic", "")], &[("EETLL", "baltic")]).await;
    let fetch_errors = async |orig: &str, dest: &str| {
        let path = format!("/rates?date_from=2021-01-29&date_to=2021-01-31&orig_code={orig}&dest_code={dest}");
        app.get(&path).await.problem(404, "unknown_place")["errors"].clone()
    };
    let error = |parameter: &str, code: &str| serde_json::json!({ "parameter": parameter, "message": format!("must be the code of a place or the slug of a region, as in /places, got `{code}`") });
    assert_eq!(fetch_errors("XXXXX", "EETLL").await, serde_json::json!([error("orig_code", "XXXXX")]));
    assert_eq!(fetch_errors("baltic", "Baltic").await, serde_json::json!([error("dest_code", "Baltic")]));
    assert_eq!(fetch_errors("eetll", "%27").await, serde_json::json!([error("orig_code", "eetll"), error("dest_code", "'")]));
}

async fn reports_invalid_parameters(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (query, parameter, part) in [
        ("date_to=2021-01-01&orig_code=A&dest_code=B", "date_from", "is required"),
        ("date_from=2021-01-01&orig_code=A&dest_code=B", "date_to", "is required"),
        ("date_from=2021-01-01&date_to=2021-01-01&dest_code=B", "orig_code", "is required"),
        ("date_from=2021-01-01&date_to=2021-01-01&orig_code=A", "dest_code", "is required"),
        ("date_from=2021-01-01&date_to=2021-01-01&orig_code=A&dest_code=", "dest_code", "is required"),
        (
            "date_from=2021-01-01&date_to=2021-01-01&orig_code=A%0AB&dest_code=B",
            "orig_code",
            "must be the code of a place or the slug of a region",
        ),
        ("date_from=2021-01-01&date_to=2021-01-01&orig_code=A%00&dest_code=B", "orig_code", "NUL"),
        ("date_from=2021-09-31&date_to=2021-10-01&orig_code=A&dest_code=B", "date_from", "must be an existing date"),
        (
            "date_from=2021-01-01T00:00:00Z&date_to=2021-10-01&orig_code=A&dest_code=B",
            "date_from",
            "must be a date in the form YYYY-MM-DD",
        ),
        ("date_from=2021-01-02&date_to=2021-01-01&orig_code=A&dest_code=B", "date_to", "must not be before `date_from`"),
        ("date_from=2021-01-01&date_to=2023-01-03&orig_code=A&dest_code=B", "date_to", "at most 731 days after `date_from`"),
        ("date_from=2021-01-01&date_to=2021-01-01&orig_code=A&dest_code=B&origcode=C", "origcode", "did you mean `orig_code`?"),
    ] {
        let errors = app.get(&format!("/rates?{query}")).await.validation_errors();
        assert!(errors.iter().any(|(name, message)| name == parameter && message.contains(part)), "{query}: {errors:?}");
    }
    assert_eq!(app.get("/rates").await.validation_errors().len(), 4, "all together");
}

async fn the_longest_range_is_two_years(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    put_places(&app, &[], &[("EETLL", "")]).await;
    let rates = fetch_rates(&app, ("EETLL", "EETLL"), ("2023-01-01", "2025-01-01")).await;
    assert_eq!((rates.len(), rates[0].0.as_str(), rates[731].0.as_str()), (732, "2025-01-01", "2023-01-01"));
}

async fn a_batch_is_visible_to_its_sender_immediately(database: Arc<TestDatabase>) {
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let app = TestApp::with_state(&State::new(reads, watch, 1024 * 1024, None));
    put_places(&app, &[], &[("EETLL", "")]).await;
    let fetch_counts =
        async || fetch_rates(&app, ("EETLL", "EETLL"), JANUARY).await.into_iter().map(|(_, count, _)| count).collect::<Vec<_>>();
    let prices = CsvBatch::default().add("EETLL", "EETLL", "2021-01-30", "5");
    for count in 0..4 {
        // The second response comes from the cache.
        for _ in 0..2 {
            assert_eq!(fetch_counts().await, [0, count, 0]);
        }
        import_batch(&app, &prices).await;
    }
}

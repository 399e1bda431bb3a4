//! `/places`: replaced as a whole, and filtered by name.

use std::sync::Arc;

use entity::catalogue_version;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use serde_json::{Value, json};

use super::{CsvBatch, assert_sums_match_prices, fetch_rates, import_batch, put_places};
use crate::test_app::{TestApp, TestResponse};

on_every_backend!(
    put_replaces_the_previous_list,
    an_invalid_list_changes_nothing,
    putting_the_same_list_keeps_the_version,
    a_restored_place_has_its_prices,
    filters_places_by_name_and_code_in_pages,
);

async fn put_list(app: &TestApp, list: &Value) -> TestResponse {
    app.upload(Method::PUT, "/places", ("application/json", list.to_string()), &[]).await
}

async fn fetch_places(app: &TestApp) -> Value {
    app.get("/places").await.json()["data"].clone()
}

async fn put_replaces_the_previous_list(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let lists = [
        json!({
            "regions": [
                { "slug": "b", "name": "B", "parent_slug": "a" },
                { "slug": "a", "name": "A" },
                { "slug": "c", "name": "C", "parent_slug": "b" },
            ],
            "places": [{ "code": "AAAAA", "name": "Ax", "region_slug": "c" }, { "code": "BBBBB", "name": "Bx", "region_slug": "a" }],
        }),
        // Reverses the nesting, renames a region and replaces a place.
        json!({
            "regions": [
                { "slug": "a", "name": "New A", "parent_slug": "c" },
                { "slug": "c", "name": "C", "parent_slug": "d" },
                { "slug": "d", "name": "D" },
            ],
            "places": [{ "code": "AAAAA", "name": "Ay", "region_slug": "a" }, { "code": "CCCCC", "name": "Cx" }],
        }),
        json!({ "regions": [], "places": [] }),
    ];
    for list in lists {
        let response = put_list(&app, &list).await.json();
        let count = |kind: &str| list[kind].as_array().unwrap().len();
        assert_eq!(response["data"], json!({ "regions": count("regions"), "places": count("places"), "changed": true }));
        let listed = fetch_places(&app).await;
        for (kind, key, parent) in [("regions", "slug", "parent_slug"), ("places", "code", "region_slug")] {
            let sorted = |items: &Value| {
                let mut items: Vec<_> = items
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| (item[key].to_string(), item["name"].clone(), item[parent].clone()))
                    .collect();
                items.sort_by(|left, right| left.0.cmp(&right.0));
                items
            };
            assert_eq!(sorted(&listed[kind]), sorted(&list[kind]));
        }
        assert_eq!(put_list(&app, &listed).await.json()["data"]["changed"], false, "the response of GET can be put unchanged");
    }
}

async fn an_invalid_list_changes_nothing(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    put_places(&app, &[("a", "")], &[("AAAAA", "a")]).await;
    let before = fetch_places(&app).await;
    let invalid = json!({
        "regions": [{ "slug": "x", "name": "X", "parent_slug": "y" }, { "slug": "y", "name": "Y", "parent_slug": "x" }, { "slug": "BBBBB", "name": "Z" }],
        "places": [{ "code": "BBBBB", "name": "B", "region_slug": "unknown" }, { "code": "BBBBB", "name": "B" }],
    });
    let problem = put_list(&app, &invalid).await.problem(422, "invalid_items");
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        ["/regions/2/slug", "/regions/0/parent_slug", "/regions/1/parent_slug", "/places/0/region_slug", "/places/1/code"]
    );
    for (body, part) in [
        ("{", "EOF"),
        ("[]", "expected struct PlacesDocument"),
        ("{\"regions\":[]}", "missing field `places`"),
        ("{\"regions\":[],\"places\":[],\"towns\":[]}", "unknown field `towns`"),
        ("{\"regions\":[],\"places\":[{\"code\":5}]}", "expected a string"),
    ] {
        let response = app.upload(Method::PUT, "/places", ("application/json", body), &[]).await;
        let problem = response.problem(422, "invalid_items");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{body}: {problem}");
    }
    app.upload(Method::PUT, "/places", ("text/csv", "x"), &[]).await.problem(415, "unsupported_media_type");
    assert_eq!(fetch_places(&app).await, before);
}

async fn putting_the_same_list_keeps_the_version(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    let version = async || catalogue_version::fetch_version(&connection).await.unwrap();
    put_places(&app, &[("a", ""), ("b", "a")], &[("AAAAA", "b")]).await;
    assert_eq!(version().await, 1);
    put_places(&app, &[("b", "a"), ("a", "")], &[("AAAAA", "b")]).await;
    assert_eq!(version().await, 1);
    put_places(&app, &[("a", ""), ("b", "a")], &[("AAAAA", "a")]).await;
    assert_eq!(version().await, 2);
}

async fn a_restored_place_has_its_prices(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    put_places(&app, &[("r", "")], &[("AAAAA", "r"), ("BBBBB", "r")]).await;
    let mut prices = CsvBatch::default();
    for price in ["1", "2", "3"] {
        prices = prices.add("AAAAA", "BBBBB", "2021-01-30", price).add("AAAAA", "AAAAA", "2021-01-30", "8");
    }
    import_batch(&app, &prices).await;
    let day = ("2021-01-30", "2021-01-30");
    assert_eq!(fetch_rates(&app, ("r", "r"), day).await[0].2, Some(5.0));
    put_places(&app, &[("r", "")], &[("AAAAA", "r")]).await;
    assert_eq!(fetch_rates(&app, ("r", "r"), day).await[0].2, Some(8.0), "prices to a removed place do not count");
    app.get("/rates?date_from=2021-01-30&date_to=2021-01-30&orig_code=AAAAA&dest_code=BBBBB").await.problem(404, "unknown_place");
    super::post_batch(&app, &prices, &[]).await.problem(422, "invalid_items");
    put_places(&app, &[("r", "")], &[("BBBBB", "r"), ("AAAAA", "r")]).await;
    assert_eq!(fetch_rates(&app, ("r", "r"), day).await[0].2, Some(5.0));
    assert_eq!(assert_sums_match_prices(&database).await, 6);
}

async fn filters_places_by_name_and_code_in_pages(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let list = json!({
        "regions": [{ "slug": "northern_europe", "name": "Northern Europe" }, { "slug": "Nor", "name": "Zone" }],
        "places": [
            { "code": "NOMAY", "name": "Måløy", "region_slug": "northern_europe" },
            { "code": "DKCPH", "name": "Copenhagen (København)" },
            { "code": "NOOSL", "name": "Oslo", "region_slug": "Nor" },
            { "code": "XXOSL", "name": "OSLO" },
        ],
    });
    assert_eq!(put_list(&app, &list).await.status, 200);
    for (q, expected) in [
        ("", &["DKCPH", "NOMAY", "northern_europe", "NOOSL", "XXOSL", "Nor"][..]),
        ("q=malo", &["NOMAY"]),
        ("q=M%C3%A5l", &["NOMAY"]),
        ("q=oslo", &["NOOSL", "XXOSL"]),
        ("q=no", &["NOMAY", "northern_europe", "NOOSL", "Nor"]),
        ("q=dkc", &["DKCPH"]),
        ("q=copenhagen%20k", &["DKCPH"]),
        ("q=nothing", &[]),
    ] {
        for limit in [1, 2, 50] {
            let mut listed = Vec::new();
            for page in app.get_pages(&format!("/places?{q}&limit={limit}").replace("?&", "?")).await {
                let data = page.json()["data"].clone();
                let codes = |kind: &str, key: &str| {
                    data[kind].as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect::<Vec<_>>()
                };
                let codes = [codes("regions", "slug"), codes("places", "code")].concat();
                assert!(codes.len() <= limit);
                listed.extend(codes);
            }
            let mut expected = expected.to_vec();
            if limit > 1 {
                // A page lists regions before places.
                listed.sort_unstable();
                expected.sort_unstable();
            }
            assert_eq!(listed, expected, "{q} {limit}");
        }
    }
    for (query, parameter) in [("town=x", "town"), ("q=a&cursor=x", "cursor"), ("limit=0", "limit")] {
        assert_eq!(app.get(&format!("/places?{query}")).await.validation_errors()[0].0, parameter);
    }
}

//! `/places`: put whole or not at all, and found by name.

use std::sync::Arc;

use entity::catalogue_version;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use serde_json::{Value, json};

use super::{Prices, assert_recounted, bring_in, put_places, rates};
use crate::service::{Answer, Service};

on_every_backend!(
    a_list_takes_the_place_of_the_one_before,
    a_wrong_list_changes_nothing,
    the_same_list_again_is_no_news,
    a_place_that_comes_back_has_its_prices,
    places_are_found_by_name_and_code_page_by_page,
);

async fn put(service: &Service, list: &Value) -> Answer {
    service.upload(Method::PUT, "/places", ("application/json", list.to_string()), &[]).await
}

async fn known(service: &Service) -> Value {
    service.get("/places").await.json()["data"].clone()
}

async fn a_list_takes_the_place_of_the_one_before(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    let lists = [
        json!({
            "regions": [
                { "slug": "b", "name": "B", "parent_slug": "a" },
                { "slug": "a", "name": "A" },
                { "slug": "c", "name": "C", "parent_slug": "b" },
            ],
            "places": [{ "code": "AAAAA", "name": "Ax", "region_slug": "c" }, { "code": "BBBBB", "name": "Bx", "region_slug": "a" }],
        }),
        // Turned upside down, with a new name, a new place, and without another.
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
        let answer = put(&service, &list).await.json();
        let count = |of: &str| list[of].as_array().unwrap().len();
        assert_eq!(answer["data"], json!({ "regions": count("regions"), "places": count("places"), "changed": true }));
        let found = known(&service).await;
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
            assert_eq!(sorted(&found[kind]), sorted(&list[kind]));
        }
        assert_eq!(put(&service, &found).await.json()["data"]["changed"], false, "what is told can be put again");
    }
}

async fn a_wrong_list_changes_nothing(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    put_places(&service, &[("a", "")], &[("AAAAA", "a")]).await;
    let before = known(&service).await;
    let wrong = json!({
        "regions": [{ "slug": "x", "name": "X", "parent_slug": "y" }, { "slug": "y", "name": "Y", "parent_slug": "x" }, { "slug": "BBBBB", "name": "Z" }],
        "places": [{ "code": "BBBBB", "name": "B", "region_slug": "nowhere" }, { "code": "BBBBB", "name": "B" }],
    });
    let problem = put(&service, &wrong).await.problem(422, "invalid_items");
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
        let answer = service.upload(Method::PUT, "/places", ("application/json", body), &[]).await;
        let problem = answer.problem(422, "invalid_items");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{body}: {problem}");
    }
    service.upload(Method::PUT, "/places", ("text/csv", "x"), &[]).await.problem(415, "unsupported_media_type");
    assert_eq!(known(&service).await, before);
}

async fn the_same_list_again_is_no_news(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    let version = async || catalogue_version::fetch_version(&connection).await.unwrap();
    put_places(&service, &[("a", ""), ("b", "a")], &[("AAAAA", "b")]).await;
    assert_eq!(version().await, 1);
    put_places(&service, &[("b", "a"), ("a", "")], &[("AAAAA", "b")]).await;
    assert_eq!(version().await, 1);
    put_places(&service, &[("a", ""), ("b", "a")], &[("AAAAA", "a")]).await;
    assert_eq!(version().await, 2);
}

async fn a_place_that_comes_back_has_its_prices(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    put_places(&service, &[("r", "")], &[("AAAAA", "r"), ("BBBBB", "r")]).await;
    let mut prices = Prices::default();
    for price in ["1", "2", "3"] {
        prices = prices.add("AAAAA", "BBBBB", "2021-01-30", price).add("AAAAA", "AAAAA", "2021-01-30", "8");
    }
    bring_in(&service, &prices).await;
    let day = ("2021-01-30", "2021-01-30");
    assert_eq!(rates(&service, ("r", "r"), day).await[0].2, Some(5.0));
    put_places(&service, &[("r", "")], &[("AAAAA", "r")]).await;
    assert_eq!(rates(&service, ("r", "r"), day).await[0].2, Some(8.0), "without the prices to a place that is none");
    service
        .get("/rates?date_from=2021-01-30&date_to=2021-01-30&orig_code=AAAAA&dest_code=BBBBB")
        .await
        .problem(404, "unknown_place");
    super::send(&service, &prices, &[]).await.problem(422, "invalid_items");
    put_places(&service, &[("r", "")], &[("BBBBB", "r"), ("AAAAA", "r")]).await;
    assert_eq!(rates(&service, ("r", "r"), day).await[0].2, Some(5.0));
    assert_eq!(assert_recounted(&database).await, 6);
}

async fn places_are_found_by_name_and_code_page_by_page(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    let list = json!({
        "regions": [{ "slug": "northern_europe", "name": "Northern Europe" }, { "slug": "Nor", "name": "Zone" }],
        "places": [
            { "code": "NOMAY", "name": "Måløy", "region_slug": "northern_europe" },
            { "code": "DKCPH", "name": "Copenhagen (København)" },
            { "code": "NOOSL", "name": "Oslo", "region_slug": "Nor" },
            { "code": "XXOSL", "name": "OSLO" },
        ],
    });
    assert_eq!(put(&service, &list).await.status, 200);
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
            let mut found = Vec::new();
            let mut next = Some(format!("/places?{q}&limit={limit}").replace("?&", "?"));
            while let Some(path) = next {
                let answer = service.get(&path).await;
                let data = answer.json()["data"].clone();
                let codes = |kind: &str, key: &str| {
                    data[kind].as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect::<Vec<_>>()
                };
                let page = [codes("regions", "slug"), codes("places", "code")].concat();
                assert!(page.len() <= limit);
                found.extend(page);
                next = answer.next();
            }
            let mut expected = expected.to_vec();
            if limit > 1 {
                // Of one page regions and places are told apart.
                found.sort_unstable();
                expected.sort_unstable();
            }
            assert_eq!(found, expected, "{q} {limit}");
        }
    }
    for (query, parameter) in [("q=", "q"), ("town=x", "town"), ("q=a&cursor=x", "cursor"), ("limit=0", "limit")] {
        assert_eq!(service.get(&format!("/places?{query}")).await.mistakes()[0].0, parameter);
    }
}

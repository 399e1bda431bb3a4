//! `GET /performers` and `GET /venues`: found by the beginning of their names, and by place.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use serde_json::{Value, json};

use crate::{
    catalogue::{Catalogue, NewEvent},
    service::Service,
};

on_every_backend!(
    names_are_found_by_their_beginning_without_accents,
    performers_say_how_to_ask_for_their_concerts,
    venues_are_found_by_place_and_by_name,
    lists_by_name_come_in_pages,
    mistakes_are_named,
);

async fn service(database: &TestDatabase) -> Service {
    let at = |venue: &str, latitude: f64, band: &str| {
        NewEvent::titled(&format!("{band} at {venue}")).performers(&[band]).venue(venue, (latitude, 2.0), Some("ESBCN"))
    };
    let events = [
        at("Sala Apolo", 41.0, "Ñu, & friends"),
        at("São Jorge", 42.0, "nu metal"),
        at("sala b", 43.0, "x"),
        at("Razzmatazz", 41.001, "10% wrong_"),
    ];
    Catalogue::of(database).await.insert(events).await;
    Service::on(database).await
}

async fn names(service: &Service, list: &str, query: &str) -> Vec<String> {
    let answer = service.get(&format!("/{list}?{query}")).await.json();
    answer[list].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

async fn names_are_found_by_their_beginning_without_accents(database: Arc<TestDatabase>) {
    let service = service(&database).await;
    let of = |query: &'static str| names(&service, "performers", query);
    let (friends, metal) = ("Performer Ñu, & friends", "Performer nu metal");
    assert_eq!(of("q=performer+nu").await, [friends, metal]);
    assert_eq!(of("q=PERFORMER+%C3%91U").await, [friends, metal]);
    assert_eq!(of("q=performer+nu+f").await, [friends], "signs do not count");
    assert_eq!(of("q=performer+10").await, ["Performer 10% wrong_"]);
    for nothing in ["q=nu", "q=%25", "q=_", "q=performer+x+", "q=performer+xx", "q=%F4%8F%BF%BF"] {
        let found = of(nothing).await;
        assert!(found.is_empty() || found == ["Performer x"], "{nothing}: {found:?}");
    }
    assert_eq!(of("").await.len(), 4, "without a name all are listed");
}

async fn performers_say_how_to_ask_for_their_concerts(database: Arc<TestDatabase>) {
    let service = service(&database).await;
    let answer = service.get("/performers").await.json();
    for performer in answer["performers"].as_array().unwrap() {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("bandIds", performer["band_id"].as_str().unwrap())
            .finish();
        let concerts = service.get(&format!("/concerts?{query}")).await.json();
        assert_eq!(concerts.as_array().map(Vec::len), Some(1), "{performer}");
        assert_eq!(concerts[0]["band"], performer["name"]);
    }
    let plain = json!({"id": "nu metal", "provider": "fever", "band_id": "fever:nu metal", "name": "Performer nu metal"});
    assert!(answer["performers"].as_array().unwrap().contains(&plain), "{answer}");
}

async fn venues_are_found_by_place_and_by_name(database: Arc<TestDatabase>) {
    let service = service(&database).await;
    let of = |query: &'static str| names(&service, "venues", query);
    assert_eq!(of("q=sa").await, ["Sala Apolo", "sala b", "São Jorge"]);
    assert_eq!(of("q=sao").await, ["São Jorge"]);
    assert_eq!(of("latitude=41&longitude=2&radius=1").await, ["Razzmatazz", "Sala Apolo"]);
    assert_eq!(of("latitude=41&longitude=2&radius=0").await, ["Sala Apolo"]);
    assert_eq!(of("latitude=41&longitude=2&radius=200&q=sal").await, ["Sala Apolo"]);
    let answer = service.get("/venues?q=sala+apolo").await.json();
    let venue = json!({
        "id": "venue of Sala Apolo", "provider": "fever", "name": "Sala Apolo",
        "latitude": 41.0, "longitude": 2.0, "place_code": "ESBCN",
    });
    assert_eq!(answer, json!({ "venues": [venue] }));
}

async fn lists_by_name_come_in_pages(database: Arc<TestDatabase>) {
    let service = service(&database).await;
    for (list, query) in [("performers", "q=performer"), ("venues", "q=sa"), ("venues", "latitude=41&longitude=2&radius=300")] {
        let whole = names(&service, list, query).await;
        let mut pages: Vec<Value> = Vec::new();
        let mut next = Some(format!("/{list}?{query}&limit=1"));
        while let Some(path) = next {
            let answer = service.get(&path).await;
            pages.extend(answer.json()[list].as_array().unwrap().clone());
            next = answer.next();
        }
        let pages: Vec<&str> = pages.iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(pages, whole, "{list}?{query}");
    }
}

async fn mistakes_are_named(database: Arc<TestDatabase>) {
    let service = Service::on(&database).await;
    let long = format!("/performers?q={}", "x".repeat(201));
    for (path, parameter, part) in [
        ("/performers?q=", "q", "the beginning of a name"),
        (&long, "q", "200 characters at most"),
        ("/performers?name=x", "name", "is not known"),
        ("/venues?latitude=1", "radius", "a place is"),
        ("/venues?latitude=1&longitude=2&radius=x", "radius", "a number of kilometres"),
        ("/venues?cursor=x", "cursor", "no cursor of ours"),
    ] {
        let mistakes = service.get(path).await.mistakes();
        assert!(mistakes.iter().any(|(named, message)| named == parameter && message.contains(part)), "{path}: {mistakes:?}");
    }
    let next = service.get("/venues?q=a&limit=1").await.next();
    assert_eq!(next, None);
}

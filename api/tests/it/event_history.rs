//! `GET /events/{id}/history`.

use std::sync::Arc;

use entity::{
    UtcInstant,
    alias::AliasKind,
    change::{ChangeKind, NewChange},
    change_retention,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use crate::{
    aliases::{OLD, start_app},
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(
    the_history_of_an_event_is_its_part_of_the_log,
    a_history_without_its_oldest_changes_has_pages,
    events_that_readers_do_not_see_have_no_history,
    the_history_of_an_event_with_another_id_is_redirected,
    invalid_parameters_of_a_history_are_reported,
);

/// Two events, and the changes of both in one log.
async fn insert_changes(catalogue: &CatalogueFixture) -> [Uuid; 2] {
    let events = [NewEvent::titled("one"), NewEvent::titled("other")];
    let ids = [events[0].row.id, events[1].row.id];
    catalogue.insert(events).await;
    for number in 0..12 {
        let kind = if number % 3 == 0 { ChangeKind::PriceChanged } else { ChangeKind::Updated };
        let changed = json!({ "min_price": { "old": number, "new": number + 1 } }).to_string();
        let change = catalogue.change(kind, "fever", ids[0], &changed).await;
        let of_other = NewChange { event_id: ids[1], ..change.clone() };
        catalogue.release(if number % 4 == 0 { vec![of_other] } else { vec![of_other, change] }).await;
    }
    ids
}

async fn the_history_of_an_event_is_its_part_of_the_log(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let ids = insert_changes(&catalogue).await;
    let app = TestApp::new(&database).await;
    let log = app.get("/changes").await.json()["data"]["changes"].as_array().unwrap().clone();
    for id in ids {
        let path = format!("/events/{id}/history");
        let select = |is_selected: &dyn Fn(&Value) -> bool| {
            let of_event = log.iter().filter(|change| change["event_id"] == id.to_string());
            of_event.filter(|change| is_selected(change)).cloned().collect::<Vec<_>>()
        };
        let expected = select(&|_| true);
        assert!(expected.len() >= 9);
        for limit in [1, 4, 1_000] {
            let (mut found, mut after) = (Vec::new(), String::new());
            while found.len() < expected.len() {
                let page = app.get(&format!("{path}?limit={limit}&after={after}")).await.json();
                let changes = page["data"]["changes"].as_array().unwrap();
                assert!((1..=limit).contains(&changes.len()), "limit {limit}");
                found.extend(changes.clone());
                after = page["meta"]["next"].as_str().unwrap().to_owned();
            }
            assert_eq!(found, expected, "limit {limit}");
            let rest = app.get(&format!("{path}?after={after}")).await.json();
            assert_eq!(rest["data"]["changes"], json!([]));
        }
        let of_kind = app.get(&format!("{path}?kind=price_changed,left")).await.json();
        assert_eq!(of_kind["data"]["changes"], json!(select(&|change| change["kind"] == "price_changed")));
    }
}

async fn a_history_without_its_oldest_changes_has_pages(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let [id, _] = insert_changes(&catalogue).await;
    let app = TestApp::new(&database).await;
    let first = app.get(&format!("/events/{id}/history?limit=1")).await.json();
    let transaction = entity::begin_write(&catalogue.database).await.unwrap();
    let removed = change_retention::remove_oldest(&transaction, ChangeKind::Updated, UtcInstant(i64::MAX), 1_000).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(removed > 0);
    let after = first["meta"]["next"].as_str().unwrap();
    app.get(&format!("/changes?after={after}")).await.problem(410, "cursor_expired");
    let rest = app.get(&format!("/events/{id}/history?after={after}")).await.json();
    let kinds: Vec<&Value> = rest["data"]["changes"].as_array().unwrap().iter().map(|change| &change["kind"]).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == "price_changed"), "{kinds:?}");
}

async fn events_that_readers_do_not_see_have_no_history(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let hidden = NewEvent::titled("hidden").hidden();
    let unchanged = NewEvent::titled("unchanged");
    let ids = [hidden.row.id, unchanged.row.id];
    catalogue.insert([hidden, unchanged]).await;
    let app = TestApp::new(&database).await;
    for id in [ids[0], Uuid::nil()] {
        app.get(&format!("/events/{id}/history")).await.problem(404, "not_found");
    }
    assert_eq!(app.get(&format!("/events/{}/history", ids[1])).await.json()["data"], json!({ "changes": [] }));
}

async fn the_history_of_an_event_with_another_id_is_redirected(database: Arc<TestDatabase>) {
    let (app, target) = start_app(&database, AliasKind::Event).await;
    for query in ["", "?kind=left&limit=5"] {
        let moved = app.get(&format!("/events/{OLD}/history{query}")).await;
        moved.problem(308, "event_moved");
        assert_eq!(moved.location(), format!("/events/{target}/history{query}"));
    }
}

async fn invalid_parameters_of_a_history_are_reported(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let id = Uuid::nil();
    for (path, parameter) in [
        ("/events/x/history".to_owned(), "id"),
        (format!("/events/{id}/history?after=x"), "after"),
        (format!("/events/{id}/history?limit=1001"), "limit"),
        (format!("/events/{id}/history?provider=fever"), "provider"),
    ] {
        let errors = app.get(&path).await.validation_errors();
        assert!(errors.len() == 1 && errors[0].0 == parameter, "{path}: {errors:?}");
    }
}

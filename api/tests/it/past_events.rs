//! `GET /events/{id}?as_of=`.

use std::{sync::Arc, time::Duration};

use entity::{
    EventStatus, UtcInstant,
    alias::AliasKind,
    change::{self, ChangeKind, NewChange},
    change_retention, database_now,
    event_state::{EventState, ItemKey},
};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{EntityTrait, ExprTrait, QueryFilter, prelude::Uuid, sea_query::Expr};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    aliases::{OLD, start_app},
    fixtures::{CatalogueFixture, NewEvent, state_in, with_states},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    changes_are_undone_from_the_newest_to_the_oldest,
    states_have_the_venue_and_the_performers_of_then,
    what_the_log_does_not_have_is_null_and_declared,
    an_event_was_not_known_before_it_was_first_seen,
    the_earliest_instant_is_stated_once_changes_were_removed,
    what_was_removed_for_legal_reasons_is_not_guessed,
    only_instants_until_now_are_accepted,
    the_query_is_part_of_the_redirect_and_a_removed_event_is_gone,
    a_past_event_is_revalidated_like_any_event,
);

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// An event, its path, and the instants before and after each of its changes.
struct History {
    catalogue: CatalogueFixture,
    app: TestApp,
    path: String,
    instants: Vec<UtcInstant>,
}

impl History {
    async fn start(database: &TestDatabase, event: NewEvent) -> Self {
        let (catalogue, path) = (CatalogueFixture::new(database).await, format!("/events/{}", event.row.id));
        catalogue.insert([event]).await;
        let instants = vec![database_now(&catalogue.database).await.unwrap()];
        Self { catalogue, app: TestApp::new(database).await, path, instants }
    }

    fn id(&self) -> Uuid {
        self.path.trim_start_matches("/events/").parse().unwrap()
    }

    async fn log(&mut self, kind: ChangeKind, changed: Value, states: Option<(EventState, EventState)>) {
        let mut change = self.catalogue.change(kind, "fever", self.id(), &changed.to_string()).await;
        if let Some((old, new)) = states {
            change = with_states(change, Some(old), Some(new));
        }
        // Of another event, which nothing undoes.
        let other = NewChange {
            event_id: Uuid::from_u128(9),
            changed: r#"{"title":{"old":"x","new":"y"}}"#.to_owned(),
            ..change.clone()
        };
        self.catalogue.release(vec![change, other]).await;
        self.instants.push(database_now(&self.catalogue.database).await.unwrap());
        // The clock of SQLite has milliseconds.
        sleep(Duration::from_millis(2)).await;
    }

    async fn get_at(&self, instant: UtcInstant) -> TestResponse {
        self.app.get(&format!("{}?as_of={}", self.path, to_text(instant))).await
    }

    /// The event after this many of its changes.
    async fn after(&self, changes: usize) -> Value {
        self.get_at(self.instants[changes]).await.json()
    }
}

fn to_text(instant: UtcInstant) -> String {
    api::response::to_rfc3339(instant)
}

fn members<'a>(event: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    names.iter().map(|name| &event["data"][*name]).collect()
}

async fn changes_are_undone_from_the_newest_to_the_oldest(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("third").prices(&[3_000]).with(|row| {
        row.status = EventStatus::Cancelled;
        row.time_zone = Some("Europe/Madrid".to_owned());
    });
    let mut history = History::start(&database, event).await;
    let price = |old: f64, new: f64| {
        json!({ "min_price": { "old": old, "new": new }, "max_price": { "old": old, "new": new },
        "zones": { "old": [{ "name": "A", "price": old }], "new": [{ "name": "A", "price": new }] } })
    };
    history.log(ChangeKind::Updated, json!({ "title": { "old": "first", "new": "second" } }), None).await;
    history.log(ChangeKind::PriceChanged, price(10.5, 20.0), None).await;
    let moved =
        json!({ "start_date": { "old": "2021-07-09", "new": "2021-02-10" }, "start_time": { "old": null, "new": "20:00:00" } });
    history.log(ChangeKind::Rescheduled, moved, None).await;
    history.log(ChangeKind::PriceChanged, price(20.0, 30.0), None).await;
    let cancelled = json!({ "status": { "old": "scheduled", "new": "cancelled" }, "title": { "old": "second", "new": "third" } });
    history.log(ChangeKind::Cancelled, cancelled, None).await;

    let names = ["title", "status", "start_date", "start_time", "starts_at", "min_price", "max_price"];
    let now = ["third", "cancelled", "2021-02-10", "20:00:00"];
    let (madrid, before) = ("2021-02-10T21:00:00+01:00", "2021-07-09T00:00:00+02:00");
    for (changes, expected) in [
        (5, json!([now[0], now[1], now[2], now[3], madrid, 30.0, 30.0])),
        (4, json!(["second", "scheduled", now[2], now[3], madrid, 30.0, 30.0])),
        (3, json!(["second", "scheduled", now[2], now[3], madrid, 20.0, 20.0])),
        (2, json!(["second", "scheduled", "2021-07-09", null, before, 20.0, 20.0])),
        (1, json!(["second", "scheduled", "2021-07-09", null, before, 10.5, 10.5])),
        (0, json!(["first", "scheduled", "2021-07-09", null, before, 10.5, 10.5])),
    ] {
        let event = history.after(changes).await;
        assert_eq!(json!(members(&event, &names)), expected, "after {changes}");
        let zones = json!([{ "name": if changes < 4 { json!("A") } else { Value::Null }, "price": event["data"]["min_price"], "currency": null }]);
        assert_eq!(event["data"]["zones"], zones);
        assert_eq!(event["meta"]["as_of"], to_text(history.instants[changes]));
    }
    let log = history.app.get(&format!("{}/history", history.path)).await.json();
    let second = &log["data"]["changes"][1];
    let at_commit = history.app.get(&format!("{}?as_of={}", history.path, second["at"].as_str().unwrap())).await.json();
    assert_eq!(at_commit["data"]["min_price"], 20.0, "a change is part of its instant");
    assert_eq!(at_commit["data"]["updated_at"], second["at"]);
}

async fn states_have_the_venue_and_the_performers_of_then(database: Arc<TestDatabase>) {
    let other = NewEvent::titled("other").venue("First hall", (41.0, 2.0), None).performers(&["7"]);
    let event = NewEvent::titled("show").venue("Second hall", (42.0, 2.0), None).performers(&["8"]);
    let [first, second] = [&other, &event].map(|event| event.row.venue_id.unwrap());
    let performers = [other.performer_id("7"), event.performer_id("8")];
    let mut history = History::start(&database, event).await;
    history.catalogue.insert([other]).await;
    let state = |venue: Uuid, performer: Uuid, starts_at| {
        let mut state = state_in("Lyon");
        state.venue.as_mut().unwrap().key.0 = venue;
        (state.performers, state.starts_at, state.ends_at) = (vec![ItemKey(performer, "7".to_owned())], starts_at, starts_at);
        state
    };
    let times = [UtcInstant(1_612_900_800_000_000), UtcInstant(1_612_987_200_000_000)];
    let states = (state(first, performers[0], times[0]), state(second, performers[1], times[1]));
    // Two performers and two venues have the same name: only the states differ.
    history.log(ChangeKind::Updated, json!({ "url": { "old": null, "new": null } }), Some(states)).await;
    // Without states, it is unknown which ones these were.
    let unknown = json!({ "venue": { "old": "Hall", "new": "First hall" }, "performers": { "old": [], "new": ["x"] } });
    let before = history.instants.remove(0);
    history.catalogue.release(Vec::new()).await;
    let current = history.after(0).await;
    assert_eq!(current["data"]["venue"]["name"], "Second hall");
    let past = history.get_at(before).await.json();
    assert_eq!(past["data"]["venue"]["uuid"], first.to_string());
    assert_eq!(past["data"]["performers"][0]["name"], "Performer 7");
    assert_eq!(past["data"]["starts_at"], "2021-02-09T20:00:00+00:00");
    assert_eq!(past["meta"]["current"], json!(["performers", "venue", "provider", "time_zone", "currency"]));

    history.log(ChangeKind::Updated, unknown, None).await;
    let past = history.get_at(before).await.json();
    assert_eq!(past["data"]["venue"]["uuid"], first.to_string(), "an older change knows them");
    let past = history.after(0).await;
    assert_eq!(members(&past, &["venue", "performers"]), [&Value::Null, &json!([])]);
    let unknown = past["meta"]["unknown"].as_array().unwrap();
    assert!(["venue", "performers"].iter().all(|member| unknown.contains(&json!(member))), "{unknown:?}");
}

async fn what_the_log_does_not_have_is_null_and_declared(database: Arc<TestDatabase>) {
    let instant = UtcInstant(1_600_000_000_000_000);
    let event = NewEvent::titled("show").zone("1", |zone| zone.capacity = Some(7)).with(|row| {
        row.currency = Some("GBP".to_owned());
        (row.left_at, row.last_seen_at, row.previous_start_at) = (Some(instant), Some(instant), Some(instant));
    });
    let mut history = History::start(&database, event).await;
    let unchanged = history.after(0).await;
    assert_eq!(unchanged["meta"]["unknown"], json!([]), "a removed event does not change");
    for member in ["left_at", "left", "last_seen"] {
        assert_eq!(unchanged["data"][member], to_text(instant), "{member}");
    }
    assert_eq!(unchanged["data"]["previous_start_at"], "2020-09-13T12:26:40+00:00");
    assert_eq!(unchanged["data"]["zones"], json!([{ "name": null, "price": 0.0, "currency": null }]));
    assert_eq!(unchanged["data"]["updated_at"], "1970-01-01T00:00:00Z", "when it was first seen");

    history.log(ChangeKind::Left, json!({ "listed": { "old": true, "new": false } }), None).await;
    history.log(ChangeKind::Rescheduled, json!({ "start_date": { "old": "2021-02-11", "new": "2021-02-10" } }), None).await;
    let listed = history.after(0).await;
    assert_eq!(listed["meta"]["unknown"], json!(["previous_start_at", "last_seen", "came_back"]));
    assert_eq!(members(&listed, &["listed", "left_at", "left"]), [&json!(true), &Value::Null, &Value::Null]);
    let removed = history.after(1).await;
    assert_eq!(removed["meta"]["unknown"], json!(["previous_start_at"]));
    assert_eq!(members(&removed, &["listed", "left_at"]), [&json!(false), &json!(to_text(instant))]);
}

async fn an_event_was_not_known_before_it_was_first_seen(database: Arc<TestDatabase>) {
    let first_seen_at = UtcInstant(1_600_000_000_000_000);
    let mut history = History::start(&database, NewEvent::titled("show").with(|row| row.first_seen_at = first_seen_at)).await;
    assert_eq!(history.get_at(first_seen_at).await.status, 200);
    let early = history.get_at(first_seen_at - Duration::from_micros(1)).await.problem(404, "not_found");
    assert!(early["detail"].as_str().unwrap().contains("first seen at 2020-09-13T12:26:40Z"), "{early}");

    // It was not on sale before.
    history.log(ChangeKind::Created, json!({}), None).await;
    history.get_at(history.instants[0]).await.problem(404, "not_found");
    assert_eq!(history.get_at(history.instants[1]).await.status, 200);
}

/// Makes the oldest changes of the log this old, and removes what is older than its retention.
async fn age_and_clean(catalogue: &CatalogueFixture, versions: u64, age: Duration) {
    let now = database_now(&catalogue.database).await.unwrap();
    let (at, version) = ((now - age).0, i64::try_from(versions).unwrap());
    change::Entity::update_many()
        .col_expr(change::Column::At, Expr::col(change::Column::Version).add(at))
        .filter(change::COLUMN.version.lte(version))
        .exec(&catalogue.database)
        .await
        .unwrap();
    let transaction = entity::begin_write(&catalogue.database).await.unwrap();
    for kind in ChangeKind::ALL {
        change_retention::remove_oldest(&transaction, kind, now - kind.retention(), 1_000).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

async fn the_earliest_instant_is_stated_once_changes_were_removed(database: Arc<TestDatabase>) {
    let mut history = History::start(&database, NewEvent::titled("show").prices(&[4_000])).await;
    for (number, kind) in [ChangeKind::Updated, ChangeKind::PriceChanged, ChangeKind::PriceChanged].into_iter().enumerate() {
        let price = json!({ "min_price": { "old": number + 1, "new": number + 2 } });
        history.log(kind, price, None).await;
    }
    let now = database_now(&history.catalogue.database).await.unwrap();
    age_and_clean(&history.catalogue, 2, 20 * DAY).await;
    // The second change is 20 days old, and nothing after the first one was removed.
    let early = history.get_at(now - 21 * DAY).await.problem(410, "history_expired");
    let detail = early["detail"].as_str().unwrap();
    let earliest = detail.split(" known since ").nth(1).unwrap().split(';').next().unwrap();
    let at_earliest = history.app.get(&format!("{}?as_of={earliest}", history.path)).await.json();
    assert_eq!(at_earliest["data"]["min_price"], 3.0, "{detail}");
    let later = history.get_at(now - 19 * DAY).await.json();
    assert_eq!(members(&later, &["min_price"]), [&json!(3.0)]);
    assert!(later["data"]["updated_at"].is_string());
}

async fn what_was_removed_for_legal_reasons_is_not_guessed(database: Arc<TestDatabase>) {
    let mut history = History::start(&database, NewEvent::titled("show")).await;
    history.log(ChangeKind::Updated, json!({}), None).await;
    history.log(ChangeKind::Updated, json!({ "title": { "old": "other", "new": "show" } }), None).await;
    history.get_at(history.instants[0]).await.problem(410, "history_expired");
    assert_eq!(history.after(1).await["data"]["title"], "other");
}

async fn only_instants_until_now_are_accepted(database: Arc<TestDatabase>) {
    let history = History::start(&database, NewEvent::titled("show")).await;
    let now = database_now(&history.catalogue.database).await.unwrap();
    for (as_of, message) in [
        (to_text(now + DAY), "must not be in the future"),
        ("2021-02-01".to_owned(), "must be RFC 3339 with an offset"),
        ("2021-02-01T00:00:00".to_owned(), "must be RFC 3339 with an offset"),
        ("x&as_of=y".to_owned(), "must be given only once"),
    ] {
        let errors = history.app.get(&format!("{}?as_of={as_of}", history.path)).await.validation_errors();
        assert!(errors.len() == 1 && errors[0].0 == "as_of" && errors[0].1.starts_with(message), "{as_of}: {errors:?}");
    }
    assert_eq!(
        history.app.get(&format!("{}?as_of=", history.path)).await.json()["meta"],
        Value::Null,
        "an empty value is absent"
    );
}

async fn the_query_is_part_of_the_redirect_and_a_removed_event_is_gone(database: Arc<TestDatabase>) {
    let (app, target) = start_app(&database, AliasKind::Event).await;
    let query = "?as_of=2021-02-01T00:00:00Z";
    let moved = app.get(&format!("/events/{OLD}{query}")).await;
    moved.problem(308, "event_moved");
    assert_eq!(moved.location(), format!("/events/{target}{query}"));
    assert_eq!(app.get(&moved.location()).await.status, 200);
    assert_eq!(app.send(Method::DELETE, &format!("/events/{target}?reason=x"), &[]).await.status, 204);
    app.get(&format!("/events/{target}{query}")).await.problem(410, "event_removed");
}

async fn a_past_event_is_revalidated_like_any_event(database: Arc<TestDatabase>) {
    let history = History::start(&database, NewEvent::titled("show")).await;
    let uri = format!("{}?as_of={}", history.path, to_text(history.instants[0]));
    let first = history.app.get(&uri).await;
    assert_eq!(first.header("cache-control"), history.app.get(&history.path).await.header("cache-control"));
    let etag = first.header("etag").unwrap();
    assert_eq!(history.app.send(Method::GET, &uri, &[("if-none-match", etag)]).await.status, 304);
}

//! `GET /providers`: states, ages and next ticks.

use std::sync::Arc;

use chrono::{DateTime, Timelike, Utc};
use entity::{UtcInstant, provider, sync_run};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};
use serde_json::{Value, json};

use crate::{fixtures::CatalogueFixture, test_app::TestApp};

on_every_backend!(
    without_providers_the_list_is_empty,
    a_provider_without_a_successful_sync_is_new,
    a_provider_states_its_last_release,
    a_provider_is_ok_after_a_successful_run,
    a_provider_is_failing_after_a_failed_run_and_reports_its_age,
    a_running_sync_does_not_change_the_state,
    a_retired_provider_has_no_next_tick,
    a_paused_provider_reports_until_when_and_why,
    providers_are_sorted_by_slug_with_their_latest_run,
    next_tick_is_a_whole_second_in_the_future,
    feed_urls_are_not_exposed,
    rejects_query_parameters,
);

const MINUTE: i64 = 60_000_000;

/// Inserts a provider with changes.
async fn insert_provider(
    catalogue: &CatalogueFixture,
    slug: &str,
    change: impl FnOnce(&mut provider::ActiveModel),
) -> provider::Model {
    let mut row = catalogue.insert_provider(slug, "EUR", 2).await.into_active_model();
    change(&mut row);
    row.update(&catalogue.database).await.unwrap()
}

async fn fetch_providers(database: &TestDatabase) -> Vec<Value> {
    let response = TestApp::new(database).await.get("/providers").await.json();
    assert_eq!(response["error"], Value::Null);
    response["data"]["providers"].as_array().unwrap().clone()
}

async fn fetch_only_provider(database: &TestDatabase) -> Value {
    let [provider] = fetch_providers(database).await.try_into().unwrap();
    provider
}

fn minutes_ago(minutes: i64) -> UtcInstant {
    UtcInstant(UtcInstant::now().0 - minutes * MINUTE)
}

async fn without_providers_the_list_is_empty(database: Arc<TestDatabase>) {
    let response = TestApp::new(&database).await.get("/providers").await;
    assert_eq!(response.json(), json!({ "data": { "providers": [] }, "error": null }));
}

async fn a_provider_without_a_successful_sync_is_new(database: Arc<TestDatabase>) {
    let with_names = |row: &mut provider::ActiveModel| {
        row.name = Set(Some("Fever".to_owned()));
        row.attribution = Set(Some("Events by Fever".to_owned()));
    };
    insert_provider(&CatalogueFixture::new(&database).await, "fever", with_names).await;
    let mut listed = fetch_only_provider(&database).await;
    assert!(listed["next_tick"].take().is_string());
    let expected = json!({
        "slug": "fever",
        "name": "Fever",
        "home_page": null,
        "licence": null,
        "attribution": "Events by Fever",
        "state": "new",
        "last_success": null,
        "age_seconds": null,
        "next_tick": null,
        "paused_until": null,
        "pause_reason": null,
        "schedule": "0 */10 * * * *",
        "format": "event-list-xml",
        "time_zone": "UTC",
        "currency": "EUR",
        "last_run": null,
        "last_release": null,
    });
    assert_eq!(listed, expected);
}

async fn a_provider_states_its_last_release(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    insert_provider(&catalogue, "fever", |row| {
        (row.last_release, row.last_release_at) = (Set(Some(7)), Set(Some(UtcInstant(1_250_000))));
    })
    .await;
    let listed = fetch_only_provider(&database).await;
    assert_eq!(listed["last_release"], json!({ "version": 7, "at": "1970-01-01T00:00:01.250Z" }));
}

async fn a_provider_is_ok_after_a_successful_run(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    for (slug, state) in [("changed", sync_run::RunState::Succeeded), ("same", sync_run::RunState::Unchanged)] {
        let provider = insert_provider(&catalogue, slug, |row| row.last_success_at = Set(Some(minutes_ago(61)))).await;
        catalogue.insert_run(&provider, sync_run::RunState::Failed).await;
        let successful = catalogue.insert_run(&provider, state).await;
        let listed = fetch_providers(&database).await.into_iter().find(|listed| listed["slug"] == slug).unwrap();
        assert_eq!(listed["state"], "ok");
        let age = listed["age_seconds"].as_u64().unwrap();
        assert!((3_660..3_720).contains(&age), "{age}");
        let expected = json!({
            "id": successful.id,
            "state": state.name(),
            "started_at": "1970-01-01T00:00:00Z",
            "ended_at": "1970-01-01T00:00:01.250Z",
            "reason_code": null,
            "reason": null,
        });
        assert_eq!(listed["last_run"], expected);
    }
}

async fn a_provider_is_failing_after_a_failed_run_and_reports_its_age(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let copied_at = minutes_ago(120);
    let provider = insert_provider(&catalogue, "fever", |row| row.last_success_at = Set(Some(copied_at))).await;
    catalogue.insert_run(&provider, sync_run::RunState::Succeeded).await;
    catalogue.insert_run(&provider, sync_run::RunState::Failed).await;

    let listed = fetch_only_provider(&database).await;

    assert_eq!(listed["state"], "failing");
    assert_eq!(listed["last_success"], api::response::to_rfc3339(copied_at));
    assert!(listed["age_seconds"].as_u64().unwrap() >= 7_200);
    assert_eq!(listed["last_run"]["state"], "failed");
    assert_eq!(listed["last_run"]["reason_code"], "http_status");
    assert_eq!(listed["last_run"]["reason"], "the provider answered with status 503");
    assert!(listed["next_tick"].is_string(), "the provider is still polled");
}

async fn a_running_sync_does_not_change_the_state(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let before = [
        ("a-new", None, "new"),
        ("b-ok", Some(sync_run::RunState::Succeeded), "ok"),
        ("c-failing", Some(sync_run::RunState::Failed), "failing"),
    ];
    for (slug, ended, _) in before {
        let copied_at = (slug != "a-new").then(|| minutes_ago(10));
        let provider = insert_provider(&catalogue, slug, |row| row.last_success_at = Set(copied_at)).await;
        if let Some(state) = ended {
            catalogue.insert_run(&provider, state).await;
        }
        catalogue.insert_run(&provider, sync_run::RunState::Running).await;
    }

    for (listed, (slug, _, state)) in fetch_providers(&database).await.into_iter().zip(before) {
        assert_eq!((&listed["slug"], &listed["state"]), (&json!(slug), &json!(state)));
        assert_eq!(listed["last_run"]["state"], "running");
        assert_eq!(listed["last_run"].get("ended_at"), Some(&Value::Null));
    }
}

async fn a_paused_provider_reports_until_when_and_why(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let pause = |until: UtcInstant| {
        move |row: &mut provider::ActiveModel| {
            row.pause_until = Set(Some(until));
            row.pause_reason = Set(Some("circuit_open".to_owned()));
        }
    };
    let until = minutes_ago(-60);
    insert_provider(&catalogue, "paused", pause(until)).await;
    insert_provider(&catalogue, "was-paused", pause(minutes_ago(1))).await;
    let listed = fetch_providers(&database).await;
    let instant = |value: &Value| UtcInstant::from(value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap());
    assert_eq!((instant(&listed[0]["paused_until"]), &listed[0]["pause_reason"]), (until, &json!("circuit_open")));
    assert!(instant(&listed[0]["next_tick"]) > until, "the provider is not polled while it is paused");
    assert_eq!((&listed[1]["paused_until"], &listed[1]["pause_reason"]), (&Value::Null, &Value::Null));
}

async fn a_retired_provider_has_no_next_tick(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let provider = insert_provider(&catalogue, "retired", |row| {
        row.last_success_at = Set(Some(minutes_ago(10)));
        row.retired_at = Set(Some(minutes_ago(5)));
    })
    .await;
    catalogue.insert_run(&provider, sync_run::RunState::Failed).await;

    let listed = fetch_only_provider(&database).await;

    assert_eq!((&listed["state"], listed.get("next_tick")), (&json!("retired"), Some(&Value::Null)));
    assert!(listed["age_seconds"].as_u64().unwrap() >= 600, "the copy is still served and its age grows");
}

async fn providers_are_sorted_by_slug_with_their_latest_run(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let mut newest = Vec::new();
    for slug in ["zebra", "apollo", "marquee"] {
        let provider = insert_provider(&catalogue, slug, |_| ()).await;
        catalogue.insert_run(&provider, sync_run::RunState::Succeeded).await;
        newest.push((slug, catalogue.insert_run(&provider, sync_run::RunState::Failed).await.id));
    }
    newest.sort_unstable();

    let listed = fetch_providers(&database).await;

    let listed: Vec<(&str, i64)> = listed
        .iter()
        .map(|provider| (provider["slug"].as_str().unwrap(), provider["last_run"]["id"].as_i64().unwrap()))
        .collect();
    assert_eq!(listed, newest);
}

async fn next_tick_is_a_whole_second_in_the_future(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    insert_provider(&catalogue, "a-ten-minutes", |_| ()).await;
    insert_provider(&catalogue, "b-second", |row| row.schedule = Set("* * * * * *".to_owned())).await;
    insert_provider(&catalogue, "c-past", |row| row.schedule = Set("0 0 0 1 1 * 2020".to_owned())).await;
    insert_provider(&catalogue, "d-broken", |row| row.schedule = Set("not a schedule".to_owned())).await;

    let before = Utc::now();
    let listed = fetch_providers(&database).await;
    let after = Utc::now();

    let tick = |number: usize| listed[number]["next_tick"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    for tick in [tick(0), tick(1)] {
        assert!(tick > before && tick.nanosecond() == 0, "{tick}");
    }
    assert!(tick(0).minute() % 10 == 0 && tick(0).second() == 0 && tick(0) - after <= chrono::TimeDelta::minutes(10));
    assert!(tick(1) - after <= chrono::TimeDelta::seconds(1));
    assert_eq!((listed[2].get("next_tick"), listed[3].get("next_tick")), (Some(&Value::Null), Some(&Value::Null)));
}

async fn feed_urls_are_not_exposed(database: Arc<TestDatabase>) {
    let provider = CatalogueFixture::new(&database).await.insert_provider("fever", "EUR", 2).await;
    assert!(provider.url.contains("secret"));
    let body = TestApp::new(&database).await.get("/providers").await.text();
    assert!(!body.contains("secret") && !body.contains("url") && !body.contains("example"), "{body}");
}

async fn rejects_query_parameters(database: Arc<TestDatabase>) {
    let errors = TestApp::new(&database).await.get("/providers?slug=fever").await.validation_errors();
    assert_eq!(errors, [("slug".to_owned(), "is not a known parameter; this operation accepts none".to_owned())]);
}

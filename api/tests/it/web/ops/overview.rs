//! The overview: what is wrong, since when, and what to do.

use std::sync::Arc;

use entity::{
    ConnectionRole, UtcInstant,
    job::JobState,
    provider,
    sync_run::{self, RunState},
};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, IntoActiveModel};

use super::{
    super::{concert, open, start_app},
    HOSTILE, assert_escaped, insert_job,
};
use crate::{fixtures::CatalogueFixture, test_app::TestApp};

on_every_backend!(
    a_fresh_copy_is_fine,
    each_problem_has_a_section_of_the_runbook,
    a_provider_shows_its_circuit_breaker,
    texts_of_providers_are_never_markup,
    the_overview_is_shown_without_a_database,
    the_most_followed_ticket_links_are_counted,
);

const MINUTE: i64 = 60_000_000;

fn minutes_ago(minutes: i64) -> UtcInstant {
    UtcInstant(UtcInstant::now().0 - minutes * MINUTE)
}

async fn insert_provider(
    catalogue: &CatalogueFixture,
    slug: &str,
    change: impl FnOnce(&mut provider::ActiveModel),
) -> provider::Model {
    let mut row = catalogue.insert_provider(slug, "EUR", 2).await.into_active_model();
    change(&mut row);
    row.update(&catalogue.database).await.unwrap()
}

async fn a_fresh_copy_is_fine(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    assert!(open(&app, "/ops").await.contains("There are no providers yet"));
    insert_provider(&catalogue, "fever", |row| {
        row.last_success_at = Set(Some(minutes_ago(1)));
        row.event_count = Set(7);
        row.name = Set(Some("Fever".to_owned()));
    })
    .await;
    let html = open(&app, "/ops").await;
    assert!(html.contains("Everything works. The database responds, and the copy is up to date."), "{html}");
    assert!(html.contains("verdict good") && html.contains("✓") && html.contains("Fever") && !html.contains("Runbook"), "{html}");
    assert!(html.contains("The first plots appear after 20 seconds"), "{html}");
}

async fn the_most_followed_ticket_links_are_counted(database: Arc<TestDatabase>) {
    let events = ["Once", "Twice & more", "Never"].map(concert);
    let paths = events.each_ref().map(|event| format!("/out/{}", event.row.id));
    let app = start_app(&database, events).await;
    assert!(open(&app, "/ops").await.contains("No ticket link was followed"));
    for path in [&paths[0], &paths[1], &paths[1]] {
        assert_eq!(app.get(path).await.status, 302);
    }
    assert_eq!(app.send(Method::HEAD, &paths[2], &[]).await.status, 302);
    let html = open(&app, "/ops").await;
    let (_, table) = html.split_once("Most followed ticket links").unwrap();
    let rows: Vec<_> = table.split("<tr id=\"followed-").skip(1).collect();
    let expected =
        [("<bdi>Twice &#38; more</bdi>", "<td class=\"number\">2</td>"), ("<bdi>Once</bdi>", "<td class=\"number\">1</td>")];
    assert_eq!(rows.len(), expected.len(), "{table}");
    for (row, (title, times)) in rows.iter().zip(expected) {
        assert!(row.contains(title) && row.contains(times), "{row}");
    }
}

async fn each_problem_has_a_section_of_the_runbook(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    insert_provider(&catalogue, "purged", |row| row.purged_at = Set(Some(minutes_ago(1)))).await;
    insert_provider(&catalogue, "ahead", |row| row.last_success_at = Set(Some(minutes_ago(-60)))).await;
    insert_provider(&catalogue, "outdated", |row| row.last_success_at = Set(Some(minutes_ago(200)))).await;
    insert_provider(&catalogue, "retired", |row| row.retired_at = Set(Some(minutes_ago(1)))).await;
    let failing = insert_provider(&catalogue, "failing", |row| {
        (row.last_success_at, row.failures) = (Set(Some(minutes_ago(20))), Set(3));
    })
    .await;
    catalogue.insert_run(&failing, RunState::Failed).await;
    insert_job(&catalogue.database, "dead", JobState::Dead, None).await;
    insert_job(&catalogue.database, "late", JobState::Queued, None).await;
    let html = open(&TestApp::new(&database).await, "/ops").await;
    assert!(html.contains("3 problems to solve now, 6 in total."), "{html}");
    for (text, section) in [
        ("The catalogue of purged was purged.", "MarqueeProviderStale"),
        ("The age of the copy of ahead is unknown.", "MarqueeProviderStale"),
        ("The copy of outdated should have been updated 3 h ", "MarqueeProviderStale"),
        ("failing: the last 3 runs failed: the provider answered with status 503", "MarqueeProviderStale"),
        ("1 job failed at all attempts.", "MarqueeJobsDead"),
        ("and no worker has started it.", "MarqueeJobsWaiting"),
    ] {
        let problem = html.split("<li class=").find(|item| item.contains(text)).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(problem.contains(&format!("<cite>{section}</cite>")), "{problem}");
    }
    assert!(html.find("outdated should") < html.find("failing: the last"), "the most urgent is the first");
    assert!(html.contains("retired") && html.contains("never"));
}

async fn a_provider_shows_its_circuit_breaker(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    insert_provider(&catalogue, "fever", |row| {
        (row.failures, row.pause_reason) = (Set(6), Set(Some("circuit_open".to_owned())));
        (row.paused_at, row.pause_until) = (Set(Some(minutes_ago(1))), Set(Some(minutes_ago(-10))));
    })
    .await;
    let html = open(&TestApp::new(&database).await, "/ops").await;
    assert!(html.contains("circuit breaker open after 6 failed runs; next attempt in 9 min"), "{html}");
    assert!(html.contains("fever was never copied."));
}

async fn texts_of_providers_are_never_markup(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let provider = insert_provider(&catalogue, "fever", |row| row.name = Set(Some(HOSTILE.to_owned()))).await;
    let mut run = catalogue.insert_run(&provider, RunState::Failed).await.into_active_model();
    run.reason = Set(Some(HOSTILE.to_owned()));
    let _run: sync_run::Model = run.update(&catalogue.database).await.unwrap();
    assert_escaped(&open(&TestApp::new(&database).await, "/ops").await);
}

async fn the_overview_is_shown_without_a_database(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Api).await;
    let app = TestApp::with_connection(connection.clone());
    connection.execute_unprepared("DROP TABLE job").await.unwrap();
    let html = open(&app, "/ops").await;
    assert!(
        html.contains("verdict critical") && html.contains("The state of the copy cannot be read from the database."),
        "{html}"
    );
    assert!(html.contains("MarqueeDatabaseDown"));
}

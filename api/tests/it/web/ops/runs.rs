//! The runs, their plots, and their rejected items.

use std::sync::Arc;

use entity::{reject, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

use super::{
    super::{
        html::{links, tags},
        html_of, open,
    },
    HOSTILE, assert_escaped,
};
use crate::{fixtures::CatalogueFixture, test_app::TestApp};

on_every_backend!(
    runs_are_filtered_and_paged,
    the_plots_have_a_bar_for_each_run,
    a_run_shows_its_release_and_rejects,
    texts_of_feeds_are_never_markup,
);

/// The numbers of the runs of a page, in its order.
fn listed(html: &str) -> Vec<i64> {
    let rows = html.split("<th scope=\"row\"><a href=\"../ops/runs/").skip(1);
    rows.map(|row| row.split('"').next().unwrap().parse().unwrap()).collect()
}

async fn runs_are_filtered_and_paged(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let [fever, london] =
        [catalogue.insert_provider("fever", "EUR", 2).await, catalogue.insert_provider("london", "GBP", 2).await];
    let mut failed = Vec::new();
    for _ in 0..30 {
        catalogue.insert_run(&fever, RunState::Succeeded).await;
        failed.push(catalogue.insert_run(&london, RunState::Failed).await.id);
    }
    failed.reverse();
    let app = TestApp::new(&database).await;
    let first = open(&app, "/ops/runs").await;
    assert_eq!(listed(&first).len(), 50);
    let older = links("/ops/runs", &first).into_iter().find(|link| link.contains("cursor=")).unwrap();
    let second = open(&app, &older).await;
    assert_eq!(listed(&second).len(), 10);
    assert!(listed(&first).last() > listed(&second).first());
    assert!(!second.contains("Older runs") && second.contains("Newest runs"));
    let filtered = open(&app, "/ops/runs?provider=london&state=failed").await;
    assert_eq!(listed(&filtered), failed);
    assert!(filtered.contains("<option selected>london</option>") && filtered.contains("<option selected>failed</option>"));
    assert!(open(&app, "/ops/runs?provider=london&state=succeeded").await.contains("No runs match."));
    let error = html_of(&app.get("/ops/runs?state=done").await, 400);
    assert!(error.contains("must be one of queued, running, succeeded, unchanged, failed"), "{error}");
}

async fn the_plots_have_a_bar_for_each_run(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    for state in [RunState::Succeeded, RunState::Failed, RunState::Queued] {
        catalogue.insert_run(&fever, state).await;
    }
    let html = open(&TestApp::new(&database).await, "/ops/runs").await;
    let tags = tags(&html);
    let bars = |class: &str| tags.iter().filter(|tag| tag.name == "rect" && tag.get("class") == Some(class)).count();
    assert_eq!((bars("good"), bars("critical"), bars("pending")), (1, 1, 0), "a queued run has no duration");
    assert_eq!(["inserted", "updated", "left", "rejected"].map(bars), [3; 4]);
    assert_eq!(tags.iter().filter(|tag| tag.name == "path" && tag.get("class") == Some("failed")).count(), 1);
    assert!(html.contains("at most 1.2 s") && html.contains("at most 12:"), "{html}");
}

async fn a_run_shows_its_release_and_rejects(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let mut run = catalogue.insert_run(&fever, RunState::Succeeded).await.into_active_model();
    (run.release, run.changes) = (Set(Some(1_207)), Set(Some("{\"price_changed\":3}".to_owned())));
    let run = run.update(&catalogue.database).await.unwrap();
    catalogue.insert_rejects(&run, 60).await;
    let app = TestApp::new(&database).await;
    let path = format!("/ops/runs/{}", run.id);
    let html = open(&app, &path).await;
    assert!(html.contains("version 1207") && html.contains("<code>price_changed</code></dt><dd>3 logged"), "{html}");
    assert_eq!(html.matches("<pre ").count(), 50);
    assert!(html.contains("line 3, column 7, item <bdi>291 / 1642</bdi>"), "{html}");
    let next = links(&path, &html).into_iter().find(|link| link.contains("cursor=")).unwrap();
    assert_eq!(open(&app, &next).await.matches("<pre ").count(), 10);
    assert!(open(&app, &format!("{path}?severity=warning")).await.contains("None."));
    html_of(&app.get("/ops/runs/0").await, 404);
    html_of(&app.get("/ops/runs/x").await, 400);
}

async fn texts_of_feeds_are_never_markup(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let mut run = catalogue.insert_run(&fever, RunState::Failed).await.into_active_model();
    run.reason = Set(Some(HOSTILE.to_owned()));
    let run = run.update(&catalogue.database).await.unwrap();
    let row = reject::Model {
        sync_run_id: run.id,
        position: 0,
        line: 1,
        column: 1,
        base_event_source_id: Some(HOSTILE.to_owned()),
        event_source_id: None,
        reason: HOSTILE.to_owned(),
        raw: format!("{HOSTILE}{}", "x".repeat(10_000)),
        severity: reject::Severity::Error,
    };
    reject::Entity::insert(row.into_active_model()).exec_without_returning(&catalogue.database).await.unwrap();
    let app = TestApp::new(&database).await;
    for path in ["/ops/runs".to_owned(), format!("/ops/runs/{}", run.id)] {
        let html = open(&app, &path).await;
        assert_escaped(&html);
        assert!(!html.contains(&"x".repeat(2_001)), "long texts are truncated");
    }
}

//! Jobs, their retry, and batches of prices.

use std::sync::Arc;

use entity::job::JobState;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::EntityTrait;

use super::{
    super::{html_of, open},
    HOSTILE, assert_escaped, insert_job, token_of,
};
use crate::{
    fixtures::CatalogueFixture,
    rates::{CsvBatch, import_batch, put_places},
    test_app::TestApp,
};

on_every_backend!(jobs_are_counted_and_listed, a_dead_job_is_retried, batches_are_listed_with_their_state);

async fn jobs_are_counted_and_listed(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    assert!(open(&app, "/ops/jobs").await.contains("There is nothing to do"));
    insert_job(&catalogue.database, "a", JobState::Dead, Some(HOSTILE)).await;
    for key in ["b", "c"] {
        insert_job(&catalogue.database, key, JobState::Queued, None).await;
    }
    let html = open(&app, "/ops/jobs").await;
    let counts = "<code>sync</code></th><td class=\"number\">1</td><td class=\"number\">0</td><td class=\"number\">2</td>";
    assert!(html.contains(counts), "{html}");
    assert!(html.contains("Dead jobs") && html.contains("Queued jobs") && !html.contains("Running jobs"));
    assert!(html.contains("MarqueeJobsDead") && html.contains("5 of 5"));
    assert_escaped(&html);
}

async fn a_dead_job_is_retried(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let job = insert_job(&catalogue.database, "a", JobState::Dead, Some("disk full")).await;
    let app = TestApp::new(&database).await;
    let body = format!("token={}", token_of(&open(&app, "/ops/jobs").await));
    let form = || ("application/x-www-form-urlencoded", body.clone());
    let response = app.upload(Method::POST, &format!("/ops/jobs/{}/retry", job.id), form(), &[]).await;
    assert_eq!((response.status.as_u16(), response.header("location")), (303, Some(&*format!("../../jobs?retried={}", job.id))));
    let stored = entity::job::Entity::find_by_id(job.id).one(&catalogue.database).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.attempt), (JobState::Queued, 0));
    let html = open(&app, &format!("/ops/jobs?retried={}", job.id)).await;
    assert!(html.contains(&format!("Job {} will be retried now.", job.id)) && !html.contains("Dead jobs"), "{html}");

    let response = app.upload(Method::POST, &format!("/ops/jobs/{}/retry", job.id), form(), &[]).await;
    assert!(html_of(&response, 404).contains("dead job"), "it is queued");
    let response = app.upload(Method::POST, &format!("/ops/jobs/{}/retry", job.id + 1), form(), &[]).await;
    assert!(html_of(&response, 404).contains("dead job"));
    let response = app.send(Method::GET, &format!("/ops/jobs/{}/retry", job.id), &[]).await;
    html_of(&response, 405);
    assert_eq!(response.header("allow"), Some("POST, OPTIONS"));
}

async fn batches_are_listed_with_their_state(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    put_places(&app, &[], &[("AAAAA", ""), ("BBBBB", "")]).await;
    assert!(open(&app, "/ops/jobs").await.contains("No batch was imported."));
    for price in ["1", "2"] {
        import_batch(&app, &CsvBatch::default().add("AAAAA", "BBBBB", "2021-01-30", price)).await;
    }
    assert_eq!(app.send(Method::DELETE, "/rates/batches/1", &[]).await.status, 204);
    let html = open(&app, "/ops/jobs").await;
    let state = |id: u32| html.split(&format!("<th scope=\"row\">{id}</th><td>")).nth(1).unwrap()[..8].to_owned();
    assert_eq!((state(1).as_str(), state(2).as_str()), ("deleted ", "imported"));
}

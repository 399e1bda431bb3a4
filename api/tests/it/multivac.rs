//! The MultiVAC probe in the API: accepted data are queued, and processed data are returned.

use std::sync::Arc;

use entity::{UtcInstant, datum, job};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, EntityTrait, IntoActiveModel, PaginatorTrait};

use crate::test_app::{TestApp, TestResponse};

on_every_backend!(
    a_datum_is_queued_before_the_response,
    returns_the_latest_processed_datum,
    rejects_invalid_data,
    a_full_queue_rejects_data,
);

const FORM: &str = "application/x-www-form-urlencoded";

async fn post_datum(app: &TestApp, form: impl Into<poem::Body>) -> TestResponse {
    app.upload(Method::POST, "/multivac/data", (FORM, form), &[]).await
}

async fn fetch_response(app: &TestApp) -> String {
    let response = app.get("/multivac").await;
    assert_eq!((response.status.as_u16(), response.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    response.text()
}

async fn mark_processed(database: &DatabaseConnection, id: i64) {
    let datum = datum::Entity::find_by_id(id).one(database).await.unwrap().unwrap();
    let mut datum = datum.into_active_model();
    datum.processed_at = Set(Some(UtcInstant::now()));
    datum.update(database).await.unwrap();
}

async fn a_datum_is_queued_before_the_response(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    assert_eq!(fetch_response(&app).await, "INSUFFICIENT DATA FOR MEANINGFUL ANSWER.");
    let response = post_datum(&app, "data=How+may+entropy%20be%20reversed%3F+%C3%A9").await;
    assert_eq!((response.status.as_u16(), response.text()), (200, r#"{"response":"MultiVAC updated!"}"#.to_owned()));
    let jobs = job::queue::list(&connection).await.unwrap();
    assert_eq!(jobs.iter().map(|job| (job.kind.as_str(), job.payload.as_str())).collect::<Vec<_>>(), [("datum", "1")]);
    let listed = app.get("/zzz").await.json()["data"]["data"].clone();
    assert_eq!(listed[0]["data"], "How may entropy be reversed? é");
    assert!(listed[0]["processed_at"].is_null() && listed[0]["accepted_at"].is_string(), "{listed}");
    assert_eq!(fetch_response(&app).await, "INSUFFICIENT DATA FOR MEANINGFUL ANSWER.", "not yet");
}

async fn returns_the_latest_processed_datum(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    for data in ["one", "two", "three"] {
        assert_eq!(post_datum(&app, format!("data={data}")).await.status, 200);
    }
    for (id, latest) in [(2, "two"), (1, "two"), (3, "three")] {
        mark_processed(&connection, id).await;
        assert_eq!(fetch_response(&app).await, latest);
    }
    let first = app.get("/zzz?limit=2").await;
    let ids = |response: &TestResponse| {
        response.json()["data"]["data"].as_array().unwrap().iter().map(|datum| datum["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), [3, 2]);
    assert_eq!(ids(&app.get(&first.next().unwrap()).await), [1]);
}

async fn rejects_invalid_data(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for form in ["", "data=", "datum=x", "data", "data=%00"] {
        assert_eq!(post_datum(&app, form).await.validation_errors()[0].0, "data", "{form}");
    }
    let longest = "x".repeat(65_536);
    assert_eq!(post_datum(&app, format!("data={longest}")).await.status, 200);
    post_datum(&app, format!("data={longest}x")).await.problem(413, "body_too_large");
    post_datum(&app, format!("data={}", "%78".repeat(80_000))).await.problem(413, "body_too_large");
    let json = app.upload(Method::POST, "/multivac/data", ("application/json", "{\"data\":\"x\"}"), &[]).await;
    json.problem(415, "unsupported_media_type");
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    assert_eq!(datum::Entity::find().count(&connection).await.unwrap(), 1);
}

async fn a_full_queue_rejects_data(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    let waiting_datum =
        |_| datum::ActiveModel { data: Set("x".to_owned()), accepted_at: Set(UtcInstant::now()), ..Default::default() };
    for _ in 0..10 {
        datum::Entity::insert_many((0..1_000).map(waiting_datum)).exec_without_returning(&connection).await.unwrap();
    }
    let response = post_datum(&app, "data=x").await;
    response.problem(503, "queue_full");
    assert_eq!(response.header("retry-after"), Some("10"));
    mark_processed(&connection, 1).await;
    assert_eq!(post_datum(&app, "data=x").await.status, 200);
}

//! Errors of pages.

use std::sync::Arc;

use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{DatabaseConnection, prelude::Uuid};

use super::{html::submit, html_of, open};
use crate::test_app::TestApp;

on_every_backend!(an_unknown_event_is_a_page, an_unavailable_database_is_a_page);

fn app_without_database() -> TestApp {
    TestApp::with_connection(DatabaseConnection::default())
}

async fn an_unknown_event_is_a_page(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let response = app.get(&format!("/e/{}", Uuid::nil())).await;
    assert!(html_of(&response, 404).contains("<h1>Not found</h1>"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(open(&app, "/").await.contains("There are no upcoming events"));
}

async fn an_unavailable_database_is_a_page(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Api).await;
    connection.clone().close().await.unwrap();
    let app = TestApp::with_connection(connection);
    for path in ["/".to_owned(), format!("/e/{}", Uuid::nil())] {
        let response = app.get(&path).await;
        assert!(html_of(&response, 503).contains("try again"), "{}", response.text());
        assert_eq!(response.header("retry-after"), Some("2"));
    }
}

#[tokio::test]
async fn invalid_parameters_remain_in_the_form() {
    let app = app_without_database();
    let response = app.get("/?city=Madrid&min_price=cheap&nope=%22%3E%3Cb%3E&sort=price").await;
    let html = html_of(&response, 400);
    assert!(html.contains("&#34;min_price&#34; must be a price such as 30 or 27.50, got &#34;cheap&#34;"), "{html}");
    assert!(html.contains("&#34;nope&#34; is not a known parameter") && !html.contains("<b>"), "{html}");
    let query = submit(&html);
    for pair in ["city=Madrid", "min_price=cheap", "sort=price"] {
        assert!(query.contains(pair), "{pair}: {query}");
    }
    assert!(!query.contains("nope"), "what the form cannot correct is not sent again: {query}");
}

#[tokio::test]
async fn other_errors_are_pages_with_their_headers() {
    let app = app_without_database();
    assert!(html_of(&app.get("/e/1642").await, 400).contains("must be a UUID"));
    let response = app.send(Method::POST, "/", &[]).await;
    html_of(&response, 405);
    assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
    let response = app.get(&format!("/e/{}", Uuid::nil())).await;
    let id = response.header("x-request-id").unwrap().to_owned();
    assert!(html_of(&response, 500).contains(&id), "a panic, because there is no database");
    let unknown = app.get("/e/x/y").await;
    unknown.problem(404, "path_not_found");
}

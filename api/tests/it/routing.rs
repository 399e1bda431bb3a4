//! Unknown paths, unsupported methods, panics, documentation pages and request ids.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{DatabaseConnection, prelude::Uuid};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::TestApp,
};

on_every_backend!(a_rejected_method_changes_nothing);

const PATHS: [&str; 7] = ["/search", "/providers", "/livez", "/readyz", "/events/x/rates", "/openapi.json", "/docs"];

fn app_without_database() -> TestApp {
    TestApp::with_connection(DatabaseConnection::default())
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let app = app_without_database();
    for path in ["/unknown", "/unknown/", "/Search", "/Events", "/events/x/y"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let problem = app.send(method, path, &[]).await.problem(404, "path_not_found");
            assert_eq!(problem["errors"], serde_json::json!([]), "{path}");
            assert!(problem["detail"].as_str().unwrap().contains("/docs"));
        }
    }
}

#[tokio::test]
async fn an_unsupported_method_is_405_with_allow() {
    let app = app_without_database();
    for path in PATHS {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE, Method::CONNECT] {
            let response = app.send(method.clone(), path, &[]).await;
            assert_eq!(response.status, 405, "{method} {path}");
            response.problem(405, "method_not_allowed");
            assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn swagger_ui_and_openapi_json_are_served() {
    let app = app_without_database();
    let ui = app.get("/docs").await;
    assert_eq!(ui.status, 200);
    assert!(ui.header("content-type").unwrap().starts_with("text/html"));
    assert!(ui.text().contains("SwaggerUIBundle"));
    app.get("/docs/unknown").await.problem(404, "path_not_found");
    assert_eq!(app.send(Method::HEAD, "/docs", &[]).await.status, 200);
    assert_eq!(app.send(Method::HEAD, "/openapi.json", &[]).await.status, 200);
}

#[tokio::test]
async fn every_response_has_a_unique_request_id() {
    let app = app_without_database();
    let mut seen: Vec<String> = Vec::new();
    for path in ["/livez", "/livez", "/search?limit=x", "/unknown", "/openapi.json", "/docs"] {
        let response = app.get(path).await;
        let id = response.header("x-request-id").unwrap();
        assert!(id.parse::<Uuid>().is_ok(), "{id}");
        assert!(!seen.contains(&id.to_owned()));
        seen.push(id.to_owned());
    }
}

#[tokio::test]
async fn a_valid_client_request_id_is_echoed() {
    let app = app_without_database();
    for id in ["a", "4bf92f3577b34da6a3ce929d0e0e4736", "Root-1_x.2", &"x".repeat(128)] {
        let success = app.send(Method::GET, "/livez", &[("X-Request-Id", id)]).await;
        assert_eq!(success.header("x-request-id"), Some(id));
        let error = app.send(Method::GET, "/unknown", &[("x-request-id", id)]).await;
        assert_eq!(error.problem(404, "path_not_found")["request_id"], id);
    }
}

#[tokio::test]
async fn an_invalid_client_request_id_is_replaced() {
    let app = app_without_database();
    for id in ["", " ", "two words", "a\tb", "<script>", "id\"quoted\"", "naïve", "a,b", &"x".repeat(129)] {
        let response = app.send(Method::GET, "/unknown", &[("X-Request-Id", id)]).await;
        response.problem(404, "path_not_found");
        let replacement = response.header("x-request-id").unwrap();
        assert!(replacement.parse::<Uuid>().is_ok(), "{id} became {replacement}");
    }
}

/// Without a connection the driver panics, as any bug could.
#[tokio::test]
async fn a_panic_is_a_500_problem() {
    let app = app_without_database();
    let response = app.get(&format!("/events/{}", Uuid::nil())).await;
    let problem = response.problem(500, "internal_error");
    assert_eq!(
        problem["detail"], "an internal error occurred; quote the request id when you report it",
        "the cause is not exposed"
    );
    assert_eq!(app.get("/livez").await.status, 200, "the process keeps running");
}

async fn a_rejected_method_changes_nothing(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("show");
    let path = format!("/events/{}", event.row.id);
    CatalogueFixture::new(&database).await.insert([event]).await;
    let app = TestApp::new(&database).await;

    let response = app.send(Method::PUT, &path, &[]).await;

    response.problem(405, "method_not_allowed");
    assert_eq!(response.header("allow"), Some("GET, DELETE, HEAD, OPTIONS"));
    assert_eq!(app.get(&path).await.status, 200);
}

//! What the framework would answer by itself: no such path, no such method, a fault of ours. And the id of every request.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{DatabaseConnection, prelude::Uuid};

use crate::{
    catalogue::{Catalogue, NewEvent},
    service::Service,
};

on_every_backend!(a_refused_method_changes_nothing);

const PATHS: [&str; 7] = ["/search", "/providers", "/livez", "/readyz", "/events/x", "/openapi.json", "/docs"];

fn service_without_database() -> Service {
    Service::over(DatabaseConnection::default())
}

#[tokio::test]
async fn a_path_that_is_not_there_is_404() {
    let service = service_without_database();
    for path in ["/", "/search/", "/nope", "/Search", "//search", "/events", "/events/", "/events/x/y", "/livez/"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let problem = service.send(method, path, &[]).await.problem(404, "path_not_found");
            assert_eq!(problem["errors"], serde_json::json!([]), "{path}");
            assert!(problem["detail"].as_str().unwrap().contains("/docs"));
        }
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_405_and_allow_names_those_it_takes() {
    let service = service_without_database();
    for path in PATHS {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            let answer = service.send(method.clone(), path, &[]).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            answer.problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_documents_are_there() {
    let service = service_without_database();
    let ui = service.get("/docs").await;
    assert_eq!(ui.status, 200);
    assert!(ui.header("content-type").unwrap().starts_with("text/html"));
    assert!(ui.text().contains("SwaggerUIBundle"));
    service.get("/docs/nope").await.problem(404, "path_not_found");
    assert_eq!(service.send(Method::HEAD, "/docs", &[]).await.status, 200);
    assert_eq!(service.send(Method::HEAD, "/openapi.json", &[]).await.status, 200);
}

#[tokio::test]
async fn every_answer_carries_an_id_of_its_own() {
    let service = service_without_database();
    let mut seen: Vec<String> = Vec::new();
    for path in ["/livez", "/livez", "/search?limit=x", "/nope", "/openapi.json", "/docs"] {
        let answer = service.get(path).await;
        let id = answer.header("x-request-id").unwrap();
        assert!(id.parse::<Uuid>().is_ok(), "{id}");
        assert!(!seen.contains(&id.to_owned()));
        seen.push(id.to_owned());
    }
}

#[tokio::test]
async fn a_short_plain_id_of_the_client_is_kept() {
    let service = service_without_database();
    for id in ["a", "4bf92f3577b34da6a3ce929d0e0e4736", "Root-1_x.2", &"x".repeat(128)] {
        let good = service.send(Method::GET, "/livez", &[("X-Request-Id", id)]).await;
        assert_eq!(good.header("x-request-id"), Some(id));
        let bad = service.send(Method::GET, "/nope", &[("x-request-id", id)]).await;
        assert_eq!(bad.problem(404, "path_not_found")["request_id"], id);
    }
}

#[tokio::test]
async fn an_odd_id_of_the_client_is_replaced() {
    let service = service_without_database();
    for id in ["", " ", "two words", "a\tb", "<script>", "id\"quoted\"", "naïve", "a,b", &"x".repeat(129)] {
        let answer = service.send(Method::GET, "/nope", &[("X-Request-Id", id)]).await;
        answer.problem(404, "path_not_found");
        let given = answer.header("x-request-id").unwrap();
        assert!(given.parse::<Uuid>().is_ok(), "{id} became {given}");
    }
}

/// Without a connection at all the driver panics, as a fault in our own code would.
#[tokio::test]
async fn a_panic_is_500_in_the_shape_of_all_errors() {
    let service = service_without_database();
    let answer = service.get(&format!("/events/{}", Uuid::nil())).await;
    let problem = answer.problem(500, "internal_error");
    assert_eq!(
        problem["detail"], "an internal error occurred; quote the request id when you report it",
        "the client hears nothing of the cause"
    );
    assert_eq!(service.get("/livez").await.status, 200, "the process goes on");
}

async fn a_refused_method_changes_nothing(database: Arc<TestDatabase>) {
    let event = NewEvent::titled("show");
    let path = format!("/events/{}", event.row.id);
    Catalogue::of(&database).await.insert([event]).await;
    let service = Service::on(&database).await;

    let answer = service.send(Method::DELETE, &path, &[]).await;

    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    assert_eq!(service.get(&path).await.status, 200);
}

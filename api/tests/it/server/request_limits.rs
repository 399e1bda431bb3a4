//! Limits of request heads and bodies.

use api::server::{Limits, MAX_BODY_BYTES};
use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use poem::http::{Method, StatusCode};

use super::TestServer;
use crate::test_app::TestApp;

#[tokio::test]
async fn an_oversized_head_is_rejected_with_a_response() {
    let server = TestServer::start(Limits::default()).await;
    for (request, status) in [
        (format!("GET /a HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000)), "431"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)), "414"),
        (format!("GET /a HTTP/1.1\r\n{}\r\n", "X-Many: 1\r\n".repeat(200)), "431"),
    ] {
        let mut connection = server.connect().await;
        connection.send(&request).await;
        // The server reads and discards the rest, because closing with unread data would reset the connection.
        let response = String::from_utf8(connection.read_to_end().await.unwrap()).unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{response}");
    }
    let mut connection = server.connect().await;
    connection.send(&format!("GET /a HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(16_000))).await;
    assert_eq!(connection.read_response().await.1, "/a", "16 KB is within the limit");
    connection.send(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000))).await;
    let response = String::from_utf8(connection.read_to_end().await.unwrap()).unwrap();
    assert!(response.starts_with("HTTP/1.1 414"), "the second request of a connection: {response}");
}

#[tokio::test]
async fn an_oversized_body_is_rejected() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let app = TestApp::with_connection(database.connect(ConnectionRole::Api).await);
    let send = async |bytes: u64| app.send(Method::GET, "/livez", &[("content-length", &bytes.to_string())]).await;
    send(MAX_BODY_BYTES + 1).await.problem(413, "body_too_large");
    assert_eq!(send(MAX_BODY_BYTES).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_unread_body_does_not_affect_the_response() {
    let server = TestServer::start(Limits::default()).await;
    let mut connection = server.connect().await;
    connection.send("GET /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let (head, body) = connection.read_response().await;
    assert!(head.starts_with("http/1.1 200") && body == "/a", "{head}");
    let mut connection = server.connect().await;
    connection.send("GET /a HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(connection.read_response().await.1, "/a");
    assert_eq!(connection.get("/b").await.1, "/b", "a small body is discarded");
}

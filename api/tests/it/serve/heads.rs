//! Requests that are too large, and what their clients hear of it.

use api::server::{Limits, MAX_BODY_BYTES};
use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use poem::http::{Method, StatusCode};

use super::Served;
use crate::service::Service;

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_its_client_hears_so() {
    let served = Served::with(Limits::default()).await;
    for (request, status) in [
        (format!("GET /a HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000)), "431"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)), "4"),
        (format!("GET /a HTTP/1.1\r\n{}\r\n", "X-Many: 1\r\n".repeat(200)), "431"),
    ] {
        let mut line = served.connect().await;
        line.send(&request).await;
        // Not all of it is read: to close without reading the rest would reset the connection.
        let answer = String::from_utf8(line.rest().await.unwrap()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    let mut line = served.connect().await;
    line.send(&format!("GET /a HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(16_000))).await;
    assert_eq!(line.answer().await.1, "/a", "16 KB are what other servers take");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let service = Service::over(database.connect(ConnectionRole::Api).await);
    let send = async |bytes: u64| service.send(Method::GET, "/livez", &[("content-length", &bytes.to_string())]).await;
    send(MAX_BODY_BYTES + 1).await.problem(413, "body_too_large");
    assert_eq!(send(MAX_BODY_BYTES).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_nobody_reads_costs_the_connection_and_not_the_answer() {
    let served = Served::with(Limits::default()).await;
    let mut line = served.connect().await;
    line.send("GET /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let (head, body) = line.answer().await;
    assert!(head.starts_with("http/1.1 200") && body == "/a", "{head}");
    let mut line = served.connect().await;
    line.send("GET /a HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(line.answer().await.1, "/a");
    assert_eq!(line.get("/b").await.1, "/b", "a small body is passed over");
}

//! `OPS_LISTEN`: the pages of operators and the metrics on an address of their own.

use std::net::SocketAddr;

use api::State;
use poem::{Endpoint, EndpointExt, Request, http::StatusCode};
use sea_orm::DatabaseConnection;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    api_process::{RunningApi, create_sqlite_database},
    test_app::TestApp,
};

/// Paths of which the first address has none.
const OPERATIONS: [&str; 4] = ["/ops", "/ops/runs", "/metrics", "/ops/"];

fn state() -> State {
    State::new(DatabaseConnection::default(), DatabaseConnection::default(), 0, None)
}

#[tokio::test]
async fn the_public_address_does_not_have_the_pages() {
    let app = TestApp::with_state(&State { has_operations_address: true, ..state() });
    for path in OPERATIONS {
        app.get(path).await.problem(404, "path_not_found");
    }
    assert_eq!(app.get("/docs").await.status, 200);
    assert_eq!(app.get("/livez").await.status, 200);
}

#[tokio::test]
async fn the_address_of_operators_has_nothing_else() {
    let app = api::operations_app(state()).boxed();
    let get = async |path: &str| {
        let request = Request::builder().uri(path.parse().unwrap()).header("host", "localhost").finish();
        app.call(request).await.unwrap()
    };
    for path in ["/docs", "/search", "/events", "/providers", "/openapi.json", "/mcp", "/e/1"] {
        assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/livez", "/favicon.ico", "/ops/dry-runs?unknown=1"] {
        assert_ne!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let root = get("/").await;
    assert_eq!((root.status().as_u16(), root.headers()["location"].to_str().unwrap()), (307, "ops"));
}

/// The status of a GET.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn the_process_listens_on_both_addresses() {
    let (_database, url) = create_sqlite_database().await;
    let process = RunningApi::start(&url, &["--ops-listen", "127.0.0.1:0"]).await;
    let operations = process.first_line.split("ops.listen=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    for path in ["/ops", "/metrics"] {
        assert_eq!(get(process.address, path).await, "404", "{path}");
    }
    for path in ["/ops", "/ops/jobs", "/metrics", "/livez", "/readyz"] {
        assert_eq!(get(operations, path).await, "200", "{path}");
    }
    assert_eq!(get(operations, "/search").await, "404");
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

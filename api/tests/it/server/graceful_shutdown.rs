//! Graceful shutdown: accepted requests are completed, and idle connections are closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::{
    State,
    server::{Limits, Readiness},
};
use entity::ConnectionRole;
use migration::testing::{Backend, TestDatabase};
use tokio::net::TcpStream;

use super::{ClientConnection, TestServer, within_timeout};
use crate::{recorder::RecordedMetrics, test_app::TestApp};

/// Longer than the timeout of the tests, so that a shutdown that waits for it fails.
const NEVER: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn requests_are_served_during_the_drain_delay() {
    let server = TestServer::start(Limits { drain_delay: Duration::from_millis(800), ..Limits::default() }).await;
    let mut open = server.connect().await;
    let (head, _) = open.get("/a").await;
    assert!(!head.contains("connection: close"), "{head}");
    assert!(!server.readiness.is_draining());

    server.shutdown.cancel();
    within_timeout(async {
        while !server.readiness.is_draining() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for connection in [&mut open, &mut server.connect().await] {
        let (head, body) = connection.get("/b").await;
        assert!(head.contains("connection: close") && body == "/b", "{head}");
        assert_eq!(connection.read_to_end().await.unwrap(), b"");
    }
    let address = server.address;
    assert!(server.wait().await >= Duration::from_millis(300));
    assert!(TcpStream::connect(address).await.is_err(), "the listener is still open");
}

#[tokio::test]
async fn in_flight_requests_are_completed() {
    let server = TestServer::start(Limits { drain_time: NEVER, ..Limits::default() }).await;
    let mut connections = [server.connect().await, server.connect().await];
    for connection in &mut connections {
        connection.send_get("/gate").await;
    }
    server.wait_for_requests(2).await;
    server.shutdown.cancel();
    within_timeout(async { while TcpStream::connect(server.address).await.is_ok() {} }).await;
    server.endpoint.gate.add_permits(2);
    for mut connection in connections {
        let (head, body) = connection.read_response().await;
        assert!(head.contains("connection: close") && body == "opened", "{head}");
    }
    server.wait().await;
}

#[tokio::test]
async fn idle_connections_are_closed_cleanly() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let server = TestServer::start(Limits { drain_time: NEVER, ..Limits::default() }).await;
    let mut used = server.connect().await;
    used.get("/a").await;
    let mut fresh = server.connect().await;
    server.shutdown.cancel();
    assert_eq!(used.read_to_end().await.unwrap(), b"");
    assert_eq!(fresh.read_to_end().await.unwrap(), b"");
    drop((used, fresh));
    server.wait().await;
    assert_eq!(metrics_recorder.counter("marquee_http_connections_closed_total{reason=drain}"), 2);
}

/// Connection pools notice a closed connection only when they use it.
#[tokio::test]
async fn clients_that_never_close_do_not_delay_shutdown() {
    let server = TestServer::start(Limits { drain_time: NEVER, ..Limits::default() }).await;
    let mut unread = server.connect().await;
    unread.get("/a").await;
    server.shutdown.cancel();
    server.wait().await;
}

#[tokio::test]
async fn requests_that_exceed_the_drain_time_are_aborted() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let server = TestServer::start(Limits { drain_time: Duration::from_millis(500), ..Limits::default() }).await;
    let mut connection = server.connect().await;
    connection.send_get("/gate").await;
    server.wait_for_requests(1).await;
    let cancelled = server.endpoint.cancelled.clone();
    server.shutdown.cancel();
    server.wait().await;
    assert_eq!(cancelled.available_permits(), 1, "the request was not cancelled");
    assert!(connection.read_to_end().await.map_or(true, |rest| rest.is_empty()));
    assert_eq!(metrics_recorder.counter("marquee_http_connections_closed_total{reason=drain}"), 1);
}

/// The kernel has accepted these connections, but all slots of the process are in use.
#[tokio::test]
async fn clients_in_the_accept_backlog_are_served() {
    let server = TestServer::start(Limits { connections: 1, drain_time: NEVER, ..Limits::default() }).await;
    let mut holder = server.connect().await;
    holder.send_get("/gate").await;
    server.wait_for_requests(1).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut connection = server.connect().await;
        connection.send_get("/a").await;
        waiting.push(connection);
    }
    server.shutdown.cancel();
    server.endpoint.gate.add_permits(1);
    assert_eq!(holder.read_response().await.1, "opened");
    drop(holder);
    for mut connection in waiting {
        assert_eq!(connection.read_response().await.1, "/a");
    }
    server.wait().await;
}

#[tokio::test]
async fn a_partially_received_head_is_completed() {
    let server = TestServer::start(Limits { drain_time: NEVER, ..Limits::default() }).await;
    let mut connection = server.connect().await;
    connection.get("/a").await;
    connection.send("GET /b HT").await;
    let mut other = server.connect().await;
    other.get("/a").await;
    server.shutdown.cancel();
    assert_eq!(other.read_to_end().await.unwrap(), b"", "idle connections are closed");
    connection.send("TP/1.1\r\nHost: test\r\n\r\n").await;
    let (head, body) = connection.read_response().await;
    assert!(head.contains("connection: close") && body == "/b", "{head}");
    drop((connection, other));
    server.wait().await;
}

#[tokio::test]
async fn a_draining_process_is_not_ready_but_serves_requests() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let readiness = Readiness::default();
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State { readiness: readiness.clone(), ..State::new(reads, watch, 0, None) };
    let app = TestApp::with_state(&state);
    assert_eq!(app.get("/readyz").await.status, 200);

    readiness.begin_drain();

    let response = app.get("/readyz").await;
    response.problem(503, "shutting_down");
    assert_eq!(response.header("retry-after"), Some("2"));
    for path in ["/livez", "/search"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn many_connections_drain_without_losing_requests() {
    let server = Arc::new(TestServer::start(Limits { drain_delay: Duration::from_millis(500), ..Limits::default() }).await);
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let (address, answered) = (server.address, Arc::new(AtomicUsize::new(0)));
            let counted = answered.clone();
            let requests = async move {
                super::process::send_requests_until_closed(&mut ClientConnection::open(address).await, "/a", &counted).await;
            };
            (tokio::spawn(requests), answered)
        })
        .collect();
    within_timeout(async {
        while clients.iter().any(|(_, answered)| answered.load(Ordering::Relaxed) == 0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.shutdown.cancel();
    for (client, answered) in clients {
        within_timeout(client).await.unwrap();
        assert!(answered.load(Ordering::Relaxed) > 0);
    }
}

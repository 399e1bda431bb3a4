//! Timeouts of slow and idle clients.

use std::time::Duration;

use api::server::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, interval},
};

use super::{ClientConnection, TestServer, within_timeout};
use crate::recorder::RecordedMetrics;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_millis(1500);

fn count_closed(metrics_recorder: &RecordedMetrics, reason: &str) -> u64 {
    metrics_recorder.counter(&format!("marquee_http_connections_closed_total{{reason={reason}}}"))
}

/// Sends single bytes until the server closes the connection, and returns how long that took.
async fn send_slowly(connection: &mut ClientConnection, bytes: &[u8]) -> Duration {
    let started = Instant::now();
    let (mut reader, mut writer) = connection.0.split();
    let send = async {
        let mut pauses = interval(Duration::from_millis(20));
        for byte in bytes.iter().cycle() {
            pauses.tick().await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    let mut end = Vec::new();
    within_timeout(async {
        tokio::select! {
            () = send => {}
            _ = reader.read_to_end(&mut end) => {}
        }
    })
    .await;
    started.elapsed()
}

#[tokio::test]
async fn slow_request_heads_time_out() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let server = TestServer::start(Limits { head_time: SHORT, idle_time: LONG * 100, ..Limits::default() }).await;

    let mut connection = server.connect().await;
    connection.send("GET /a HTTP/1.1\r\nX-Slow: ").await;
    let lasted = send_slowly(&mut connection, b"a").await;
    assert!(lasted >= SHORT, "{lasted:?}");
    assert_eq!(count_closed(&metrics_recorder, "header"), 1);

    // The timeout of a later request starts with its first byte.
    let mut connection = server.connect().await;
    assert_eq!(connection.get("/a").await.1, "/a");
    let lasted = send_slowly(&mut connection, b"G").await;
    assert!(lasted >= SHORT, "{lasted:?}");
    assert_eq!(count_closed(&metrics_recorder, "header"), 2);
}

#[tokio::test]
async fn idle_connections_are_closed_after_the_idle_timeout() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let server = TestServer::start(Limits { head_time: SHORT, idle_time: LONG, ..Limits::default() }).await;

    let mut fresh = server.connect().await;
    let mut used = server.connect().await;
    assert_eq!(used.get("/a").await.1, "/a");
    let (fresh_lasted, used_lasted) = tokio::join!(fresh.wait_for_close(), used.wait_for_close());
    for lasted in [fresh_lasted, used_lasted] {
        assert!(lasted >= LONG - Duration::from_millis(100), "an idle connection was closed early, after {lasted:?}");
    }
    assert_eq!(count_closed(&metrics_recorder, "idle"), 2);
    assert_eq!(count_closed(&metrics_recorder, "header"), 0);
}

#[tokio::test]
async fn each_request_restarts_the_idle_timeout() {
    // The pauses between requests are much shorter than the timeout, and their sum is longer.
    let idle_time = Duration::from_secs(5);
    let server = TestServer::start(Limits { idle_time, ..Limits::default() }).await;
    let mut connection = server.connect().await;
    let mut pauses = interval(idle_time / 5);
    for _ in 0..8 {
        pauses.tick().await;
        assert_eq!(connection.get("/a").await.1, "/a");
    }
}

#[tokio::test]
async fn a_slow_response_is_not_idle() {
    let server = TestServer::start(Limits { idle_time: SHORT, head_time: SHORT, write_time: SHORT, ..Limits::default() }).await;
    let mut connection = server.connect().await;
    connection.send_get("/gate").await;
    server.wait_for_requests(1).await;
    let mut pauses = interval(SHORT * 3);
    pauses.tick().await;
    pauses.tick().await;
    server.endpoint.gate.add_permits(1);
    assert_eq!(connection.read_response().await.1, "opened");
}

#[tokio::test]
async fn clients_that_stop_reading_are_disconnected() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let server = TestServer::start(Limits { write_time: LONG, ..Limits::default() }).await;
    let mut stalled = ClientConnection::open_narrow(server.address).await;
    stalled.send_get("/big").await;
    let mut slow = ClientConnection::open_narrow(server.address).await;
    slow.send_get("/big").await;

    let started = Instant::now();
    let mut other = server.connect().await;
    let mut pauses = interval(Duration::from_millis(50));
    let reading = async {
        while count_closed(&metrics_recorder, "slow_reader") < 2 {
            pauses.tick().await;
            // Single bytes do not count as reading.
            let _ = slow.0.read_u8().await;
            assert_eq!(other.get("/a").await.1, "/a");
        }
    };
    within_timeout(reading).await;
    assert!(started.elapsed() >= LONG);
    // What the server had already sent still arrives.
    assert!(stalled.read_to_end().await.map_or(true, |rest| rest.len() < super::BIG_BYTES));
}

#[tokio::test]
async fn slow_readers_receive_the_whole_response() {
    let write_time = Duration::from_secs(1);
    let server = TestServer::start(Limits { write_time, idle_time: SHORT, ..Limits::default() }).await;
    let mut connection = ClientConnection::open_narrow(server.address).await;
    connection.send("GET /big HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    let started = Instant::now();
    let mut buffer = vec![0; 512 * 1024];
    let mut received = 0;
    let mut pauses = interval(Duration::from_millis(20));
    loop {
        pauses.tick().await;
        let pause_at = Instant::now() + Duration::from_millis(10);
        let mut read = 0;
        while Instant::now() < pause_at && read < buffer.len() {
            read += match within_timeout(connection.0.read(&mut buffer)).await.unwrap() {
                0 => break,
                bytes => bytes,
            };
        }
        received += read;
        if read == 0 {
            break;
        }
    }
    assert!(received > super::BIG_BYTES, "{received}");
    assert!(started.elapsed() > write_time * 2, "the test must outlast the timeouts, took {:?}", started.elapsed());
}

#[tokio::test]
async fn a_disconnect_cancels_the_request() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let server = TestServer::start(Limits::default()).await;
    let mut connection = server.connect().await;
    connection.send_get("/gate").await;
    server.wait_for_requests(1).await;
    drop(connection);
    within_timeout(server.endpoint.cancelled.acquire()).await.unwrap().forget();

    let mut connection = server.connect().await;
    connection.send_get("/big").await;
    connection.0.read_u8().await.unwrap();
    drop(connection);
    let closed = async {
        while metrics_recorder.gauge("marquee_http_connections{}") > 0.0 {
            tokio::task::yield_now().await;
        }
    };
    within_timeout(closed).await;
}

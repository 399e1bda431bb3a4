//! Rate limiting per client.

use std::{num::NonZeroU32, time::Instant};

use api::{
    State,
    rate_limit::{RateLimiter, RateSettings},
};
use poem::http::Method;
use sea_orm::DatabaseConnection;

use super::ClientConnection;
use crate::{
    api_process::{RunningApi, create_sqlite_database},
    recorder::RecordedMetrics,
    test_app::{TestApp, TestResponse},
};

/// Starts the app without a database, which rate limiting does not need.
fn start_app_with_limit(per_second: u32, burst: Option<u32>) -> TestApp {
    let settings = RateSettings {
        rate_limit_per_second: NonZeroU32::new(per_second),
        rate_limit_burst: burst.and_then(NonZeroU32::new),
        trusted_proxies: Vec::new(),
    };
    let disconnected = DatabaseConnection::default();
    TestApp::with_state(&State {
        rate: RateLimiter::from_settings(&settings),
        ..State::new(disconnected.clone(), disconnected, 0, None)
    })
}

fn parse_remaining(response: &TestResponse) -> (u32, u32) {
    let fields = response.header("ratelimit").unwrap().strip_prefix("\"default\";r=").unwrap();
    let (remaining, seconds) = fields.split_once(";t=").unwrap();
    (remaining.parse().unwrap(), seconds.parse().unwrap())
}

#[tokio::test]
async fn requests_beyond_the_burst_are_rate_limited() {
    let metrics_recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics_recorder);
    let app = start_app_with_limit(1, Some(60));
    let started = Instant::now();
    for number in 1..=60 {
        let path = ["/openapi.json", "/unknown", "/search?x=1"][number % 3];
        let response = app.get(path).await;
        assert_ne!(response.status, 429);
        assert_eq!(response.header("ratelimit-policy"), Some("\"default\";q=60;w=60"), "{path}");
        let (remaining, seconds) = parse_remaining(&response);
        // One token is refilled per second.
        let refilled = usize::try_from(started.elapsed().as_secs()).unwrap() + 1;
        assert!((60 - number..=60 - number + refilled).contains(&(remaining as usize)), "{number}: {remaining}");
        assert_eq!(seconds, 60 - remaining);
    }
    let mut response = app.get("/openapi.json").await;
    for _ in 0..60 {
        if response.status == 429 {
            break;
        }
        response = app.get("/openapi.json").await;
    }
    response.problem(429, "rate_limited");
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(parse_remaining(&response), (0, 60));
    assert_eq!(response.header("ratelimit-policy"), Some("\"default\";q=60;w=60"));
    assert!(metrics_recorder.counter("marquee_rate_limited_total{}") > 0);
}

#[tokio::test]
async fn health_and_metrics_are_not_rate_limited() {
    let app = start_app_with_limit(1, None);
    for _ in 0..20 {
        let response = app.get("/livez").await;
        assert_eq!((response.status.as_u16(), response.header("ratelimit")), (200, None));
        assert_ne!(app.get("/readyz").await.status, 429);
        assert_ne!(app.get("/metrics").await.status, 429);
    }
    assert_eq!(app.get("/openapi.json").await.status, 200);
}

#[tokio::test]
async fn rate_limiting_is_off_by_default() {
    let app = start_app_with_limit(0, None);
    for _ in 0..50 {
        let response = app.send(Method::GET, "/openapi.json", &[("x-forwarded-for", "192.0.2.1")]).await;
        assert_eq!(
            (response.status.as_u16(), response.header("ratelimit"), response.header("ratelimit-policy")),
            (200, None, None)
        );
    }
}

/// Sends a request as the client in `X-Forwarded-For`, and returns the status and the `RateLimit` header.
async fn send_as(connection: &mut ClientConnection, forwarded: &str) -> (String, String) {
    connection.send(&format!("GET /openapi.json HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {forwarded}\r\n\r\n")).await;
    let (head, _) = connection.read_response().await;
    let limit = head.lines().find_map(|connection| connection.strip_prefix("ratelimit: ")).unwrap().to_owned();
    (head.split(' ').nth(1).unwrap().to_owned(), limit)
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_limited_separately() {
    let (_database, url) = create_sqlite_database().await;
    // The lowest limit that can be configured.
    let arguments = ["--rate-limit-per-second", "1", "--rate-limit-burst", "1"];
    let trusting = RunningApi::start(&url, &[&arguments[..], &["--trusted-proxies", "192.0.2.0/24,127.0.0.0/8"]].concat()).await;
    let mut connection = ClientConnection::open(trusting.address).await;
    for client in 0..50 {
        let (status, limit) = send_as(&mut connection, &format!("198.51.100.{client}")).await;
        assert_eq!((status.as_str(), limit.as_str()), ("200", "\"default\";r=0;t=1"));
    }
    assert_eq!(trusting.stop("-TERM").await.0, Some(0));

    let strict = RunningApi::start(&url, &arguments).await;
    let mut connection = ClientConnection::open(strict.address).await;
    let mut refused = 0;
    for client in 0..50 {
        refused += usize::from(send_as(&mut connection, &format!("198.51.100.{client}")).await.0 == "429");
    }
    assert!(refused > 0, "headers of untrusted proxies are ignored");
    assert_eq!(strict.stop("-TERM").await.0, Some(0));
}

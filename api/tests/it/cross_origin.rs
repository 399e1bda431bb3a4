//! Cross-origin requests: the headers of reads, preflights, and rejected writes.

use std::sync::Arc;

use api::{State, response::Cors, response::CorsSettings};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::DatabaseConnection;

use crate::{
    api_keys::{create_key, create_keys_file_path, start_app},
    fixtures::CatalogueFixture,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(writes_of_other_origins_are_rejected_and_change_nothing, a_key_permits_writes_of_other_origins);

const ELSEWHERE: (&str, &str) = ("origin", "https://elsewhere.example");
/// Every operation that writes, with a body that it would accept.
const WRITES: [(Method, &str, &str, &str); 13] = [
    (Method::PUT, "/places", "application/json", r#"{"regions":[],"places":[{"code":"EETLL","name":"Tallinn"}]}"#),
    (Method::POST, "/rates/batches", "application/json", "[]"),
    (Method::DELETE, "/rates/batches/1", "application/json", ""),
    (Method::POST, "/providers/fever/feed", "application/xml", "<eventList/>"),
    (Method::POST, "/providers/fever/sync", "application/json", ""),
    (Method::POST, "/multivac/data", "application/x-www-form-urlencoded", "data=LIGHT"),
    (Method::DELETE, "/events/c4a626ff-9f25-5533-a0a8-2b67472b5ee3?reason=order", "application/json", ""),
    (Method::POST, "/webhooks", "application/json", r#"{"url":"https://hooks.example/"}"#),
    (Method::DELETE, "/webhooks/c4a626ff-9f25-5533-a0a8-2b67472b5ee3", "application/json", ""),
    (Method::POST, "/webhooks/c4a626ff-9f25-5533-a0a8-2b67472b5ee3/rotate", "application/json", ""),
    (Method::POST, "/webhooks/c4a626ff-9f25-5533-a0a8-2b67472b5ee3/test", "application/json", ""),
    (Method::POST, "/webhooks/c4a626ff-9f25-5533-a0a8-2b67472b5ee3/enable", "application/json", ""),
    (Method::POST, "/webhooks/c4a626ff-9f25-5533-a0a8-2b67472b5ee3/replay?after=x", "application/json", ""),
];

async fn send(app: &TestApp, (method, path, media_type, body): (Method, &str, &str, &str), header: (&str, &str)) -> TestResponse {
    app.upload(method, path, (media_type, body.to_owned()), &[header]).await
}

async fn writes_of_other_origins_are_rejected_and_change_nothing(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(&database).await;
    let operations: serde_json::Value = serde_json::from_str(&app.get("/openapi.json").await.text()).unwrap();
    let paths = operations["paths"].as_object().unwrap();
    let writes = paths.values().flat_map(|path| path.as_object().unwrap().keys()).filter(|method| *method != "get").count();
    assert_eq!(writes, WRITES.len(), "the table lists every operation that writes");
    for write in WRITES {
        for header in [
            ELSEWHERE,
            ("origin", "null"),
            ("origin", "http://localhost:3000"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let response = send(&app, write.clone(), header).await;
            let problem = response.problem(403, "cross_origin_write");
            assert!(problem["detail"].as_str().unwrap().contains("API key"), "{} {header:?}", write.1);
        }
    }
    for path in ["/zzz", "/places", "/rates/batches", "/sync-runs", "/webhooks"] {
        let body = app.get(path).await.json();
        let lists = body["data"].as_object().unwrap().values();
        assert!(lists.filter_map(|list| list.as_array()).all(Vec::is_empty), "{path}: {body}");
    }
    for header in [("origin", "http://localhost"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")] {
        assert_eq!(send(&app, WRITES[5].clone(), header).await.status, 200, "{header:?}");
    }
}

async fn a_key_permits_writes_of_other_origins(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let key = create_key(&file, "page", &["admin"]);
    let app = start_app(&database, &file).await;
    let write = async |authorization: &str| {
        let headers = [ELSEWHERE, ("sec-fetch-site", "cross-site"), ("authorization", authorization)];
        app.upload(Method::POST, "/multivac/data", ("application/x-www-form-urlencoded", "data=LIGHT"), &headers).await
    };
    assert_eq!(write(&format!("Bearer {key}")).await.status, 200);
    // A browser adds a password that it knows to requests of any page.
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("user:{key}"));
    write(&format!("Basic {basic}")).await.problem(403, "cross_origin_write");
    write("").await.problem(403, "cross_origin_write");
}

/// A preflight for a request with this method.
async fn preflight(app: &TestApp, path: &str, method: &str) -> TestResponse {
    app.send(Method::OPTIONS, path, &[ELSEWHERE, ("access-control-request-method", method)]).await
}

#[tokio::test]
async fn every_response_may_be_read_by_any_page() {
    let app = TestApp::with_connection(DatabaseConnection::default());
    for (path, status) in
        [("/livez", 200), ("/search?limit=0", 400), ("/unknown", 404), ("/?nope=1", 400), ("/livez/", 308), ("/docs", 200)]
    {
        // A cache may store the response to one client for all others.
        for headers in [&[][..], &[ELSEWHERE]] {
            let response = app.send(Method::GET, path, headers).await;
            assert_eq!(response.status, status, "{path}");
            assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{path}");
            let exposed = response.header("access-control-expose-headers").unwrap();
            for name in ["link", "etag", "retry-after", "ratelimit", "x-request-id"] {
                assert!(exposed.split(", ").any(|exposed| exposed == name), "{path} {name}");
            }
            let varies: Vec<_> = response.headers.get_all("vary").iter().collect();
            assert!(!format!("{varies:?}").contains("rigin"), "{path}: {varies:?}");
            assert_eq!(response.header("access-control-allow-credentials"), None);
        }
    }
    let etag = app.get("/livez").await.header("etag").unwrap().to_owned();
    let response = app.send(Method::GET, "/livez", &[ELSEWHERE, ("if-none-match", &etag)]).await;
    assert_eq!((response.status.as_u16(), response.header("access-control-allow-origin")), (304, Some("*")));
}

#[tokio::test]
async fn preflights_name_the_methods_of_the_path() {
    let app = TestApp::with_connection(DatabaseConnection::default());
    for (path, method, methods) in [
        ("/search?starts_at=2031-01-01", "GET", "GET, HEAD, OPTIONS"),
        ("/places", "PUT", "GET, HEAD, PUT, OPTIONS"),
        ("/rates/batches/1", "DELETE", "GET, DELETE, HEAD, OPTIONS"),
    ] {
        let response = preflight(&app, path, method).await;
        assert_eq!(response.status, 204, "{path}");
        assert_eq!(response.body, b"");
        let mut allowed: Vec<_> = response.header("access-control-allow-methods").unwrap().split(", ").collect();
        let mut expected: Vec<_> = methods.split(", ").collect();
        allowed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{path}");
        assert_eq!(response.header("access-control-allow-headers"), Some("*, authorization"));
        assert_eq!(response.header("access-control-max-age"), Some("7200"));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    }
    preflight(&app, "/unknown", "GET").await.problem(404, "path_not_found");
    let plain = app.send(Method::OPTIONS, "/search", &[]).await;
    assert_eq!((plain.status.as_u16(), plain.header("access-control-allow-methods")), (204, None));
    assert!(plain.header("allow").unwrap().contains("OPTIONS"));
}

#[tokio::test]
async fn a_list_of_origins_excludes_all_others() {
    let settings = CorsSettings { cors_allowed_origins: vec!["https://app.example".parse().unwrap()] };
    let database = DatabaseConnection::default();
    let state = State { cors: Cors::from_settings(&settings), ..State::new(database.clone(), database, 0, None) };
    let app = TestApp::with_state(&state);
    for (origin, allowed) in [("https://app.example", Some("https://app.example")), ("https://elsewhere.example", None)] {
        for path in ["/livez", "/search?limit=0"] {
            let response = app.send(Method::GET, path, &[("origin", origin)]).await;
            assert_eq!(response.header("access-control-allow-origin"), allowed, "{path}");
            assert!(response.headers.get_all("vary").iter().any(|vary| vary == "origin"), "{path}");
        }
    }
    let without = app.get("/livez").await;
    assert!(without.headers.get_all("vary").iter().any(|vary| vary == "origin"));
}

#[tokio::test]
async fn a_rate_limit_does_not_reject_preflights() {
    let database = DatabaseConnection::default();
    let settings = api::rate_limit::RateSettings { rate_limit_per_second: std::num::NonZeroU32::new(1), ..Default::default() };
    let rate = api::rate_limit::RateLimiter::from_settings(&settings);
    let app = TestApp::with_state(&State { rate, ..State::new(database.clone(), database, 0, None) });
    for _ in 0..20 {
        assert_eq!(preflight(&app, "/search", "GET").await.status, 204);
    }
    let mut limited = app.get("/search?limit=0").await;
    for _ in 0..20 {
        limited = if limited.status == 429 { limited } else { app.get("/search?limit=0").await };
    }
    limited.problem(429, "rate_limited");
    assert_eq!(limited.header("access-control-allow-origin"), Some("*"));
    assert_eq!(limited.header("retry-after"), Some("1"));
}

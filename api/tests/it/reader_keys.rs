//! Keys of readers: their own rate limits, their counts, and restricted reads.

use std::{path::Path, sync::Arc};

use api::{
    State,
    auth::{AccessSettings, Keys, KeysSettings},
    rate_limit::{RateLimiter, RateSettings},
};
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;

use crate::{
    api_keys::{create_key, create_keys_file_path, run_keys_new},
    recorder::RecordedMetrics,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(a_key_has_its_own_rate_limit, an_unknown_key_is_rejected_on_reads, operational_data_can_be_restricted_to_keys);

async fn start_app(database: &TestDatabase, file: &Path, restrict_operations: bool, per_second: Option<u32>) -> TestApp {
    let connection = database.connect(ConnectionRole::Api).await;
    let keys = Keys::load(&KeysSettings { keys_file: Some(file.to_owned()) }, AccessSettings { restrict_operations }).unwrap();
    let rate_limit_per_second = per_second.and_then(std::num::NonZeroU32::new);
    let rate = RateLimiter::from_settings(&RateSettings { rate_limit_per_second, ..RateSettings::default() });
    TestApp::with_state(&State { keys, rate, ..State::new(connection.clone(), connection, 0, None) })
}

async fn get(app: &TestApp, path: &str, key: Option<&str>) -> TestResponse {
    let authorization = key.map(|key| format!("Bearer {key}"));
    let headers: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
    app.send(Method::GET, path, &headers).await
}

async fn a_key_has_its_own_rate_limit(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let plain = create_key(&file, "plain", &["read"]);
    let output = run_keys_new(Some(&file), &["slow", "--scope", "read", "--key-rate-limit", "3"]);
    let slow = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let app = start_app(&database, &file, false, Some(1_000_000)).await;
    let recorder = RecordedMetrics::default();
    let _local = metrics::set_default_local_recorder(&recorder);
    for (key, policy) in [(None, "\"default\""), (Some(&plain), "\"default\""), (Some(&slow), "\"key\"")] {
        let response = get(&app, "/search", key.map(String::as_str)).await;
        assert_eq!(response.status, 200);
        assert!(response.header("ratelimit-policy").unwrap().starts_with(policy), "{key:?}");
    }
    let mut limited = get(&app, "/search", Some(&slow)).await;
    while limited.status != 429 {
        limited = get(&app, "/search", Some(&slow)).await;
    }
    limited.problem(429, "rate_limited");
    assert_eq!(get(&app, "/search", None).await.status, 200, "others are not limited");
    assert_eq!(get(&app, "/search", Some(&plain)).await.status, 200);
    for (series, count) in [("key=plain,outcome=accepted", 2), ("key=slow,outcome=rate_limited", 1)] {
        assert_eq!(recorder.counter(&format!("marquee_key_requests_total{{{series}}}")), count, "{series}");
    }
}

async fn an_unknown_key_is_rejected_on_reads(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let key = create_key(&file, "reader", &["read"]);
    let app = start_app(&database, &file, false, None).await;
    for path in ["/search", "/venues"] {
        assert_eq!(get(&app, path, Some(&key)).await.status, 200);
        assert_eq!(get(&app, path, None).await.status, 200);
        get(&app, path, Some("mq_unknown")).await.problem(401, "invalid_key");
    }
    assert_eq!(get(&app, "/livez", Some("mq_unknown")).await.status, 200, "health checks do not need a key");
    // A proxy may require a password for its own purposes.
    let response = app.send(Method::GET, "/search", &[("authorization", "Basic dXNlcjpwYXNzd29yZA==")]).await;
    assert_eq!(response.status, 200);
    let problem = app.send(Method::PUT, "/places", &[("authorization", &format!("Bearer {key}"))]).await;
    problem.problem(403, "missing_scope");
}

async fn operational_data_can_be_restricted_to_keys(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let reader = create_key(&file, "reader", &["read"]);
    let operator = create_key(&file, "operator", &["operations"]);
    let admin = create_key(&file, "admin", &["admin"]);
    let restricted = start_app(&database, &file, true, None).await;
    let open = start_app(&database, &file, false, None).await;
    for path in ["/sync-runs", "/sync-runs/1", "/sync-runs/1/rejects", "/rates/batches", "/rates/batches/1", "/zzz", "/metrics"] {
        get(&restricted, path, None).await.problem(401, "authentication_required");
        let problem = get(&restricted, path, Some(&reader)).await.problem(403, "missing_scope");
        assert_eq!(problem["detail"], "the API key lacks the scope `operations`");
        for key in [&operator, &admin] {
            let status = get(&restricted, path, Some(key)).await.status.as_u16();
            assert!([200, 404].contains(&status), "{path}: {status}");
        }
        assert!([200, 404].contains(&get(&open, path, None).await.status.as_u16()), "{path}");
    }
    for path in ["/search", "/providers", "/livez", "/readyz"] {
        assert_eq!(get(&restricted, path, None).await.status, 200, "{path}");
    }
}

#[test]
fn restricting_reads_requires_keys() {
    let access = AccessSettings { restrict_operations: true };
    let error = Keys::load(&KeysSettings { keys_file: None }, access).unwrap_err().to_string();
    assert!(error.contains("RESTRICT_OPERATIONS requires API_KEYS_FILE"), "{error}");
}

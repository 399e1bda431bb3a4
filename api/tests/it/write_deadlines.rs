//! Writes to a server that stops responding: each fails in time, and a retry finds out whether it was committed.

use std::time::{Duration, Instant};

use migration::testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase};
use poem::http::Method;

use crate::{
    rates::{BATCHES, CsvBatch, post_batch, put_places},
    test_app::TestApp,
};

/// The deadline of 10 s, and a margin for a busy machine.
const DEADLINE: Duration = Duration::from_secs(14);
const KEY: [(&str, &str); 1] = [("idempotency-key", "one")];

#[tokio::test(flavor = "multi_thread")]
async fn a_write_to_a_server_that_hangs_fails_in_time_and_its_key_is_free() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    put_places(&TestApp::new(&database).await, &[], &[("AAAAA", "")]).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::HangAt("COMMIT")).await;
    let app = TestApp::with_connection(proxy.connect().await);
    let batch = CsvBatch::default().add("AAAAA", "AAAAA", "2021-01-30", "5");

    let started = Instant::now();
    let form = ("application/x-www-form-urlencoded", "data=x");
    let (hung, probe) = tokio::join!(post_batch(&app, &batch, &KEY), app.upload(Method::POST, "/multivac/data", form, &[]));
    assert!(started.elapsed() < DEADLINE, "{:?}", started.elapsed());
    hung.problem(503, "database_unavailable");
    probe.problem(503, "database_unavailable");

    proxy.set_mode(ProxyMode::Cut).await;
    proxy.set_mode(ProxyMode::Forward).await;
    let retried = async {
        loop {
            let response = post_batch(&app, &batch, &KEY).await;
            // Until the pool has replaced its connections, and the server has ended the transaction.
            if ![503, 409].contains(&response.status.as_u16()) {
                break response;
            }
        }
    };
    let retried = tokio::time::timeout(DEADLINE, retried).await.expect("the key is free");
    assert_eq!(retried.status, 201, "{}", retried.text());
    let batches = app.get(BATCHES).await.json();
    assert_eq!(batches["data"]["batches"].as_array().map(Vec::len), Some(1), "{batches}");
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}

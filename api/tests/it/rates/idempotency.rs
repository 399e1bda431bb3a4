//! `Idempotency-Key`: repeated requests create one batch.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use migration::{on_every_backend, testing::TestDatabase};
use poem::{Body, http::Method};
use tokio::sync::mpsc;

use super::{BATCHES, CsvBatch, assert_sums_match_prices, post_batch, put_places};
use crate::test_app::TestApp;

on_every_backend!(
    a_repeated_request_returns_the_original_response,
    a_key_reused_with_another_body_is_rejected,
    a_key_in_use_is_409,
    a_rejected_request_frees_its_key,
    a_repeated_request_does_not_restore_a_deleted_batch,
    rejects_malformed_keys,
    concurrent_requests_with_one_key_create_one_batch,
);

async fn start_app_with_place(database: &TestDatabase) -> TestApp {
    let app = TestApp::new(database).await;
    put_places(&app, &[], &[("AAAAA", "")]).await;
    app
}

fn batch_with_price(price: &str) -> CsvBatch {
    CsvBatch::default().add("AAAAA", "AAAAA", "2021-01-30", price)
}

const KEY: [(&str, &str); 1] = [("idempotency-key", "4b1f6f0e-0f1b-4c1c-9a57-2f7d3f2f6d0e")];

async fn a_repeated_request_returns_the_original_response(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    let first = post_batch(&app, &batch_with_price("1"), &KEY).await;
    assert_eq!(first.status, 201);
    // Also in another process.
    for app in [app, TestApp::new(&database).await] {
        let again = post_batch(&app, &batch_with_price("1"), &KEY).await;
        assert_eq!(
            (again.status, again.text(), again.header("location")),
            (first.status, first.text(), first.header("location"))
        );
    }
    assert_eq!(assert_sums_match_prices(&database).await, 1);
}

async fn a_key_reused_with_another_body_is_rejected(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    assert_eq!(post_batch(&app, &batch_with_price("1"), &KEY).await.status, 201);
    post_batch(&app, &batch_with_price("2"), &KEY).await.problem(422, "idempotency_key_reused");
    // Reported before the items are validated.
    post_batch(&app, &batch_with_price("-2"), &KEY).await.problem(422, "idempotency_key_reused");
    assert_eq!(post_batch(&app, &batch_with_price("2"), &[("idempotency-key", "another")]).await.status, 201);
    assert_eq!(assert_sums_match_prices(&database).await, 2);
}

async fn a_key_in_use_is_409(database: Arc<TestDatabase>) {
    let app = Arc::new(start_app_with_place(&database).await);
    let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(1);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    let body = Body::from_bytes_stream(stream.boxed());
    let app_clone = app.clone();
    let running = tokio::spawn(async move { app_clone.upload(Method::POST, BATCHES, ("text/csv", body), &KEY).await });
    sender.send(Ok(Bytes::from_static(b"orig_code,dest_code,day,price\n"))).await.unwrap();
    // The channel has a capacity of one: when it accepts the third chunk, the first is being read and the key is claimed.
    for _ in 0..2 {
        sender.send(Ok(Bytes::from_static(b"AAAAA,AAAAA,2021-01-30,1\n"))).await.unwrap();
    }
    let conflict = post_batch(&app, &batch_with_price("1"), &KEY).await;
    conflict.problem(409, "idempotency_key_in_use");
    assert_eq!(conflict.header("retry-after"), Some("1"));
    assert_eq!(post_batch(&app, &batch_with_price("1"), &[("idempotency-key", "another")]).await.status, 201);
    drop(sender);
    assert_eq!(running.await.unwrap().status, 201);
    assert_eq!(assert_sums_match_prices(&database).await, 3);
}

async fn a_rejected_request_frees_its_key(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    post_batch(&app, &batch_with_price("-1"), &KEY).await.problem(422, "invalid_items");
    assert_eq!(post_batch(&app, &batch_with_price("1"), &KEY).await.status, 201);
}

async fn a_repeated_request_does_not_restore_a_deleted_batch(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    let first = post_batch(&app, &batch_with_price("1"), &KEY).await;
    assert_eq!(app.send(Method::DELETE, &first.location(), &[]).await.status, 204);
    let again = post_batch(&app, &batch_with_price("1"), &KEY).await;
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    assert_eq!(assert_sums_match_prices(&database).await, 0);
}

async fn rejects_malformed_keys(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    let long = "k".repeat(256);
    for keys in [&[""][..], &["   "], &[&long], &["tab\there"], &["a", "b"]] {
        let headers: Vec<_> = keys.iter().map(|key| ("idempotency-key", *key)).collect();
        let errors = post_batch(&app, &batch_with_price("1"), &headers).await.validation_errors();
        assert_eq!(errors[0].0, "Idempotency-Key", "{keys:?}");
    }
    assert_eq!(assert_sums_match_prices(&database).await, 0);
}

async fn concurrent_requests_with_one_key_create_one_batch(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    let batch = batch_with_price("1");
    let responses = futures_util::future::join_all((0..6).map(|_| post_batch(&app, &batch, &KEY))).await;
    let mut accepted: Vec<String> = Vec::new();
    for response in responses {
        if response.status == 201 {
            accepted.push(response.text());
        } else {
            response.problem(409, "idempotency_key_in_use");
        }
    }
    accepted.dedup();
    assert_eq!(accepted.len(), 1);
    assert_eq!(assert_sums_match_prices(&database).await, 1);
}

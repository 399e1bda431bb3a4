//! Rejected batches: reported with the reason, and without a trace in the database.

use std::{io::Write, sync::Arc};

use api::State;
use bytes::Bytes;
use entity::{ConnectionRole, rate, rate_batch, rate_day};
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, stream};
use migration::{on_every_backend, testing::TestDatabase};
use poem::{Body, http::Method};
use rates::{BatchEncoding, BatchFormat, BatchLimits, CommitError, PlaceIds, commit_batch, read_batch};
use sea_orm::{EntityTrait, PaginatorTrait};

use super::{BATCHES, CsvBatch, import_batch, post_batch, put_places};
use crate::test_app::{TestApp, TestResponse};

on_every_backend!(
    one_invalid_item_rejects_the_batch,
    rejects_unreadable_batches,
    an_incomplete_body_leaves_no_rows,
    a_batch_that_was_read_with_the_places_of_another_database_is_rejected,
    remote_writes_are_forbidden_without_keys,
);

const GOOD: &str = "orig_code,dest_code,day,price\nAAAAA,AAAAA,2021-01-30,1\n";

async fn start_app_with_place(database: &TestDatabase) -> TestApp {
    let app = TestApp::new(database).await;
    put_places(&app, &[], &[("AAAAA", "")]).await;
    app
}

async fn assert_no_rows(database: &TestDatabase) {
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    assert_eq!(rate::Entity::find().count(&connection).await.unwrap(), 0);
    assert_eq!(rate_day::Entity::find().count(&connection).await.unwrap(), 0);
    assert_eq!(rate_batch::Entity::find().count(&connection).await.unwrap(), 0);
}

async fn one_invalid_item_rejects_the_batch(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    let mut prices = CsvBatch::default();
    for line in 2..25_000 {
        prices = prices.add("AAAAA", "AAAAA", "2021-01-30", if line == 24_000 { "-1" } else { "1" });
    }
    let problem = post_batch(&app, &prices, &[]).await.problem(422, "invalid_items");
    assert_eq!(problem["errors"], serde_json::json!([{ "line": 24_000, "message": "`price` must be 0 or more, got `-1`" }]));

    let body = "[{\"orig_code\":\"AAAAA\"},\n 7]";
    let response = app.upload(Method::POST, BATCHES, ("application/json", body), &[]).await;
    let problem = response.problem(422, "invalid_items");
    let positions: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| (&error["line"], &error["pointer"])).collect();
    assert_eq!(positions, [(&1.into(), &"/0".into()), (&2.into(), &"/1".into())]);

    let body = format!("orig_code,dest_code,day,price\n{}", "x,AAAAA,2021-01-30,1\n".repeat(150));
    let problem = app.upload(Method::POST, BATCHES, ("text/csv", body), &[]).await.problem(422, "invalid_items");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
    assert!(problem["detail"].as_str().unwrap().contains("150 items are invalid (`errors` lists the first 100)"), "{problem}");
    assert_no_rows(&database).await;
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn rejects_unreadable_batches(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Api).await;
    // Smaller than the default limits, which take a minute to reach.
    let batch_limits = BatchLimits { body_bytes: 500_000, decoded_bytes: 1_000_000, ..BatchLimits::REQUEST };
    let app = TestApp::with_state(&State { batch_limits, ..State::new(connection.clone(), connection, 0, None) });
    put_places(&app, &[], &[("AAAAA", "")]).await;
    let send = async |media_type: &str, body: Vec<u8>, headers: &[(&str, &str)]| -> TestResponse {
        app.upload(Method::POST, BATCHES, (media_type, body), headers).await
    };
    let gzip_header = [("content-encoding", "gzip")];
    send("text/csv", Vec::new(), &[]).await.problem(422, "invalid_items");
    send("text/plain", GOOD.into(), &[]).await.problem(415, "unsupported_media_type");
    send("application/xml", GOOD.into(), &[]).await.problem(415, "unsupported_media_type");
    send("", GOOD.into(), &[]).await.problem(415, "unsupported_media_type");
    send("text/csv", GOOD.into(), &[("content-encoding", "br")]).await.problem(415, "unsupported_media_type");
    send("text/csv", GOOD.into(), &[("content-encoding", "gzip, gzip")]).await.problem(415, "unsupported_media_type");
    send("text/csv", GOOD.into(), &gzip_header).await.problem(400, "invalid_body");
    let complete = gzip(GOOD.as_bytes());
    send("text/csv", complete[..complete.len() - 3].to_vec(), &gzip_header).await.problem(400, "invalid_body");
    // 2 MB of empty lines compress to 2 KB.
    let bomb = gzip(&vec![b'\n'; 2_000_000]);
    assert!(bomb.len() < 10_000);
    let problem = send("text/csv", bomb, &gzip_header).await.problem(413, "body_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("1000000 bytes"), "{problem}");
    let problem = send("text/csv", vec![b'\n'; 600_000], &[]).await.problem(413, "body_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("500000 bytes"), "{problem}");
    let response = app.upload(Method::POST, &format!("{BATCHES}?mode=x"), ("text/csv", GOOD), &[]).await;
    assert_eq!(response.validation_errors()[0].0, "mode");
    assert_no_rows(&database).await;
    let accepted = app.upload(Method::POST, BATCHES, ("text/csv", GOOD), &[]).await;
    assert_eq!(accepted.status, 201, "later batches are accepted");
}

async fn an_incomplete_body_leaves_no_rows(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    let key = [("idempotency-key", "once")];
    for _ in 0..3 {
        let start = stream::iter([Ok(Bytes::from_static(GOOD.as_bytes()))]);
        let interrupted = start.chain(stream::iter([Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]));
        let body = Body::from_bytes_stream(interrupted);
        app.upload(Method::POST, BATCHES, ("text/csv", body), &key).await.problem(400, "incomplete_body");
    }
    assert_no_rows(&database).await;
    // The key is not in use.
    let response = app.upload(Method::POST, BATCHES, ("text/csv", GOOD), &key).await;
    assert_eq!(response.status, 201, "{}", response.text());
}

async fn remote_writes_are_forbidden_without_keys(database: Arc<TestDatabase>) {
    let app = start_app_with_place(&database).await;
    let id = import_batch(&app, &CsvBatch::default().add("AAAAA", "AAAAA", "2021-01-30", "1")).await;
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        let headers = [(header, "for=192.0.2.7")];
        app.upload(Method::POST, BATCHES, ("text/csv", GOOD), &headers).await.problem(403, "remote_write_forbidden");
        app.upload(Method::PUT, "/places", ("application/json", "{}"), &headers).await.problem(403, "remote_write_forbidden");
        app.send(Method::DELETE, &format!("{BATCHES}/{id}"), &headers).await.problem(403, "remote_write_forbidden");
    }
    assert_eq!(app.get(&format!("{BATCHES}/{id}")).await.status, 200);
}

async fn a_batch_that_was_read_with_the_places_of_another_database_is_rejected(database: Arc<TestDatabase>) {
    let _app = start_app_with_place(&database).await;
    let connection = database.connect(ConnectionRole::Write).await;
    let own = PlaceIds::load(&connection).await.unwrap();
    let same_id = [("AAAAA".to_owned(), 1), ("BBBBB".to_owned(), 2)].into_iter().collect();
    let same_code = [("AAAAA".to_owned(), 7)].into_iter().collect();
    let limits = BatchLimits::REQUEST;
    for (places, is_accepted) in [(same_id, false), (same_code, false), (own, true)] {
        let batch = read_batch(GOOD.as_bytes(), BatchEncoding::Identity, BatchFormat::Csv, &places, &limits).unwrap();
        let outcome = commit_batch(&connection, None, batch, &limits, |_| ()).await;
        if is_accepted {
            outcome.unwrap();
        } else {
            assert!(matches!(outcome, Err(CommitError::DatabaseReplaced)), "{places:?}: {outcome:?}");
            assert_no_rows(&database).await;
        }
    }
}

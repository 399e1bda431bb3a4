//! Valid batches: imported, listed and deleted.

use std::{io::Write, sync::Arc};

use entity::catalogue_version;
use flate2::{Compression, write::GzEncoder};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use serde_json::json;

use super::{BATCHES, CsvBatch, assert_sums_match_prices, fetch_rates, import_batch, post_batch, put_places};
use crate::test_app::TestApp;

on_every_backend!(
    an_accepted_batch_is_found_at_its_location,
    all_formats_and_gzip_import_the_same_prices,
    repeated_items_count_each_time,
    a_deleted_batch_no_longer_counts,
    batches_are_listed_newest_first,
);

const DAY: (&str, &str) = ("2021-01-30", "2021-01-30");

async fn start_app_with_places(database: &TestDatabase) -> TestApp {
    let app = TestApp::new(database).await;
    put_places(&app, &[], &[("AAAAA", ""), ("BBBBB", ""), ("CCCCC", "")]).await;
    app
}

async fn an_accepted_batch_is_found_at_its_location(database: Arc<TestDatabase>) {
    let app = start_app_with_places(&database).await;
    let prices = CsvBatch::default()
        .add("AAAAA", "BBBBB", "2021-01-30", "1")
        .add("AAAAA", "BBBBB", "2021-01-31", "1")
        .add("BBBBB", "AAAAA", "2021-01-30", "1")
        .add("AAAAA", "BBBBB", "2021-01-30", "2");
    let response = post_batch(&app, &prices, &[("idempotency-key", "k 1")]).await;
    assert_eq!(response.status, 201);
    let batch = response.json()["data"].clone();
    let expected = json!({
        "id": batch["id"], "count": 4, "days": 2, "routes": 2, "idempotency_key": "k 1", "taken_at": batch["taken_at"],
    });
    assert_eq!(batch, expected);
    assert_eq!(response.header("location").unwrap(), format!("batches/{}", batch["id"]));
    assert_eq!(response.location(), format!("{BATCHES}/{}", batch["id"]));
    assert_eq!(app.get(&response.location()).await.json()["data"], batch);
    assert_eq!(assert_sums_match_prices(&database).await, 4);
}

async fn all_formats_and_gzip_import_the_same_prices(database: Arc<TestDatabase>) {
    let app = start_app_with_places(&database).await;
    let item =
        |price: &str| format!("{{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-30\",\"price\":{price}}}");
    let (one, two) = (item("1.25"), item("2"));
    let bodies = [
        ("application/json", format!("[{one},{two}]")),
        ("Application/JSON; charset=utf-8", format!("[\n{one},\n{two}\n]")),
        ("application/x-ndjson", format!("{one}\n{two}\n")),
        ("text/csv", "orig_code,dest_code,day,price\nAAAAA,BBBBB,2021-01-30,1.25\nAAAAA,BBBBB,2021-01-30,2\n".to_owned()),
        (
            "text/csv; header=present",
            "\u{feff}price,day,dest_code,orig_code\r\n1.25,2021-01-30,BBBBB,AAAAA\r\n\"2.00\",2021-01-30,BBBBB,AAAAA".to_owned(),
        ),
    ];
    let mut batches = 0;
    for (media_type, body) in bodies {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body.as_bytes()).unwrap();
        let gzipped = encoder.finish().unwrap();
        let plain = app.upload(Method::POST, BATCHES, (media_type, body), &[]).await;
        let gzipped = app.upload(Method::POST, BATCHES, (media_type, gzipped), &[("content-encoding", "gzip")]).await;
        for response in [plain, gzipped] {
            assert_eq!(response.status, 201, "{media_type}: {}", response.text());
            batches += 1;
        }
        let rate = fetch_rates(&app, ("AAAAA", "BBBBB"), DAY).await.remove(0);
        assert_eq!((rate.1, rate.2), (batches * 2, Some(1.625)), "{media_type}");
    }
    assert_sums_match_prices(&database).await;
}

async fn repeated_items_count_each_time(database: Arc<TestDatabase>) {
    let app = start_app_with_places(&database).await;
    let mut prices = CsvBatch::default();
    // More than one statement inserts.
    for _ in 0..25_000 {
        prices = prices.add("AAAAA", "BBBBB", "2021-01-30", "0.07");
    }
    import_batch(&app, &prices).await;
    import_batch(&app, &prices).await;
    assert_eq!(fetch_rates(&app, ("AAAAA", "BBBBB"), DAY).await, [("2021-01-30".to_owned(), 50_000, Some(0.07))]);
    assert_eq!(assert_sums_match_prices(&database).await, 50_000);
}

async fn a_deleted_batch_no_longer_counts(database: Arc<TestDatabase>) {
    let app = start_app_with_places(&database).await;
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    let remaining = CsvBatch::default().add("AAAAA", "BBBBB", "2021-01-30", "1").add("AAAAA", "CCCCC", "2021-01-30", "5");
    let deleted = CsvBatch::default().add("AAAAA", "BBBBB", "2021-01-30", "3").add("BBBBB", "AAAAA", "2021-01-30", "9");
    let remaining = import_batch(&app, &remaining).await;
    let deleted = import_batch(&app, &deleted).await;
    assert_eq!(fetch_rates(&app, ("AAAAA", "BBBBB"), DAY).await[0].1, 2);
    let version = catalogue_version::fetch_version(&connection).await.unwrap();

    let path = format!("{BATCHES}/{deleted}");
    let response = app.send(Method::DELETE, &path, &[]).await;
    assert_eq!((response.status.as_u16(), response.text()), (204, String::new()));
    assert_eq!(catalogue_version::fetch_version(&connection).await.unwrap(), version + 1);
    for method in [Method::GET, Method::DELETE] {
        app.send(method, &path, &[]).await.problem(404, "not_found");
    }
    assert_eq!(fetch_rates(&app, ("AAAAA", "BBBBB"), DAY).await[0].1, 1);
    assert_eq!(fetch_rates(&app, ("BBBBB", "AAAAA"), DAY).await[0].1, 0);
    assert_eq!(assert_sums_match_prices(&database).await, 2);
    let listed = app.get(BATCHES).await.json()["data"]["batches"].clone();
    assert_eq!(listed.as_array().unwrap().iter().map(|batch| batch["id"].as_i64().unwrap()).collect::<Vec<_>>(), [remaining]);
    app.send(Method::DELETE, &format!("{BATCHES}/0"), &[]).await.problem(404, "not_found");
    assert_eq!(app.send(Method::DELETE, &format!("{BATCHES}/x"), &[]).await.validation_errors()[0].0, "id");
}

async fn batches_are_listed_newest_first(database: Arc<TestDatabase>) {
    let app = start_app_with_places(&database).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(import_batch(&app, &CsvBatch::default().add("AAAAA", "BBBBB", "2021-01-30", "1")).await);
    }
    ids.reverse();
    let mut listed = Vec::new();
    for page in app.get_pages(&format!("{BATCHES}?limit=2")).await {
        listed.extend(page.json()["data"]["batches"].as_array().unwrap().iter().map(|batch| batch["id"].as_i64().unwrap()));
    }
    assert_eq!(listed, ids);
}

//! Batches that are right: in, told of, and taken back.

use std::{io::Write, sync::Arc};

use entity::catalogue_version;
use flate2::{Compression, write::GzEncoder};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use serde_json::json;

use super::{BATCHES, Prices, assert_recounted, bring_in, put_places, rates, send};
use crate::service::Service;

on_every_backend!(
    a_batch_is_told_of_when_it_is_in,
    every_format_and_gzip_bring_the_same,
    equal_items_count_as_often_as_they_come,
    what_is_taken_back_never_came,
    batches_are_listed_newest_first,
);

const DAY: (&str, &str) = ("2021-01-30", "2021-01-30");

async fn service_with_places(database: &TestDatabase) -> Service {
    let service = Service::on(database).await;
    put_places(&service, &[], &[("AAAAA", ""), ("BBBBB", ""), ("CCCCC", "")]).await;
    service
}

async fn a_batch_is_told_of_when_it_is_in(database: Arc<TestDatabase>) {
    let service = service_with_places(&database).await;
    let prices = Prices::default()
        .add("AAAAA", "BBBBB", "2021-01-30", "1")
        .add("AAAAA", "BBBBB", "2021-01-31", "1")
        .add("BBBBB", "AAAAA", "2021-01-30", "1")
        .add("AAAAA", "BBBBB", "2021-01-30", "2");
    let answer = send(&service, &prices, &[("idempotency-key", "k 1")]).await;
    assert_eq!(answer.status, 201);
    let batch = answer.json()["data"].clone();
    let expected = json!({
        "id": batch["id"], "count": 4, "days": 2, "routes": 2, "idempotency_key": "k 1", "taken_at": batch["taken_at"],
    });
    assert_eq!(batch, expected);
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("{BATCHES}/{}", batch["id"]));
    assert_eq!(service.get(location).await.json()["data"], batch);
    assert_eq!(assert_recounted(&database).await, 4);
}

async fn every_format_and_gzip_bring_the_same(database: Arc<TestDatabase>) {
    let service = service_with_places(&database).await;
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
        let zipped = encoder.finish().unwrap();
        let plain = service.upload(Method::POST, BATCHES, (media_type, body), &[]).await;
        let zipped = service.upload(Method::POST, BATCHES, (media_type, zipped), &[("content-encoding", "gzip")]).await;
        for answer in [plain, zipped] {
            assert_eq!(answer.status, 201, "{media_type}: {}", answer.text());
            batches += 1;
        }
        let found = rates(&service, ("AAAAA", "BBBBB"), DAY).await.remove(0);
        assert_eq!((found.1, found.2), (batches * 2, Some(1.625)), "{media_type}");
    }
    assert_recounted(&database).await;
}

async fn equal_items_count_as_often_as_they_come(database: Arc<TestDatabase>) {
    let service = service_with_places(&database).await;
    let mut prices = Prices::default();
    // More than are written with one statement.
    for _ in 0..25_000 {
        prices = prices.add("AAAAA", "BBBBB", "2021-01-30", "0.07");
    }
    bring_in(&service, &prices).await;
    bring_in(&service, &prices).await;
    assert_eq!(rates(&service, ("AAAAA", "BBBBB"), DAY).await, [("2021-01-30".to_owned(), 50_000, Some(0.07))]);
    assert_eq!(assert_recounted(&database).await, 50_000);
}

async fn what_is_taken_back_never_came(database: Arc<TestDatabase>) {
    let service = service_with_places(&database).await;
    let connection = database.connect(entity::ConnectionRole::Worker).await;
    let stays = Prices::default().add("AAAAA", "BBBBB", "2021-01-30", "1").add("AAAAA", "CCCCC", "2021-01-30", "5");
    let goes = Prices::default().add("AAAAA", "BBBBB", "2021-01-30", "3").add("BBBBB", "AAAAA", "2021-01-30", "9");
    let stays = bring_in(&service, &stays).await;
    let goes = bring_in(&service, &goes).await;
    assert_eq!(rates(&service, ("AAAAA", "BBBBB"), DAY).await[0].1, 2);
    let version = catalogue_version::fetch_version(&connection).await.unwrap();

    let path = format!("{BATCHES}/{goes}");
    let answer = service.send(Method::DELETE, &path, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (204, String::new()));
    assert_eq!(catalogue_version::fetch_version(&connection).await.unwrap(), version + 1);
    for method in [Method::GET, Method::DELETE] {
        service.send(method, &path, &[]).await.problem(404, "not_found");
    }
    assert_eq!(rates(&service, ("AAAAA", "BBBBB"), DAY).await[0].1, 1);
    assert_eq!(rates(&service, ("BBBBB", "AAAAA"), DAY).await[0].1, 0);
    assert_eq!(assert_recounted(&database).await, 2);
    let left = service.get(BATCHES).await.json()["data"]["batches"].clone();
    assert_eq!(left.as_array().unwrap().iter().map(|batch| batch["id"].as_i64().unwrap()).collect::<Vec<_>>(), [stays]);
    service.send(Method::DELETE, &format!("{BATCHES}/0"), &[]).await.problem(404, "not_found");
    assert_eq!(service.send(Method::DELETE, &format!("{BATCHES}/x"), &[]).await.mistakes()[0].0, "id");
}

async fn batches_are_listed_newest_first(database: Arc<TestDatabase>) {
    let service = service_with_places(&database).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(bring_in(&service, &Prices::default().add("AAAAA", "BBBBB", "2021-01-30", "1")).await);
    }
    ids.reverse();
    let mut found = Vec::new();
    let mut next = Some(format!("{BATCHES}?limit=2"));
    while let Some(path) = next {
        let answer = service.get(&path).await;
        found.extend(answer.json()["data"]["batches"].as_array().unwrap().iter().map(|batch| batch["id"].as_i64().unwrap()));
        next = answer.next();
    }
    assert_eq!(found, ids);
}

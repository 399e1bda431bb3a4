//! `rates load`: a file is a batch.

use std::io::Write;

use entity::{rate, rate_batch};
use flate2::{Compression, write::GzEncoder};
use migration::testing::{Backend, TestDatabase};
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait, PaginatorTrait};

use super::Office;
use crate::entries;

const HEADER: &str = "orig_code,dest_code,day,price\n";

async fn office(backend: Backend) -> (Office, DatabaseConnection) {
    let office = Office::with(TestDatabase::migrated(backend).await, &entries::entry_text("x", "http://127.0.0.1:1/feed", ""));
    let database = office.database.connect(entity::ConnectionRole::Worker).await;
    let place = |code: &str| entity::place::ActiveModel {
        code: Set(code.to_owned()),
        name: Set(code.to_owned()),
        folded_name: Set(String::new()),
        listed: Set(true),
        ..Default::default()
    };
    entity::place::Entity::insert_many([place("AAAAA"), place("BBBBB")]).exec_without_returning(&database).await.unwrap();
    (office, database)
}

async fn prices(database: &DatabaseConnection) -> u64 {
    rate::Entity::find().count(database).await.unwrap()
}

async fn a_file_is_loaded_once_under_its_key(backend: Backend) {
    let (office, database) = office(backend).await;
    let lines = "AAAAA,BBBBB,2021-01-31,1154.33\nBBBBB,AAAAA,2021-01-31,7\n".repeat(15_000);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(format!("{HEADER}{lines}").as_bytes()).unwrap();
    let file = office.write("january.CSV.gz", encoder.finish().unwrap());
    let file = file.to_str().unwrap();

    let told = office.told(&["rates", "load", file, "--idempotency-key", "january"]);
    let expected = format!("{file}: batch 1 taken in: 30000 prices of 2 routes on 1 days\n");
    assert_eq!((told.code, told.stdout.as_str()), (Some(0), expected.as_str()), "{told:?}");
    let told = office.told(&["rates", "load", file, "--idempotency-key", "january"]);
    assert!(told.code == Some(0) && told.stdout.contains("batch 1 had been taken in before"), "{told:?}");
    assert_eq!(prices(&database).await, 30_000);

    let other =
        office.write("other.ndjson", "{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}");
    let told = office.told(&["rates", "load", other.to_str().unwrap(), "--idempotency-key", "january"]);
    assert!(told.code == Some(1) && told.stderr.contains("the key of the batch was used for another one"), "{told:?}");
    let told = office.told(&["rates", "load", other.to_str().unwrap()]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(prices(&database).await, 30_001);

    let told = office.told(&["rates", "take-back", "1"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(0), "batch 1 taken back: 30000 prices\n"), "{told:?}");
    assert_eq!(prices(&database).await, 1);
    let told = office.told(&["rates", "take-back", "1"]);
    assert!(told.code == Some(1) && told.stderr.contains("there is no batch 1"), "{told:?}");
    office.database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_loaded_once_under_its_key_on_sqlite() {
    a_file_is_loaded_once_under_its_key(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_loaded_once_under_its_key_on_postgres() {
    a_file_is_loaded_once_under_its_key(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_items_are_told_as_compilers_tell_them_and_nothing_is_taken() {
    let (office, database) = office(Backend::Sqlite).await;
    let file = office
        .write("wrong.csv", format!("{HEADER}AAAAA,BBBBB,2021-01-31,1\nAAAAA,BBBBB,2021-02-31,1\n\nx,BBBBB,2021-01-31,-1\n"));
    let file = file.to_str().unwrap();
    let told = office.told(&["rates", "load", file]);
    let expected = format!(
        "{file}:3: `day` must be an existing date, got `2021-02-31`\n\
         {file}:5: `orig_code` must be the code of a place that was imported with PUT /places, got `x`; `price` must be 0 or more, got `-1`\n\
         {file}: nothing was taken in, because of 2 wrong items\n"
    );
    assert_eq!((told.code, told.stdout), (Some(1), expected));
    assert_eq!(prices(&database).await, 0);
    assert_eq!(rate_batch::Entity::find().count(&database).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_told_so() {
    let (office, _) = office(Backend::Sqlite).await;
    let plain = office.write("plain.csv.gz", HEADER);
    let unknown = office.write("prices.xlsx", HEADER);
    for (file, part) in [
        (plain.to_str().unwrap(), "not whole gzip"),
        (unknown.to_str().unwrap(), "say --format"),
        ("/nowhere/prices.csv", "cannot be read"),
        ("-", "say --format"),
    ] {
        let told = office.told(&["rates", "load", file]);
        assert!(told.code == Some(1) && told.stderr.contains(part), "{file}: {told:?}");
    }
    let told = office.told(&["rates", "load", plain.to_str().unwrap(), "--idempotency-key", ""]);
    assert_eq!(told.code, Some(2), "{told:?}");
}

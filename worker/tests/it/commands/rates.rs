//! `marquee-worker rates`: a file is a batch.

use std::io::Write;

use entity::{rate, rate_batch};
use flate2::{Compression, write::GzEncoder};
use migration::testing::{Backend, TestDatabase};
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait, PaginatorTrait};

use super::Sandbox;
use crate::entries;

const HEADER: &str = "orig_code,dest_code,day,price\n";

async fn sandbox_with_places(backend: Backend) -> (Sandbox, DatabaseConnection) {
    let sandbox = Sandbox::with(TestDatabase::migrated(backend).await, &entries::entry_text("x", "http://127.0.0.1:1/feed", ""));
    let database = sandbox.database.connect(entity::ConnectionRole::Worker).await;
    let place = |code: &str| entity::place::ActiveModel {
        code: Set(code.to_owned()),
        name: Set(code.to_owned()),
        folded_name: Set(String::new()),
        listed: Set(true),
        ..Default::default()
    };
    entity::place::Entity::insert_many([place("AAAAA"), place("BBBBB")]).exec_without_returning(&database).await.unwrap();
    (sandbox, database)
}

async fn count_prices(database: &DatabaseConnection) -> u64 {
    rate::Entity::find().count(database).await.unwrap()
}

async fn a_file_is_loaded_once_under_its_key(backend: Backend) {
    let (sandbox, database) = sandbox_with_places(backend).await;
    let lines = "AAAAA,BBBBB,2021-01-31,1154.33\nBBBBB,AAAAA,2021-01-31,7\n".repeat(15_000);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(format!("{HEADER}{lines}").as_bytes()).unwrap();
    let file = sandbox.write("january.CSV.gz", encoder.finish().unwrap());
    let file = file.to_str().unwrap();

    let output = sandbox.run(&["rates", "load", file, "--idempotency-key", "january"]);
    let expected = format!("{file}: batch 1 loaded: 30000 prices for 2 routes on 1 day\n");
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), expected.as_str()), "{output:?}");
    let output = sandbox.run(&["rates", "load", file, "--idempotency-key", "january"]);
    assert!(output.code == Some(0) && output.stdout.contains("batch 1 was already loaded"), "{output:?}");
    assert_eq!(count_prices(&database).await, 30_000);

    let other =
        sandbox.write("other.ndjson", "{\"orig_code\":\"AAAAA\",\"dest_code\":\"BBBBB\",\"day\":\"2021-01-31\",\"price\":1}");
    let output = sandbox.run(&["rates", "load", other.to_str().unwrap(), "--idempotency-key", "january"]);
    assert!(output.code == Some(1) && output.stderr.contains("the idempotency key was used for another batch"), "{output:?}");
    let output = sandbox.run(&["rates", "load", other.to_str().unwrap()]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(count_prices(&database).await, 30_001);

    let output = sandbox.run(&["rates", "delete", "1"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "batch 1 deleted: 30000 prices\n"), "{output:?}");
    assert_eq!(count_prices(&database).await, 1);
    let output = sandbox.run(&["rates", "take-back", "1"]);
    assert!(output.code == Some(1) && output.stderr.contains("batch 1 does not exist or was already deleted"), "{output:?}");
    sandbox.database.remove().await;
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
async fn invalid_rows_are_reported_with_their_lines_and_nothing_is_loaded() {
    let (sandbox, database) = sandbox_with_places(Backend::Sqlite).await;
    let file = sandbox
        .write("wrong.csv", format!("{HEADER}AAAAA,BBBBB,2021-01-31,1\nAAAAA,BBBBB,2021-02-31,1\n\nx,BBBBB,2021-01-31,-1\n"));
    let file = file.to_str().unwrap();
    let output = sandbox.run(&["rates", "load", file]);
    let expected = format!(
        "{file}:3: `day` must be an existing date, got `2021-02-31`\n\
         {file}:5: `orig_code` must be the code of a place that was imported with PUT /places, got `x`; `price` must be 0 or more, got `-1`\n\
         {file}: nothing was loaded because of 2 errors\n"
    );
    assert_eq!((output.code, output.stdout), (Some(1), expected));
    assert_eq!(count_prices(&database).await, 0);
    assert_eq!(rate_batch::Entity::find().count(&database).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_file_is_reported() {
    let (sandbox, _) = sandbox_with_places(Backend::Sqlite).await;
    let plain = sandbox.write("plain.csv.gz", HEADER);
    let unknown = sandbox.write("prices.xlsx", HEADER);
    for (file, part) in [
        (plain.to_str().unwrap(), "invalid or incomplete gzip"),
        (unknown.to_str().unwrap(), "use --format"),
        ("/nowhere/prices.csv", "cannot be read"),
        ("-", "use --format"),
    ] {
        let output = sandbox.run(&["rates", "load", file]);
        assert!(output.code == Some(1) && output.stderr.contains(part), "{file}: {output:?}");
    }
    let output = sandbox.run(&["rates", "load", plain.to_str().unwrap(), "--idempotency-key", ""]);
    assert_eq!(output.code, Some(2), "{output:?}");
}

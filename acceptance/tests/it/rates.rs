//! Batches of prices through the real API, which is killed and told to stop in the middle of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{ConnectionRole, rate, rate_batch};
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, Statement};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::house::{Api, House, answer};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the API is killed.
const ROUNDS: u32 = 12;
const LINES: usize = 5_000;
const BATCHES: &str = "/rates/batches";
const CSV: (&str, &str) = ("Content-Type", "text/csv");
const HEADER: &str = "orig_code,dest_code,day,price\n";
const LINE: &str = "AAAAA,BBBBB,2021-01-31,7\n";

async fn house(backend: Backend) -> (House, DatabaseConnection) {
    let house = House::new(Arc::new(TestDatabase::migrated(backend).await), SimCatalogue::default()).await;
    let database = house.database.connect(ConnectionRole::Worker).await;
    (house, database)
}

async fn put_places(api: &Api) {
    let place = |code: &str| format!("{{\"code\":\"{code}\",\"name\":\"{code}\"}}");
    let list = format!("{{\"regions\":[],\"places\":[{},{}]}}", place("AAAAA"), place("BBBBB"));
    let put = api.send("PUT", "/places", &[("Content-Type", "application/json")], &list).await;
    assert_eq!(put.map(|(status, _)| status), Some(200));
}

/// Makes sure that each batch is whole and that the sums are those of the prices; returns how many batches there are.
async fn whole_batches(database: &DatabaseConnection) -> u64 {
    let batches = rate_batch::Entity::find().all(database).await.unwrap();
    for batch in &batches {
        let prices = rate::Entity::find().filter(rate::Column::BatchId.eq(batch.id)).count(database).await.unwrap();
        assert_eq!(prices, LINES as u64, "{batch:?}");
    }
    let (sums, recount) = (
        "SELECT orig_place_id, dest_place_id, day, price_count, price_sum FROM rate_day WHERE price_count > 0",
        "SELECT orig_place_id, dest_place_id, day, COUNT(*), SUM(price) FROM rate GROUP BY orig_place_id, dest_place_id, day",
    );
    for (these, others) in [(sums, recount), (recount, sums)] {
        let differing = Statement::from_string(database.get_database_backend(), format!("{these} EXCEPT {others}"));
        let differing = database.query_all_raw(differing).await.unwrap();
        assert!(differing.is_empty(), "{} sums are not those of the prices", differing.len());
    }
    batches.len() as u64
}

/// A batch whose prices lie on many days.
fn body() -> String {
    let line = |at: usize| format!("AAAAA,BBBBB,20{:02}-01-{:02},{}\n", 10 + at % 50, 1 + at % 28, at);
    let lines: String = (0..LINES).map(line).collect();
    format!("{HEADER}{lines}")
}

/// Sends the batch until it is settled: the database may need a moment to see that the process is gone which held the key.
async fn settle(api: &Api, key: &str, body: &str) {
    let begun = Instant::now();
    loop {
        let (status, answer) = api.send("POST", BATCHES, &[CSV, ("Idempotency-Key", key)], body).await.expect("an answer");
        match status {
            201 => {
                assert_eq!(answer["data"]["count"], LINES, "{answer}");
                return;
            }
            409 => assert!(begun.elapsed() < PATIENCE, "the key is never free: {answer}"),
            _ => panic!("{status}: {answer}"),
        }
    }
}

async fn killed_at_any_moment(backend: Backend) {
    let (house, database) = house(backend).await;
    let body = body();
    put_places(&house.api()).await;
    // By a process that has no connection yet, as those that are killed.
    let api = house.api();
    let begun = Instant::now();
    settle(&api, "calm", &body).await;
    let calm = begun.elapsed();
    drop(api);

    let (mut was_in, mut was_out) = (0, 0);
    for round in 0..ROUNDS {
        let key = format!("round {round}");
        let before = whole_batches(&database).await;
        let mut api = house.api();
        // From the first byte to some time after the answer would have come, in equal steps.
        let killed_after = calm.mul_f64(1.5 * f64::from(round) / f64::from(ROUNDS));
        let headers = [CSV, ("Idempotency-Key", key.as_str())];
        let sent = timeout(killed_after, api.send("POST", BATCHES, &headers, &body)).await;
        api.kill();
        let answered = matches!(sent, Ok(Some((201, _))));

        let api = house.api();
        // The server may still be at work on what the process has asked for last.
        let begun = Instant::now();
        while let Some((409, _)) = api.send("POST", BATCHES, &headers, HEADER).await {
            assert!(begun.elapsed() < PATIENCE, "the key is never free");
        }
        let after = whole_batches(&database).await;
        assert!(after == before + 1 || after == before && !answered, "an answered batch is lost");
        (was_in, was_out) = if after > before { (was_in + 1, was_out) } else { (was_in, was_out + 1) };
        settle(&api, &key, &body).await;
        assert_eq!(whole_batches(&database).await, before + 1, "the repetition settles it");
    }
    #[expect(clippy::print_stdout, reason = "the tally is worth seeing")]
    {
        println!("{backend:?}: killed {ROUNDS} times in {calm:?}: {was_in} batches were in whole, {was_out} not at all");
    }
    assert!(was_out > 0, "it was never killed in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_batch_on_postgres() {
    killed_at_any_moment(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_batch_on_sqlite() {
    killed_at_any_moment(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_comes_while_the_api_stops_is_finished() {
    let (house, database) = house(Backend::Postgres).await;
    let mut api = house.api();
    put_places(&api).await;
    let body = body();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = api.begin("POST", BATCHES, &[CSV], body.len()).await;
    stream.write_all(first.as_bytes()).await.unwrap();
    api.signal();
    let begun = Instant::now();
    while api.listens().await {
        assert!(begun.elapsed() < PATIENCE, "it does not stop");
    }
    stream.write_all(rest.as_bytes()).await.unwrap();
    let (status, answer) = answer(stream).await.unwrap();
    assert_eq!((status, &answer["data"]["count"]), (201, &LINES.into()), "{answer}");
    assert!(api.end().success());
    assert_eq!(whole_batches(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_does_not_come_while_the_api_stops_is_refused_whole() {
    let (house, database) = house(Backend::Sqlite).await;
    let mut api = house.api();
    put_places(&api).await;
    let body = format!("{HEADER}{LINE}");
    let mut stream = api.begin("POST", BATCHES, &[CSV], body.len() + LINE.len()).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    api.signal();
    let (status, answer) = timeout(PATIENCE, answer(stream)).await.unwrap().unwrap();
    assert_eq!((status, answer["error"]["code"].as_str()), (503, Some("shutting_down")), "{answer}");
    assert!(api.end().success());
    assert_eq!(whole_batches(&database).await, 0);
}

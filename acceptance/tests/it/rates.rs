//! Price batches while the API is killed or stopped.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{ConnectionRole, rate, rate_batch};
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, Statement};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::deployment::{ApiProcess, Deployment, read_response};

/// How long a busy machine may take for one step.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the API is killed.
const ROUNDS: u32 = 12;
const LINES: usize = 5_000;
const BATCHES: &str = "/rates/batches";
const CSV: (&str, &str) = ("Content-Type", "text/csv");
const HEADER: &str = "orig_code,dest_code,day,price\n";
const LINE: &str = "AAAAA,BBBBB,2021-01-31,7\n";

async fn deploy(backend: Backend) -> (Deployment, DatabaseConnection) {
    let deployment = Deployment::new(Arc::new(TestDatabase::migrated(backend).await), SimCatalogue::default()).await;
    let database = deployment.database.connect(ConnectionRole::Worker).await;
    (deployment, database)
}

async fn put_places(api: &ApiProcess) {
    let place = |code: &str| format!("{{\"code\":\"{code}\",\"name\":\"{code}\"}}");
    let list = format!("{{\"regions\":[],\"places\":[{},{}]}}", place("AAAAA"), place("BBBBB"));
    let put = api.send("PUT", "/places", &[("Content-Type", "application/json")], &list).await;
    assert_eq!(put.map(|(status, _)| status), Some(200));
}

/// Checks that each batch is complete and that the stored sums match the prices; returns the number of batches.
async fn count_complete_batches(database: &DatabaseConnection) -> u64 {
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
        assert!(differing.is_empty(), "{} sums differ from the prices", differing.len());
    }
    batches.len() as u64
}

/// A batch with prices on many days.
fn format_batch() -> String {
    let line = |at: usize| format!("AAAAA,BBBBB,20{:02}-01-{:02},{}\n", 10 + at % 50, 1 + at % 28, at);
    let lines: String = (0..LINES).map(line).collect();
    format!("{HEADER}{lines}")
}

/// Sends the batch until it is committed: the database may need a moment to release the key of a killed process.
async fn send_until_committed(api: &ApiProcess, key: &str, body: &str) {
    let started = Instant::now();
    loop {
        let (status, response) = api.send("POST", BATCHES, &[CSV, ("Idempotency-Key", key)], body).await.expect("a response");
        match status {
            201 => {
                assert_eq!(response["data"]["count"], LINES, "{response}");
                return;
            }
            409 => assert!(started.elapsed() < PATIENCE, "the key is not released: {response}"),
            _ => panic!("{status}: {response}"),
        }
    }
}

async fn killed_at_any_moment(backend: Backend) {
    let (deployment, database) = deploy(backend).await;
    let body = format_batch();
    put_places(&deployment.start_api()).await;
    // A new process without database connections, as in the rounds below.
    let api = deployment.start_api();
    let started = Instant::now();
    send_until_committed(&api, "baseline", &body).await;
    let baseline = started.elapsed();
    drop(api);

    let (mut committed, mut rolled_back) = (0, 0);
    for round in 0..ROUNDS {
        let key = format!("round {round}");
        let before = count_complete_batches(&database).await;
        let mut api = deployment.start_api();
        // In equal steps from before the first byte to after the expected response.
        let killed_after = baseline.mul_f64(1.5 * f64::from(round) / f64::from(ROUNDS));
        let headers = [CSV, ("Idempotency-Key", key.as_str())];
        let sent = timeout(killed_after, api.send("POST", BATCHES, &headers, &body)).await;
        api.kill();
        let is_confirmed = matches!(sent, Ok(Some((201, _))));

        let api = deployment.start_api();
        // The database server may still execute the last statement of the killed process.
        let started = Instant::now();
        while let Some((409, _)) = api.send("POST", BATCHES, &headers, HEADER).await {
            assert!(started.elapsed() < PATIENCE, "the key is not released");
        }
        let after = count_complete_batches(&database).await;
        assert!(after == before + 1 || after == before && !is_confirmed, "a confirmed batch is lost");
        (committed, rolled_back) = if after > before { (committed + 1, rolled_back) } else { (committed, rolled_back + 1) };
        send_until_committed(&api, &key, &body).await;
        assert_eq!(count_complete_batches(&database).await, before + 1, "the retry commits it");
    }
    #[expect(clippy::print_stdout, reason = "shows how often the kills hit")]
    {
        println!(
            "{backend:?}: killed {ROUNDS} times within {baseline:?}: {committed} batches committed, {rolled_back} rolled back"
        );
    }
    // The first kill precedes the first byte, however slow the machine.
    assert!(rolled_back > 0, "every batch was committed before the kill");
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
async fn a_batch_in_progress_is_committed_during_shutdown() {
    let (deployment, database) = deploy(Backend::Postgres).await;
    let mut api = deployment.start_api();
    put_places(&api).await;
    let body = format_batch();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = api.begin("POST", BATCHES, &[CSV], body.len()).await;
    stream.write_all(first.as_bytes()).await.unwrap();
    api.request_shutdown();
    let started = Instant::now();
    while api.is_listening().await {
        assert!(started.elapsed() < PATIENCE, "the API does not stop");
    }
    stream.write_all(rest.as_bytes()).await.unwrap();
    let (status, response) = read_response(stream).await.unwrap();
    assert_eq!((status, &response["data"]["count"]), (201, &LINES.into()), "{response}");
    assert!(api.wait_for_exit().success());
    assert_eq!(count_complete_batches(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_batch_is_rejected_during_shutdown() {
    let (deployment, database) = deploy(Backend::Sqlite).await;
    let mut api = deployment.start_api();
    put_places(&api).await;
    let body = format!("{HEADER}{LINE}");
    let mut stream = api.begin("POST", BATCHES, &[CSV], body.len() + LINE.len()).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    api.request_shutdown();
    let (status, response) = timeout(PATIENCE, read_response(stream)).await.unwrap().unwrap();
    assert_eq!((status, response["error"]["code"].as_str()), (503, Some("shutting_down")), "{response}");
    assert!(api.wait_for_exit().success());
    assert_eq!(count_complete_batches(&database).await, 0);
}

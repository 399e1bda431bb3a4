//! The probe through the real programs: a datum is answered only when the database, the queue and a worker all do their part.

use std::{path::Path, process::Command, sync::Arc};

use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::SimCatalogue;

use crate::{
    house::{Api, House},
    patience::eventually,
};

on_every_backend!(
    a_datum_goes_the_whole_way,
    what_does_not_work_is_told_by_the_smoke_test,
    where_there_are_keys_the_smoke_test_shows_one,
);

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

async fn give(api: &Api, data: &str) {
    let (status, answer) = api.send("POST", "/multivac/data", &[FORM], &format!("data={data}")).await.unwrap();
    assert_eq!((status, answer["response"].as_str()), (200, Some("MultiVAC updated!")), "{answer}");
}

async fn a_datum_goes_the_whole_way(database: Arc<TestDatabase>) {
    let house = House::new(database, SimCatalogue::default()).await;
    let api = house.api();
    give(&api, "before").await;
    assert_eq!(api.text("/multivac").await, "INSUFFICIENT DATA FOR MEANINGFUL ANSWER.", "nobody works yet");
    let _worker = house.run("worker");
    eventually("the first is acquired", async || (api.text("/multivac").await == "before").then_some(())).await;
    give(&api, "after").await;
    eventually("the second is acquired", async || (api.text("/multivac").await == "after").then_some(())).await;
    let (_, listed) = api.get("/zzz").await;
    let listed = listed["data"]["data"].as_array().unwrap().clone();
    let data: Vec<_> = listed.iter().map(|datum| datum["data"].as_str().unwrap()).collect();
    assert_eq!(data, ["after", "before"]);
    assert!(listed.iter().all(|datum| datum["processed_at"].is_string()), "{listed:?}");
}

/// How `make smoke` ends, and what it says.
fn smoke(address: &str) -> (bool, String) {
    smoke_with(address, "")
}

fn smoke_with(address: &str, key: &str) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("scripts/smoke");
    let output =
        Command::new(script).arg(format!("http://{address}")).env("SMOKE_SECONDS", "10").env("SMOKE_KEY", key).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

async fn what_does_not_work_is_told_by_the_smoke_test(database: Arc<TestDatabase>) {
    let house = House::new(database, SimCatalogue::default()).await;
    let mut api = house.api();
    let worker = house.run("worker");
    let (is_whole, told) = smoke(api.address());
    assert!(is_whole && told.contains("the deployment works"), "{told}");
    drop(worker);
    let (is_whole, told) = smoke(api.address());
    assert!(!is_whole && told.contains("the worker"), "{told}");
    api.kill();
    let (is_whole, told) = smoke(api.address());
    assert!(!is_whole && told.contains("does not answer"), "{told}");
}

async fn where_there_are_keys_the_smoke_test_shows_one(database: Arc<TestDatabase>) {
    let house = House::new(database, SimCatalogue::default()).await;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("keys.toml");
    let file = file.to_str().unwrap();
    let key = |scope| house.new_key(file, scope);
    let (admin, rates) = (key("admin"), key("rates"));
    let (api, _worker) = (house.api_with(&[("API_KEYS_FILE", file)]), house.run("worker"));
    let (is_whole, told) = smoke_with(api.address(), &admin);
    assert!(is_whole && told.contains("the deployment works"), "{told}");
    for refused in ["", rates.as_str(), "mq_wrong"] {
        let (is_whole, told) = smoke_with(api.address(), refused);
        assert!(!is_whole && told.contains("the key is refused"), "{told}");
    }
}

//! The probe (`/multivac`) and the smoke test: both succeed only if the API, the database, the queue and a worker work.

use std::{path::Path, process::Command, sync::Arc};

use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::SimCatalogue;

use crate::{
    deployment::{ApiProcess, Deployment},
    wait::eventually,
};

on_every_backend!(
    a_datum_is_processed_by_a_worker_and_returned,
    the_smoke_test_reports_which_part_failed,
    the_smoke_test_uses_an_api_key,
);

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

async fn submit(api: &ApiProcess, data: &str) {
    let (status, body) = api.send("POST", "/multivac/data", &[FORM], &format!("data={data}")).await.unwrap();
    assert_eq!((status, body["response"].as_str()), (200, Some("MultiVAC updated!")), "{body}");
}

async fn a_datum_is_processed_by_a_worker_and_returned(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SimCatalogue::default()).await;
    let api = deployment.start_api();
    submit(&api, "before").await;
    assert_eq!(api.text("/multivac").await, "INSUFFICIENT DATA FOR MEANINGFUL ANSWER.", "no worker is running yet");
    let _worker = deployment.start_worker("worker");
    eventually("the first datum is processed", async || (api.text("/multivac").await == "before").then_some(())).await;
    submit(&api, "after").await;
    eventually("the second datum is processed", async || (api.text("/multivac").await == "after").then_some(())).await;
    let (_, listed) = api.get("/zzz").await;
    let listed = listed["data"]["data"].as_array().unwrap().clone();
    let data: Vec<_> = listed.iter().map(|datum| datum["data"].as_str().unwrap()).collect();
    assert_eq!(data, ["after", "before"]);
    assert!(listed.iter().all(|datum| datum["processed_at"].is_string()), "{listed:?}");
}

/// Runs `scripts/smoke`; returns whether it succeeded, and its output.
fn smoke(address: &str, key: &str) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("scripts/smoke");
    let mut command = Command::new(script);
    command.arg(format!("http://{address}")).env("SMOKE_SECONDS", "10").env("SMOKE_KEY", key);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

async fn the_smoke_test_reports_which_part_failed(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SimCatalogue::default()).await;
    let mut api = deployment.start_api();
    let worker = deployment.start_worker("worker");
    let (succeeded, output) = smoke(api.address(), "");
    assert!(succeeded && output.contains("the deployment works"), "{output}");
    drop(worker);
    let (succeeded, output) = smoke(api.address(), "");
    assert!(!succeeded && output.contains("no worker has processed the datum"), "{output}");
    api.kill();
    let (succeeded, output) = smoke(api.address(), "");
    assert!(!succeeded && output.contains("the API is not reachable"), "{output}");
}

async fn the_smoke_test_uses_an_api_key(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SimCatalogue::default()).await;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("keys.toml");
    let file = file.to_str().unwrap();
    let (admin, rates) = (deployment.create_key(file, "admin"), deployment.create_key(file, "rates"));
    let (api, _worker) = (deployment.start_api_with(&[("API_KEYS_FILE", file)]), deployment.start_worker("worker"));
    let (succeeded, output) = smoke(api.address(), &admin);
    assert!(succeeded && output.contains("the deployment works"), "{output}");
    for key in ["", rates.as_str(), "mq_wrong"] {
        let (succeeded, output) = smoke(api.address(), key);
        assert!(!succeeded && output.contains("the API key is rejected"), "{output}");
    }
}

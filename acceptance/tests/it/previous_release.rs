//! Two releases at the same time on one database: the programs of an earlier commit, in the folder `PREVIOUS_PROGRAMS`, and these.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use serde_json::{Value, json};

use crate::{
    deployment::{ApiProcess, Deployment, SLUG, WorkerProcess, format_entry},
    wait::eventually,
};

/// The slug of a provider that only pushes.
const PUSHER: &str = "pusher";
const CATALOGUE: SimCatalogue = SimCatalogue {
    seed: 9,
    events: 40,
    zones: 2,
    churn: 50.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap(),
    details: true,
};
/// How an excluded worker describes the schema.
const TOO_NEW: &str = "is too new";
/// What both releases must respond with the same bytes.
const CONTRACTS: [&str; 5] = [
    "/search?limit=1000",
    "/search?starts_at=2031-01-05T00:00:00&ends_at=2031-01-20T00:00:00&limit=500",
    "/rates?date_from=2031-01-30&date_to=2031-02-02&orig_code=AAAAA&dest_code=BBBBB",
    "/places",
    "/multivac",
];
/// Documents that a release may extend.
const EXTENSIBLE: [&str; 4] = ["/events?range=all&limit=100", "/performers", "/venues", "/categories"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the programs of an earlier commit: make test-upgrade"]
async fn two_releases_share_a_sqlite_file() {
    share(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the programs of an earlier commit: make test-upgrade"]
async fn two_releases_share_a_postgres_database() {
    share(Backend::Postgres).await;
}

async fn share(backend: Backend) {
    let mut deployment = Deployment::new(Arc::new(TestDatabase::empty(backend).await), CATALOGUE).await;
    deployment.provider.freeze();
    let entries =
        [(SLUG, "* * * * * *"), (PUSHER, "0 0 0 1 1 *")].map(|(slug, schedule)| format_entry(slug, &deployment.url, schedule));
    deployment.write_providers(&entries.concat());
    let previous = PathBuf::from(std::env::var_os("PREVIOUS_PROGRAMS").expect("the folder of the earlier programs"));
    let current = std::mem::replace(&mut deployment.programs, previous.clone());

    deployment.migrate();
    let previous_api = deployment.start_api();
    let previous_worker = deployment.start_worker("previous");
    write_everything(&previous_api, "AAAAA,BBBBB,2031-01-31,7\n").await;
    // Each has 40, of which some are not sold online.
    eventually("both feeds are copied", async || (events(&previous_api).await.len() > 40).then_some(())).await;
    eventually("the datum is processed", async || (previous_api.text("/multivac").await == "written").then_some(())).await;
    // Without cached responses.
    let late_api = deployment.start_api();
    let (contracts, known) = (read_contracts(&late_api).await, events(&late_api).await);

    deployment.programs = current.clone();
    deployment.migrate();
    assert_eq!(previous_api.get("/readyz").await.0, 200);
    deployment.programs = previous;
    let later_api = deployment.start_api();
    let status = deployment.worker_command(&["status"]).output().unwrap();
    let is_excluded = String::from_utf8_lossy(&status.stderr).contains(TOO_NEW);
    assert_eq!(status.status.success(), !is_excluded, "{status:?}");
    assert_eq!(read_contracts(&later_api).await, contracts, "the earlier API reads the new schema");

    deployment.programs = current;
    let (api, worker) = (deployment.start_api(), deployment.start_worker("current"));
    if is_excluded {
        assert_runs_no_job(&previous_worker, &deployment).await;
    }
    assert_eq!(read_contracts(&api).await, contracts, "the new API reads the earlier copy");
    assert!(events(&api).await.is_superset(&known), "ids remain");

    deployment.provider.thaw();
    deployment.provider.advance();
    deployment.provider.freeze();
    eventually("the new worker changes the copy", async || (read_contracts(&api).await != contracts).then_some(())).await;
    assert_same_responses(&previous_api, &api).await;
    // What the earlier API accepts, the new worker processes.
    write_everything(&previous_api, "AAAAA,BBBBB,2031-02-01,9\n").await;
    assert_same_responses(&previous_api, &api).await;
    let (_, rates) = api.get(CONTRACTS[2]).await;
    assert!(rates.to_string().contains("2031-02-01"), "{rates}");
    for path in EXTENSIBLE {
        for api in [&previous_api, &later_api, &api] {
            assert_eq!(api.get(path).await.0, 200, "{path}");
        }
    }
    let log = worker.read_log();
    assert!(!log.contains("ERROR"), "{log}");
}

/// Writes by every operation that changes the catalogue.
async fn write_everything(api: &ApiProcess, prices: &str) {
    let place = |code: &str| json!({"code": code, "name": code});
    let places = json!({"regions": [], "places": [place("AAAAA"), place("BBBBB")]}).to_string();
    let prices = format!("orig_code,dest_code,day,price\n{prices}");
    let feed = CATALOGUE.feed(1);
    for (method, path, media_type, body) in [
        ("PUT", "/places", "application/json", places.as_str()),
        ("POST", "/rates/batches", "text/csv", &prices),
        ("POST", "/multivac/data", "application/x-www-form-urlencoded", "data=written"),
        ("POST", &format!("/providers/{PUSHER}/feed"), "application/xml", &feed),
    ] {
        let response = eventually(&format!("{path} accepts a write"), async || {
            let (status, response) = api.send(method, path, &[("Content-Type", media_type)], body).await?;
            assert!(status < 300 || status == 404, "{path}: {status} {response}");
            // Until the worker has registered the provider.
            (status < 300).then_some(response)
        })
        .await;
        if let Some(run) = response["data"]["sync_run"].as_i64() {
            eventually("the push is processed", async || {
                let (_, run) = api.get(&format!("/sync-runs/{run}")).await;
                run["data"]["ended_at"].is_string().then_some(())
            })
            .await;
        }
    }
}

/// The responses that both releases must have in common.
async fn read_contracts(api: &ApiProcess) -> Vec<(u16, Value)> {
    let mut responses = Vec::new();
    for path in CONTRACTS {
        responses.push(api.get(path).await);
    }
    responses
}

/// The ids of all events.
async fn events(api: &ApiProcess) -> BTreeSet<String> {
    let (_, response) = api.get("/search?limit=1000").await;
    let events = response["data"]["events"].as_array().into_iter().flatten();
    events.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

async fn assert_same_responses(previous: &ApiProcess, current: &ApiProcess) {
    eventually("both releases respond with the same catalogue", async || {
        (read_contracts(previous).await == read_contracts(current).await).then_some(())
    })
    .await;
}

/// A worker claims no job on a schema that requires newer ones.
async fn assert_runs_no_job(worker: &WorkerProcess, deployment: &Deployment) {
    eventually("the earlier worker stops", async || worker.read_log().contains(TOO_NEW).then_some(())).await;
    let runs = worker.read_log().matches("sync completed").count();
    let requests = deployment.provider.statistics().requests;
    eventually("the new worker polls", async || (deployment.provider.statistics().requests > requests + 2).then_some(())).await;
    assert_eq!(worker.read_log().matches("sync completed").count(), runs, "it runs no job");
}

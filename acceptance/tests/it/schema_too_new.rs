//! Programs of this release on a database that a newer release has migrated.

use std::{process::Output, sync::Arc};

use entity::ConnectionRole;
use migration::{
    MigratorTrait, on_every_backend,
    testing::{EXPANSION, NextRelease, TestDatabase},
};
use provider_sim::{InjectedFault, SimCatalogue};
use serde_json::{Value, json};

use crate::{
    deployment::{ApiProcess, Deployment, SLUG},
    wait::eventually,
};

on_every_backend!(an_expansion_excludes_workers_only, a_contraction_excludes_all_programs, an_excluded_worker_releases_its_job);

const SMALL: SimCatalogue = SimCatalogue {
    seed: 5,
    events: 30,
    zones: 2,
    churn: 20.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap(),
    details: false,
};
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
/// What every program reports.
const TOO_NEW: &str = "is too new: it requires programs that know the migration m20991231_000001_expansion";

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Checks that the commands of the worker fail.
fn assert_commands_refuse(deployment: &Deployment) {
    for arguments in [&["status"][..], &["jobs", "list"], &["jobs", "retry", "1"], &["rates", "delete", "1"], &["sync", SLUG]] {
        let output = deployment.worker_command(arguments).output().unwrap();
        let error = stderr(&output);
        assert!(error.contains(TOO_NEW) && error.contains("use a newer release"), "{arguments:?}: {error}");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
}

/// Waits until a sync has succeeded, and returns the number of requests to the provider.
async fn wait_for_sync(deployment: &Deployment, api: &ApiProcess) -> u64 {
    let previous = deployment.provider.statistics().requests;
    eventually("a sync succeeds", async || {
        let (_, runs) = api.get("/sync-runs?state=succeeded&limit=1").await;
        let requests = deployment.provider.statistics().requests;
        (runs["data"]["sync_runs"].as_array().is_some_and(|runs| !runs.is_empty()) && requests > previous).then_some(requests)
    })
    .await
}

async fn an_expansion_excludes_workers_only(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SMALL).await;
    let schema = deployment.database.connect(ConnectionRole::Migrate).await;
    let (api, mut worker) = (deployment.start_api(), deployment.start_worker("worker"));
    wait_for_sync(&deployment, &api).await;

    NextRelease::up(&schema, Some(1)).await.unwrap();
    eventually("the worker stops", async || worker.read_log().contains(TOO_NEW).then_some(())).await;
    let requests = deployment.provider.statistics().requests;
    assert_commands_refuse(&deployment);
    assert_eq!(deployment.migrate().status.code(), Some(0), "an older release may be deployed again");
    assert_eq!(deployment.provider.statistics().requests, requests, "no job was claimed");
    assert_eq!(worker.exit_status(), None);
    assert_eq!(api.get("/readyz").await.0, 200);
    assert_eq!(api.get("/search?limit=3").await.0, 200);
    let (status, queued) = api.send("POST", "/multivac/data", &[FORM], "data=late").await.unwrap();
    assert_eq!(status, 200, "{queued}");

    NextRelease::down(&schema, Some(1)).await.unwrap();
    wait_for_sync(&deployment, &api).await;
    eventually("the datum is processed", async || (api.text("/multivac").await == "late").then_some(())).await;
    let log = worker.read_log();
    assert_eq!((log.matches("ERROR").count(), log.matches("worker started").count()), (1, 2), "{log}");
    schema.close().await.unwrap();
}

async fn a_contraction_excludes_all_programs(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SMALL).await;
    let schema = deployment.database.connect(ConnectionRole::Migrate).await;
    let (api, worker) = (deployment.start_api(), deployment.start_worker("worker"));
    wait_for_sync(&deployment, &api).await;
    let (_, cached) = api.get("/search?limit=3").await;

    NextRelease::up(&schema, None).await.unwrap();
    eventually("the API is not ready", async || (code(&api.get("/readyz").await) == "schema_too_new").then_some(())).await;
    for path in ["/readyz?strict", "/search?limit=7", "/providers", "/sync-runs", "/zzz", "/places"] {
        let (status, problem) = api.get(path).await;
        assert_eq!((status, &problem["error"]["code"]), (503, &json!("schema_too_new")), "{path}: {problem}");
    }
    let places = r#"{"regions":[],"places":[]}"#;
    for (method, path, media_type, body) in [
        ("POST", "/multivac/data", FORM.1, "data=late"),
        ("PUT", "/places", "application/json", places),
        ("POST", "/rates/batches", "text/csv", "orig_code,dest_code,day,price\n"),
        ("POST", "/providers/fever/sync", "text/plain", ""),
        ("POST", "/providers/fever/feed", "application/xml", "<eventList/>"),
    ] {
        let response = api.send(method, path, &[("Content-Type", media_type)], body).await.unwrap();
        assert_eq!((response.0, code(&response)), (503, json!("schema_too_new")), "{path}: {}", response.1);
    }
    assert_eq!(api.get("/search?limit=3").await, (200, cached), "it was read before");
    assert_eq!(api.get("/livez").await.0, 200);
    eventually("the worker stops", async || worker.read_log().contains(TOO_NEW).then_some(())).await;
    assert_commands_refuse(&deployment);
    let refused = deployment.migrate();
    assert!(stderr(&refused).contains(TOO_NEW), "{}", stderr(&refused));
    assert_eq!(refused.status.code(), Some(1));
    let late = deployment.start_api();
    assert_eq!(code(&late.get("/search").await), "schema_too_new", "the first request is refused");

    NextRelease::down(&schema, Some(2)).await.unwrap();
    eventually("the API is ready", async || (api.get("/readyz").await.0 == 200).then_some(())).await;
    wait_for_sync(&deployment, &api).await;
    schema.close().await.unwrap();
}

fn code((_, problem): &(u16, Value)) -> Value {
    problem["error"]["code"].clone()
}

/// Another worker can run the job immediately. Its lease is longer than the test waits.
async fn an_excluded_worker_releases_its_job(database: Arc<TestDatabase>) {
    let mut deployment = Deployment::new(database, SMALL).await;
    deployment.lease_seconds = 3_600;
    deployment.provider.fail_next([InjectedFault::Hang]);
    let schema = deployment.database.connect(ConnectionRole::Migrate).await;
    let worker = deployment.start_worker("worker");
    eventually("a job runs", async || (deployment.provider.statistics().requests == 1).then_some(())).await;

    NextRelease::up(&schema, Some(1)).await.unwrap();
    eventually("the worker stops", async || worker.read_log().contains(EXPANSION).then_some(())).await;
    let backlog = entity::job::queue::backlog(&schema).await.unwrap();
    assert_eq!((backlog.running, backlog.dead), (0, 0), "{}", worker.read_log());
    assert!(backlog.queued > 0);
    schema.close().await.unwrap();
}

//! A server that stops responding and closes no connection: the worker and its commands give up in time, and the worker continues with new
//! connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use entity::{
    ConnectionRole,
    sync_run::{
        self,
        RunState::{Failed, Running, Succeeded},
    },
};
use migration::testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{DatabaseConnection, EntityTrait, QueryOrder};

use crate::{
    deployment::{Deployment, SLUG, format_entry},
    wait::eventually,
};

/// The deadline of short statements, and a margin for a busy machine.
const DEADLINE: Duration = Duration::from_secs(14);

/// A deployment with a worker behind the proxy.
async fn deploy(mode: ProxyMode) -> (Deployment, DatabaseProxy) {
    let database = Arc::new(TestDatabase::migrated(Backend::Postgres).await);
    let proxy = DatabaseProxy::start(&database, mode).await;
    let mut deployment = Deployment::new(database, SimCatalogue { events: 20, ..SimCatalogue::default() }).await;
    deployment.worker_database = proxy.settings();
    (deployment, proxy)
}

async fn load_runs(database: &DatabaseConnection) -> Vec<sync_run::Model> {
    sync_run::Entity::find().order_by_asc(sync_run::Column::Id).all(database).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_continues_after_a_server_stopped_responding() {
    let (deployment, proxy) = deploy(ProxyMode::Forward).await;
    let reader = deployment.database.connect(ConnectionRole::Api).await;
    let mut worker = deployment.start_worker("one");
    eventually("a run succeeds", async || load_runs(&reader).await.iter().any(|run| run.state == Succeeded).then_some(())).await;

    proxy.set_mode(ProxyMode::HangAt("")).await;
    let started = Instant::now();
    eventually("it is detected", async || worker.read_log().contains("jobs cannot be claimed").then_some(())).await;
    assert!(started.elapsed() < DEADLINE, "{:?}", started.elapsed());
    let newest = load_runs(&reader).await.last().unwrap().id;

    // The connections that hang do so until they are closed.
    proxy.set_mode(ProxyMode::Forward).await;
    let runs = eventually("a later run ends, and all earlier ones", async || {
        let runs = load_runs(&reader).await;
        let has_later = runs.iter().any(|run| run.id > newest && run.ended_at.is_some());
        (has_later && runs.iter().all(|run| run.id > newest || run.state != Running)).then_some(runs)
    })
    .await;
    assert!(worker.exit_status().is_none(), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_fails_if_the_server_does_not_respond_to_a_write() {
    let (deployment, proxy) = deploy(ProxyMode::HangAt("INSERT INTO \"zone\"")).await;
    deployment.write_providers(&format_entry(SLUG, &deployment.url, "0 0 0 1 1 *"));
    let reader = deployment.database.connect(ConnectionRole::Api).await;
    let _worker = deployment.start_worker("one");
    proxy.wait_until_hung().await;
    proxy.set_mode(ProxyMode::Forward).await;

    let runs = eventually("the sync is retried", async || {
        let runs = load_runs(&reader).await;
        runs.iter().any(|run| run.state == Succeeded).then_some(runs)
    })
    .await;
    let outcomes: Vec<_> = runs.iter().map(|run| (run.state, run.reason_code.as_deref())).collect();
    assert_eq!(outcomes, [(Failed, Some("database_error")), (Succeeded, None)]);
    assert_eq!(runs[0].job_id, runs[1].job_id, "both runs belong to one job");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_fail_in_time_if_the_server_does_not_respond() {
    let (mut deployment, _) = deploy(ProxyMode::Forward).await;
    let mut running = Vec::new();
    for (arguments, statement) in [
        (&["status"][..], "FROM \"provider\""),
        (&["jobs", "list"], "FROM \"job\""),
        (&["jobs", "retry", "1"], "UPDATE \"job\""),
        (&["rates", "delete", "1"], "FROM \"rate_batch\""),
        (&["sync", SLUG], "INTO \"job\""),
    ] {
        let proxy = DatabaseProxy::start(&deployment.database, ProxyMode::HangAt(statement)).await;
        deployment.worker_database = proxy.settings();
        let command = deployment.worker_command(arguments).spawn().unwrap();
        let started = Instant::now();
        let ended = tokio::task::spawn_blocking(move || (command.wait_with_output().unwrap(), started.elapsed()));
        running.push((arguments, proxy, ended));
    }
    for (arguments, _proxy, ended) in running {
        let (output, elapsed) = ended.await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("no response within 10 s"), "{arguments:?}: {stderr}");
        assert!(elapsed < DEADLINE, "{arguments:?}: {elapsed:?}");
    }
}

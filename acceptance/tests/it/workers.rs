//! Several workers on one database: each tick is handled once, also if workers stop, are killed or freeze.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use entity::{
    ConnectionRole, catalogue_version, event, job, provider, sync_run,
    sync_run::RunState::{Failed, Queued, Succeeded, Unchanged},
};
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use provider_sim::{InjectedFault, SimCatalogue};
use sea_orm::{DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};

use crate::{
    deployment::{Deployment, SLUG, WorkerProcess, format_entry},
    wait::{eventually, eventually_all},
};

on_every_backend!(
    many_workers_handle_each_tick_once,
    a_stopping_worker_completes_its_job_and_returns_its_lease,
    the_job_of_a_killed_worker_is_taken_over,
    a_worker_that_resumes_after_its_lease_changes_nothing,
);

const SMALL: SimCatalogue = SimCatalogue {
    seed: 5,
    events: 30,
    zones: 2,
    churn: 20.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap(),
    details: false,
};
const ONCE_A_YEAR: &str = "0 0 0 1 1 *";
/// Longer than a busy machine suspends a process. For tests that do not kill workers.
const LONG_LEASE_SECONDS: u32 = 60;

async fn load_runs(database: &DatabaseConnection) -> Vec<sync_run::Model> {
    sync_run::Entity::find().order_by_asc(sync_run::Column::Id).all(database).await.unwrap()
}

async fn wait_for_ended_runs(database: &DatabaseConnection, count: usize) {
    eventually_all("runs have ended", count, async || {
        load_runs(database).await.into_iter().filter(|run| run.ended_at.is_some()).count()
    })
    .await;
}

/// Sends SIGTERM and waits until all workers have exited with status 0.
async fn stop(workers: &mut [WorkerProcess]) {
    for worker in &*workers {
        worker.send_signal("TERM");
    }
    for worker in workers {
        let status = eventually("the worker exits", async || worker.exit_status()).await;
        assert_eq!(status.code(), Some(0), "{}", worker.read_log());
    }
}

/// The jobs that sync providers. Others may begin at any time.
async fn load_sync_jobs(database: &DatabaseConnection) -> Vec<job::Model> {
    job::Entity::find().filter(job::COLUMN.kind.eq("sync")).all(database).await.unwrap()
}

/// The index of the worker that holds the lease of the only job.
async fn lease_holder(database: &DatabaseConnection, workers: &[WorkerProcess]) -> usize {
    eventually("a worker claims the job", async || {
        let jobs = load_sync_jobs(database).await;
        let name = jobs.into_iter().find_map(|job| job.worker)?;
        workers.iter().position(|worker| name.ends_with(&format!("/{}", worker.id())))
    })
    .await
}

async fn wait_for_first_request(deployment: &Deployment) {
    eventually("the provider receives a request", async || (deployment.provider.statistics().requests == 1).then_some(())).await;
}

/// Checks that runs succeed, do not overlap, and handle increasing ticks. A busy machine may combine ticks. The last runs may be queued:
/// workers that stop return a job that they have just claimed, while the next tick has its own.
fn assert_each_tick_once(runs: &[sync_run::Model]) {
    let ended = runs.split(|run| run.state == Queued).next().unwrap();
    assert!(runs[ended.len()..].iter().all(|run| run.state == Queued), "{runs:#?}");
    assert!(ended.iter().all(|run| matches!(run.state, Succeeded | Unchanged)), "{runs:#?}");
    for (run, next) in ended.iter().zip(&ended[1..]) {
        assert!(run.ended_at.unwrap() <= next.started_at, "two runs overlap: {run:?} and {next:?}");
        assert!(run.tick_at.unwrap() < next.tick_at.unwrap(), "a tick was handled twice: {run:?} and {next:?}");
    }
}

async fn many_workers_handle_each_tick_once(database: Arc<TestDatabase>) {
    let mut deployment = Deployment::new(database, SMALL).await;
    deployment.lease_seconds = LONG_LEASE_SECONDS;
    let reader = deployment.database.connect(ConnectionRole::Api).await;
    let mut workers = ["a", "b", "c"].map(|name| deployment.start_worker(name));
    wait_for_ended_runs(&reader, 7).await;
    stop(&mut workers).await;

    let runs = load_runs(&reader).await;
    assert_each_tick_once(&runs);
    let requests = deployment.provider.statistics().requests;
    let ended = runs.iter().filter(|run| run.ended_at.is_some()).count();
    assert_eq!(requests, u64::try_from(ended).unwrap(), "each run sent one request");
    let backlog = job::queue::backlog(&reader).await.unwrap();
    assert_eq!((backlog.running, backlog.dead), (0, 0));
}

async fn a_stopping_worker_completes_its_job_and_returns_its_lease(database: Arc<TestDatabase>) {
    let mut deployment = Deployment::new(database, SMALL).await;
    deployment.lease_seconds = LONG_LEASE_SECONDS;
    deployment.provider.set_faults([InjectedFault::Latency(Duration::from_millis(400))]);
    let reader = deployment.database.connect(ConnectionRole::Api).await;
    let mut workers = ["a", "b", "c"].map(|name| deployment.start_worker(name)).into_iter().collect::<Vec<_>>();
    for count in [2, 4] {
        wait_for_ended_runs(&reader, count).await;
        let mut holder = workers.remove(lease_holder(&reader, &workers).await);
        stop(std::slice::from_mut(&mut holder)).await;
    }
    wait_for_ended_runs(&reader, 7).await;
    stop(&mut workers).await;
    assert_each_tick_once(&load_runs(&reader).await);
    assert_eq!(job::queue::backlog(&reader).await.unwrap().running, 0, "all leases were returned");
}

async fn the_job_of_a_killed_worker_is_taken_over(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SMALL).await;
    deployment.write_providers(&format_entry(SLUG, &deployment.url, ONCE_A_YEAR));
    deployment.provider.fail_next([InjectedFault::Hang]);
    let reader = deployment.database.connect(ConnectionRole::Api).await;
    let mut workers = vec![deployment.start_worker("a"), deployment.start_worker("b")];
    wait_for_first_request(&deployment).await;
    let killed = workers.remove(lease_holder(&reader, &workers).await);
    killed.send_signal("KILL");
    wait_for_ended_runs(&reader, 2).await;
    stop(&mut workers).await;

    let runs = load_runs(&reader).await;
    let outcomes: Vec<_> = runs.iter().map(|run| (run.state, run.reason_code.as_deref())).collect();
    assert_eq!(outcomes, [(Failed, Some("abandoned")), (Succeeded, None)]);
    assert_eq!(runs[0].job_id, runs[1].job_id, "both runs belong to one job");
    assert_eq!(catalogue_version::fetch_version(&reader).await.unwrap(), 1);
    assert_eq!(event::Entity::find().all(&reader).await.unwrap().len(), 30);
    assert!(load_sync_jobs(&reader).await.is_empty());
}

async fn a_worker_that_resumes_after_its_lease_changes_nothing(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SMALL).await;
    deployment.write_providers(&format_entry(SLUG, &deployment.url, ONCE_A_YEAR));
    // Time for the test to freeze the worker, also on a busy machine.
    deployment.provider.fail_next([InjectedFault::Latency(Duration::from_secs(6))]);
    let reader = deployment.database.connect(ConnectionRole::Api).await;
    let mut workers = vec![deployment.start_worker("a"), deployment.start_worker("b")];
    wait_for_first_request(&deployment).await;
    let mut frozen = workers.remove(lease_holder(&reader, &workers).await);
    frozen.send_signal("STOP");
    wait_for_ended_runs(&reader, 2).await;
    eventually("the frozen worker's response is sent, too", async || {
        (deployment.provider.statistics().full_responses == 2).then_some(())
    })
    .await;
    let load_state = async || {
        let events = event::Entity::find().order_by_asc(event::Column::Id).all(&reader).await.unwrap();
        (load_runs(&reader).await, events, catalogue_version::fetch_version(&reader).await.unwrap())
    };
    let before = load_state().await;
    assert_eq!(before.0.iter().map(|run| run.state).collect::<Vec<_>>(), [Failed, Succeeded]);

    frozen.send_signal("CONT");
    eventually("the worker detects the lost lease", async || frozen.read_log().contains("lease_lost").then_some(())).await;
    // It keeps working, and its exit completes everything it started.
    stop(std::slice::from_mut(&mut frozen)).await;
    stop(&mut workers).await;
    assert_eq!(load_state().await, before);
}

const HEALTHY: usize = 198;

/// The number of providers with a successful run that started and ended during a run of `hanging`.
fn count_undelayed(providers: &[provider::Model], runs: &[sync_run::Model]) -> usize {
    let id = |slug: &str| providers.iter().find(|provider| provider.slug == slug).map(|provider| provider.id);
    let hanging: Vec<_> = runs.iter().filter(|run| Some(run.provider_id) == id("hanging") && run.state != Queued).collect();
    let is_during_hang = |run: &sync_run::Model| {
        let ended_at = run.ended_at.unwrap();
        hanging.iter().any(|hang| hang.started_at <= run.started_at && hang.ended_at.is_none_or(|end| ended_at <= end))
    };
    let successful = runs.iter().filter(|run| matches!(run.state, Succeeded | Unchanged) && is_during_hang(run));
    successful.map(|run| run.provider_id).collect::<BTreeSet<_>>().len()
}

/// The delay is not measured in time, which depends on the machine: a provider is delayed by another if its runs wait for the
/// other's run to end. So runs of all others must start and end while one provider does not respond.
#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_and_a_failing_provider_delay_none_of_198_others() {
    let database = Arc::new(TestDatabase::migrated(Backend::Postgres).await);
    let mut deployment = Deployment::new(database, SimCatalogue { events: 5, ..SMALL }).await;
    deployment.lease_seconds = LONG_LEASE_SECONDS;
    deployment.provider.freeze();
    let schedule = "*/10 * * * * *";
    let healthy = (0..HEALTHY).map(|number| format_entry(&format!("healthy-{number}"), &deployment.url, schedule));
    let mut entries: String = healthy.collect();
    // One byte per second: no read times out, so the run lasts for the minutes of its response timeout.
    for (slug, fault) in [("hanging", "slow:1"), ("failing", "status:503")] {
        entries += &format_entry(slug, &format!("{}?fault={fault}", deployment.url), schedule);
    }
    deployment.write_providers(&entries);
    let reader = deployment.database.connect(ConnectionRole::Api).await;
    let workers = ["a", "b", "c", "d"].map(|name| deployment.start_worker(name));

    let load_providers = async || provider::Entity::find().all(&reader).await.unwrap();
    eventually_all("providers have a run during the hang", HEALTHY, async || {
        count_undelayed(&load_providers().await, &load_runs(&reader).await)
    })
    .await;

    let runs = load_runs(&reader).await;
    for provider in load_providers().await {
        let mut of_provider: Vec<_> = runs.iter().filter(|run| run.provider_id == provider.id).collect();
        if provider.slug.starts_with("healthy") {
            of_provider.retain(|run| run.ended_at.is_some());
            assert!(of_provider.iter().all(|run| matches!(run.state, Succeeded | Unchanged)), "{of_provider:#?}");
            let has_distinct_ticks = of_provider.windows(2).all(|pair| pair[0].tick_at < pair[1].tick_at);
            assert!(has_distinct_ticks, "a tick was handled twice: {of_provider:#?}");
        } else {
            assert!(of_provider.iter().all(|run| !matches!(run.state, Succeeded | Unchanged)), "{of_provider:#?}");
        }
        if provider.slug == "failing" {
            assert!(of_provider.iter().any(|run| run.state == Failed), "{of_provider:#?}");
        }
    }
    for worker in &workers {
        // A graceful shutdown would wait for the hanging run.
        worker.send_signal("KILL");
    }
}

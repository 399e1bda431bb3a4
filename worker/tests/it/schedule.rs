//! When providers are polled, that none waits for another, and that running syncs are finished at shutdown.

use std::time::Duration;

use entity::{ConnectionRole, database_now, provider, sync_run, sync_run::RunState};
use migration::testing::{Backend, TestDatabase};
use outbound::EndpointSettings;
use provider_sim::InjectedFault;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseConnection, IntoActiveModel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::{
    provider::entry::ProviderEntry,
    schedule::ScheduleError,
    service::{self, ServiceEnd},
    sync::{FeedSource, register},
    webhooks::DeliveryContext,
};

use crate::{
    copy::{provider_of, runs_of, sync_now},
    entries,
    fetch::client,
    fixtures,
    patience::{eventually, in_time},
    served::ServedProvider,
};

const EVERY_SECOND: &str = "schedule = \"* * * * * *\"";
/// Longer than any test.
const LEASE: Duration = Duration::from_secs(600);

/// A running worker.
struct Polling {
    connection: DatabaseConnection,
    stop: CancellationToken,
    running: JoinHandle<Result<ServiceEnd, ScheduleError>>,
    _database: TestDatabase,
}

impl Polling {
    async fn start(database: TestDatabase, providers: Vec<ProviderEntry>) -> Self {
        let connection = database.connect(ConnectionRole::Worker).await;
        let stop = CancellationToken::new();
        let (polled, stopped) = (connection.clone(), stop.clone());
        let running = tokio::spawn(async move {
            let (providers, deliveries) = (entries::unchanging(providers), deliveries(&polled));
            service::run(&polled, providers, &client(), &deliveries, LEASE, stopped).await
        });
        Self { connection, stop, running, _database: database }
    }

    async fn runs(&self, slug: &str) -> Vec<sync_run::Model> {
        runs_of(&self.connection, slug).await
    }

    /// Waits for this number of ended runs.
    async fn ended_runs(&self, slug: &str, count: usize) -> Vec<sync_run::Model> {
        eventually(&format!("{count} runs of {slug}"), async || {
            let mut runs = self.runs(slug).await;
            runs.retain(|run| run.ended_at.is_some());
            (runs.len() >= count).then_some(runs)
        })
        .await
    }

    /// Stops it and returns whether all syncs ended in time.
    async fn stop(&mut self) -> bool {
        self.stop.cancel();
        in_time("the schedule", &mut self.running).await.unwrap().unwrap() == ServiceEnd::Drained
    }
}

fn deliveries(connection: &DatabaseConnection) -> DeliveryContext {
    DeliveryContext::new(connection.clone(), EndpointSettings::default()).unwrap()
}

async fn migrated() -> TestDatabase {
    TestDatabase::migrated(Backend::Sqlite).await
}

/// Waits for this number of requests to the provider.
async fn wait_for_requests(served: &ServedProvider, count: u64) {
    eventually("the provider is polled", async || (served.provider.statistics().requests >= count).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_provider_that_was_never_copied_is_polled_immediately() {
    let (known, new) = (ServedProvider::with_faults("").await, ServedProvider::with_faults("").await);
    let database = migrated().await;
    let connection = database.connect(ConnectionRole::Worker).await;
    let (known_entry, new_entry) = (entries::entry("known", &known.url, ""), entries::entry("new", &new.url, ""));
    let file = FeedSource::File(fixtures::path("three_polls/first.xml"));
    sync_now(&connection, &known_entry, &file).await.unwrap();

    // Both are due on the first of January only. The known one is scheduled first.
    let mut polling = Polling::start(database, vec![known_entry, new_entry]).await;
    assert_eq!(polling.ended_runs("new", 1).await[0].state, RunState::Succeeded);
    assert_eq!((known.provider.statistics().requests, polling.runs("known").await.len()), (0, 1));
    assert!(polling.stop().await);
    assert_eq!((known.provider.statistics().requests, new.provider.statistics().requests), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_whose_syncs_all_failed_is_polled_immediately() {
    let served = ServedProvider::with_faults("").await;
    let entry = entries::entry("northstage", &served.url, "");
    let database = migrated().await;
    let connection = database.connect(ConnectionRole::Worker).await;
    let file = FeedSource::File(fixtures::path("untrusted/malformed/feed.json"));
    sync_now(&connection, &entry, &file).await.unwrap_err();
    let mut polling = Polling::start(database, vec![entry]).await;
    assert_eq!(polling.ended_runs("northstage", 2).await[1].state, RunState::Succeeded);
    assert!(polling.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_polled_at_every_tick_also_after_a_failure() {
    let served = ServedProvider::with_faults("").await;
    served.provider.fail_next([InjectedFault::Status { code: 500, retry_after: None }]);
    let entry = entries::entry("northstage", &served.url, EVERY_SECOND);
    let mut polling = Polling::start(migrated().await, vec![entry]).await;
    let runs = polling.ended_runs("northstage", 3).await;
    assert_eq!([runs[0].state, runs[1].state, runs[2].state], [RunState::Failed, RunState::Succeeded, RunState::Unchanged]);
    assert!(polling.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn polling_continues_if_the_last_tick_is_in_the_future() {
    let served = ServedProvider::with_faults("").await;
    let entry = entries::entry("northstage", &served.url, EVERY_SECOND);
    let database = migrated().await;
    let connection = database.connect(ConnectionRole::Worker).await;
    register::register(&connection, &entry).await.unwrap();
    let set_future = async || {
        let future = Some(database_now(&connection).await.unwrap() + Duration::from_secs(3_600));
        let provider = provider_of(&connection, "northstage").await.into_active_model();
        provider::ActiveModel { last_tick_at: Set(future), last_success_at: Set(future), ..provider }
            .update(&connection)
            .await
            .unwrap();
    };
    set_future().await;
    let mut polling = Polling::start(database, vec![entry]).await;
    let runs = polling.ended_runs("northstage", 3).await;
    set_future().await;
    polling.ended_runs("northstage", runs.len() + 3).await;
    assert!(polling.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_during_a_sync_are_handled_by_one_sync_after_it() {
    let served = ServedProvider::with_faults("").await;
    served.provider.fail_next(InjectedFault::parse_list("latency:2500").unwrap());
    let entry = entries::entry("northstage", &served.url, EVERY_SECOND);
    let mut polling = Polling::start(migrated().await, vec![entry]).await;
    let runs = polling.ended_runs("northstage", 3).await;
    assert!(polling.stop().await);

    let first_took = runs[0].started_at.seconds_until(runs[0].ended_at.unwrap());
    assert!(first_took >= 2, "no tick occurred during the sync");
    let ticks_apart = runs[0].tick_at.unwrap().seconds_until(runs[1].tick_at.unwrap());
    assert!(ticks_apart <= 2, "the first tick during the sync is handled: {runs:?}");
    assert!(runs[1].started_at.seconds_until(runs[2].tick_at.unwrap()) <= 1, "the others are covered by it: {runs:?}");
    for (run, next) in runs.iter().zip(&runs[1..]) {
        assert!(next.started_at >= run.ended_at.unwrap(), "concurrent runs: {run:?} and {next:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_delays_no_other_and_is_awaited_at_shutdown() {
    let (hanging, sound) = (ServedProvider::with_faults("hang").await, ServedProvider::with_faults("").await);
    let providers =
        vec![entries::entry("hanging", &hanging.url, EVERY_SECOND), entries::entry("sound", &sound.url, EVERY_SECOND)];
    let mut polling = Polling::start(migrated().await, providers).await;
    polling.ended_runs("sound", 4).await;
    let states: Vec<RunState> = polling.runs("hanging").await.iter().map(|run| run.state).collect();
    assert_eq!(
        (states.as_slice(), hanging.provider.statistics().requests),
        ([RunState::Running, RunState::Queued].as_slice(), 1)
    );

    // Shutdown waits for the running sync, here until the connection is closed.
    polling.stop.cancel();
    drop(hanging);
    assert!(polling.stop().await);
    let runs = polling.runs("hanging").await;
    assert_eq!((runs.len(), runs[0].state, runs[0].reason_code.as_deref()), (2, RunState::Failed, Some("not_http")));
    assert!(polling.runs("sound").await.iter().all(|run| run.state != RunState::Running));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sync_is_finished_and_closed_at_shutdown() {
    let served = ServedProvider::with_faults("latency:3000").await;
    let entry = entries::entry("northstage", &served.url, EVERY_SECOND);
    let mut polling = Polling::start(migrated().await, vec![entry]).await;
    wait_for_requests(&served, 1).await;
    assert_eq!(polling.runs("northstage").await[0].state, RunState::Running);
    assert!(polling.stop().await);
    let runs = polling.runs("northstage").await;
    assert_eq!((runs[0].state, served.provider.statistics().requests), (RunState::Succeeded, 1));
    assert!(runs[1..].iter().all(|run| run.state == RunState::Queued), "later ticks wait for the next worker: {runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_schema_is_an_error() {
    let database = TestDatabase::empty(Backend::Sqlite).await;
    let connection = database.connect(ConnectionRole::Worker).await;
    let providers = vec![entries::entry("northstage", "http://127.0.0.1:1/feed", "")];
    let (client, stop) = (client(), CancellationToken::new());
    let (providers, deliveries) = (entries::unchanging(providers), deliveries(&connection));
    let running = service::run(&connection, providers, &client, &deliveries, LEASE, stop);
    let outcome = in_time("the schedule", running).await;
    assert!(matches!(outcome, Err(ScheduleError::Database(_))), "{outcome:?}");
}

//! Random syncs and requests in two processes: no response is older than the known version unless it is marked stale, none was
//! superseded for longer than its bound, and no cache key goes back to an older response.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use api::{State, cache::Cache};
use entity::{ConnectionRole, catalogue_version};
use futures_util::future::join_all;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::{runtime::Handle, task::block_in_place};
use uuid::Uuid;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    redis,
    test_app::TestApp,
};

on_every_backend!(responses_never_go_back_in_time);

const CASES: u32 = 24;
/// One size evicts responses constantly, the other never.
const CACHE_BYTES: [u64; 2] = [3_000, 64 * 1024 * 1024];
const PROCESSES: usize = 2;
/// Short, so that pauses exceed it.
const REVALIDATE_WITHIN: Duration = Duration::from_millis(40);

#[derive(Clone, Debug)]
enum Step {
    /// Inserts an event and increments the version.
    Sync,
    /// A process reads the version.
    CheckVersion(usize),
    /// Nothing happens for this many milliseconds.
    Pause(u64),
    /// A client sends a request.
    Request { process: usize, limit: u64, coding: &'static str },
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Sync),
        2 => (0..PROCESSES).prop_map(Step::CheckVersion),
        1 => (1_u64..30).prop_map(Step::Pause),
        6 => (0..PROCESSES, 40_u64..43, prop_oneof![Just("identity"), Just("gzip")])
            .prop_map(|(process, limit, coding)| Step::Request { process, limit, coding }),
    ]
}

async fn responses_never_go_back_in_time(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let written = AtomicUsize::new(0);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    // The steps of a group run concurrently.
    let groups = (vec(vec(steps(), 1..6), 1..12), 0..CACHE_BYTES.len(), any::<bool>());
    let run = |(groups, size, is_shared): (Vec<Vec<Step>>, usize, bool)| {
        block_in_place(|| {
            Handle::current().block_on(async {
                catalogue.clear().await;
                let first = catalogue_version::fetch_version(&catalogue.database).await.unwrap();
                let namespace = is_shared.then(|| Uuid::new_v4().to_string());
                let mut processes = Vec::new();
                for _ in 0..PROCESSES {
                    processes.push(TestProcess::start(&database, CACHE_BYTES[size], namespace.as_deref(), first).await);
                }
                for group in groups {
                    join_all(group.into_iter().map(|step| run_step(step, &catalogue, &processes, &written))).await;
                }
            });
        });
        Ok(())
    };
    TestRunner::new(config).run(&groups, run).unwrap();
}

async fn run_step(step: Step, catalogue: &CatalogueFixture, processes: &[TestProcess], written: &AtomicUsize) {
    match step {
        Step::Sync => {
            let title = format!("show {}", written.fetch_add(1, Ordering::Relaxed));
            catalogue.insert_with_new_version(NewEvent::titled(&title)).await;
        }
        Step::CheckVersion(process) => processes[process].check_version().await,
        Step::Pause(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        Step::Request { process, limit, coding } => processes[process].request(limit, coding).await,
    }
}

/// The state of a process with caches of its own, and with a namespace in the shared Redis.
pub(crate) async fn start_process(
    database: &TestDatabase,
    cache_bytes: u64,
    revalidate_within: Duration,
    namespace: Option<&str>,
) -> State {
    let redis = match namespace {
        Some(namespace) => Some(redis::connect_to_shared_server(namespace).await),
        None => None,
    };
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::new(reads, watch, cache_bytes, None);
    let (version, availability, reader) = (state.version.clone(), state.availability.clone(), state.reader.clone());
    let cache = Cache::new(cache_bytes, revalidate_within, redis, version, availability, reader);
    State { cache: Arc::new(cache), ..state }
}

struct TestProcess {
    state: State,
    app: TestApp,
    /// The version of the empty catalogue. Each event increments it.
    first_version: i64,
    /// The newest version in a response for each cache key.
    newest: Mutex<HashMap<(u64, &'static str), i64>>,
    /// The versions that the process knew, each with an instant at which it did.
    known: Mutex<Vec<(i64, Instant)>>,
}

impl TestProcess {
    async fn start(database: &TestDatabase, cache_bytes: u64, namespace: Option<&str>, first_version: i64) -> Self {
        let state = start_process(database, cache_bytes, REVALIDATE_WITHIN, namespace).await;
        Self { app: TestApp::with_state(&state), state, first_version, newest: Mutex::default(), known: Mutex::default() }
    }

    async fn check_version(&self) {
        self.state.version.refresh().await.unwrap();
        self.record_known();
    }

    fn record_known(&self) {
        self.known.lock().unwrap().extend(self.state.version.current().map(|version| (version, Instant::now())));
    }

    /// For how long the process had known a later version than this one at `sent`, or less.
    fn superseded_for(&self, version: i64, sent: Instant) -> Option<Duration> {
        let known = self.known.lock().unwrap();
        known.iter().filter(|(known, _)| *known > version).map(|(_, at)| sent.saturating_duration_since(*at)).max()
    }

    async fn request(&self, limit: u64, coding: &'static str) {
        let known = self.state.version.current();
        let newest = self.newest.lock().unwrap().get(&(limit, coding)).copied();
        let sent = Instant::now();

        let response = self.app.send(Method::GET, &format!("/search?limit={limit}"), &[("accept-encoding", coding)]).await;

        assert_eq!(response.status, 200, "{}", response.text());
        let body = response.decoded();
        let events = serde_json::from_slice::<serde_json::Value>(&body).unwrap()["data"]["events"].as_array().unwrap().len();
        let version = self.first_version + i64::try_from(events).unwrap();
        let is_marked = response.header("warning").is_some();
        assert!(is_marked || known.is_none_or(|known| known <= version), "version {version} is older than the known {known:?}");
        assert!(
            newest.is_none_or(|newest| newest <= version),
            "version {version} is older than {newest:?} of an earlier response"
        );
        let superseded_for = self.superseded_for(version, sent);
        assert!(
            superseded_for.is_none_or(|time| time < REVALIDATE_WITHIN),
            "version {version} had been superseded for {superseded_for:?}"
        );
        self.record_known();
        let mut newest_by_key = self.newest.lock().unwrap();
        let newest = newest_by_key.entry((limit, coding)).or_insert(version);
        *newest = version.max(*newest);
    }
}

//! Whatever syncs and requests do in whatever order: no answer is older than what is known, unless it says so, and no key ever goes
//! back to an older answer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use api::State;
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

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    redis,
    test_app::TestApp,
};

on_every_backend!(responses_never_go_back_in_time);

const CASES: u32 = 24;
/// So few bytes that answers are evicted all the time, and so many that none is.
const CACHE_BYTES: [u64; 2] = [3_000, 64 * 1024 * 1024];
const PROCESSES: usize = 2;

/// What may happen, and in which process.
#[derive(Clone, Debug)]
enum Step {
    /// A new event is written, with the version.
    Sync,
    /// A process learns of the version.
    Learn(usize),
    /// A client asks.
    Ask { process: usize, limit: u64, coding: &'static str },
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Sync),
        1 => (0..PROCESSES).prop_map(Step::Learn),
        6 => (0..PROCESSES, 40_u64..43, prop_oneof![Just("identity"), Just("gzip")])
            .prop_map(|(process, limit, coding)| Step::Ask { process, limit, coding }),
    ]
}

async fn responses_never_go_back_in_time(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let written = AtomicUsize::new(0);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    // Steps of one group happen at the same time.
    let groups = (vec(vec(steps(), 1..6), 1..12), 0..CACHE_BYTES.len(), any::<bool>());
    let run = |(groups, size, is_shared): (Vec<Vec<Step>>, usize, bool)| {
        block_in_place(|| {
            Handle::current().block_on(async {
                catalogue.clear().await;
                let first = catalogue_version::fetch_version(&catalogue.database).await.unwrap();
                let mut processes = Vec::new();
                for _ in 0..PROCESSES {
                    processes.push(Process::on(&database, CACHE_BYTES[size], is_shared, first).await);
                }
                for group in groups {
                    join_all(group.into_iter().map(|step| take(step, &catalogue, &processes, &written))).await;
                }
            });
        });
        Ok(())
    };
    TestRunner::new(config).run(&groups, run).unwrap();
}

async fn take(step: Step, catalogue: &CatalogueFixture, processes: &[Process], written: &AtomicUsize) {
    match step {
        Step::Sync => {
            let title = format!("show {}", written.fetch_add(1, Ordering::Relaxed));
            catalogue.insert_with_new_version(NewEvent::titled(&title)).await;
        }
        Step::Learn(process) => drop(processes[process].state.catalogue.ask().await.unwrap()),
        Step::Ask { process, limit, coding } => processes[process].request(limit, coding).await,
    }
}

struct Process {
    state: State,
    app: TestApp,
    /// The version when the catalogue was empty: each event came with one more.
    first: i64,
    /// The newest that was answered to each key.
    newest: Mutex<HashMap<(u64, &'static str), i64>>,
}

impl Process {
    async fn on(database: &TestDatabase, cache_bytes: u64, is_shared: bool, first: i64) -> Self {
        let redis = if is_shared { Some(redis::connect_to_shared_server().await) } else { None };
        let state = State::new(
            database.connect(ConnectionRole::Api).await,
            database.connect(ConnectionRole::Watch).await,
            cache_bytes,
            redis,
        );
        Self { app: TestApp::with_state(&state), state, first, newest: Mutex::default() }
    }

    async fn request(&self, limit: u64, coding: &'static str) {
        let known = self.state.catalogue.version();
        let newest = self.newest.lock().unwrap().get(&(limit, coding)).copied();

        let response = self.app.send(Method::GET, &format!("/search?limit={limit}"), &[("accept-encoding", coding)]).await;

        assert_eq!(response.status, 200, "{}", response.text());
        let body = response.decoded();
        let events = serde_json::from_slice::<serde_json::Value>(&body).unwrap()["data"]["events"].as_array().unwrap().len();
        let version = self.first + i64::try_from(events).unwrap();
        let is_marked = response.header("warning").is_some();
        assert!(is_marked || known.is_none_or(|known| known <= version), "{version} is older than {known:?}, which was known");
        assert!(newest.is_none_or(|newest| newest <= version), "{version} is older than {newest:?}, which was answered before");
        let mut kept = self.newest.lock().unwrap();
        let newest = kept.entry((limit, coding)).or_insert(version);
        *newest = version.max(*newest);
    }
}

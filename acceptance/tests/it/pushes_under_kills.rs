//! A thousand pushes of several clients while the API and the workers are killed repeatedly: every accepted document is applied
//! once, in the order of acceptance, also if its client retries.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use entity::{ConnectionRole, base_event, pushed_feed, sync_run, sync_run::RunState};
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use tokio::time::sleep;

use crate::{
    deployment::{Deployment, SLUG, format_entry, send_to},
    wait::eventually_all,
};

/// How long a client retries one push.
const PATIENCE: Duration = Duration::from_secs(120);
const PUSHES: u32 = 1_000;
const CLIENTS: u32 = 8;
/// Base events of the catalogue; each push is a delta of two.
const BASE_EVENTS: u32 = 30;

/// The pushed titles by base event, for each run id that a response contained.
type AcceptedPushes = BTreeMap<i64, Vec<(u32, String)>>;

fn delta(changes: &[(u32, String)]) -> String {
    let body: String = changes
        .iter()
        .map(|(id, title)| {
            format!(
                "<base_event base_event_id=\"{id}\" sell_mode=\"online\" title=\"{title}\">\
                 <event event_id=\"1\" event_start_date=\"2031-06-30T21:00:00\" event_end_date=\"2031-06-30T22:00:00\"/></base_event>"
            )
        })
        .collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><eventList version=\"1.0\"><output>{body}</output></eventList>")
}

/// The current address of the API, which changes with each start.
type SharedAddress = Arc<Mutex<String>>;

/// Pushes documents one after the other, each until it is accepted, and one in ten twice.
async fn push_all(number: u32, address: SharedAddress, accepted: Arc<Mutex<AcceptedPushes>>) {
    for push in 0..PUSHES / CLIENTS {
        let first = fastrand::u32(0..BASE_EVENTS);
        let second = (first + fastrand::u32(1..BASE_EVENTS)) % BASE_EVENTS;
        let changes: Vec<_> = [first, second].into_iter().map(|id| (id, format!("by {number} in {push}"))).collect();
        let (key, document) = (format!("{number}/{push}"), delta(&changes));
        let repetitions = 1 + fastrand::u32(0..10) / 9;
        for _ in 0..repetitions {
            let started = Instant::now();
            let run = loop {
                let to = address.lock().unwrap().clone();
                if let Some(run) = try_push(to, &key, &document).await {
                    break run;
                }
                assert!(started.elapsed() < PATIENCE, "push {key} is not accepted");
                sleep(Duration::from_millis(10)).await;
            };
            let earlier = accepted.lock().unwrap().insert(run, changes.clone());
            assert!(earlier.is_none_or(|earlier| earlier == changes), "two documents have the same run");
        }
    }
}

/// The run id of a push, if the response was received and the push accepted.
async fn try_push(address: String, key: &str, document: &str) -> Option<i64> {
    let headers = [("Content-Type", "application/xml"), ("Idempotency-Key", key)];
    let path = format!("/providers/{SLUG}/feed?mode=delta");
    match send_to(&address, "POST", &path, &headers, document).await? {
        (202, body) => body["data"]["sync_run"].as_i64(),
        (503, _) => None,
        other => panic!("{other:?}"),
    }
}

async fn apply_all_in_order(backend: Backend) {
    let database = Arc::new(TestDatabase::migrated(backend).await);
    let connection = database.connect(ConnectionRole::Worker).await;
    let deployment = Deployment::new(database, SimCatalogue { events: 1, ..SimCatalogue::default() }).await;
    deployment.write_providers(&format_entry(SLUG, &deployment.url, "0 0 0 1 1 *"));
    assert!(deployment.sync(), "creates the row of the provider");

    let mut api = deployment.start_api();
    let mut workers = [deployment.start_worker("one"), deployment.start_worker("other")];
    let (address, accepted) = (Arc::new(Mutex::new(api.address().to_owned())), Arc::new(Mutex::new(AcceptedPushes::new())));
    let is_done = Arc::new(AtomicBool::new(false));
    let left = Arc::new(AtomicU32::new(CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (address, accepted, is_done, left) = (address.clone(), accepted.clone(), is_done.clone(), left.clone());
            tokio::spawn(async move {
                push_all(number, address, accepted).await;
                is_done.store(left.fetch_sub(1, Ordering::Relaxed) == 1, Ordering::Relaxed);
            })
        })
        .collect();
    let (mut api_killed, mut workers_killed, mut accepted_before) = (0, 0, 0);
    while !is_done.load(Ordering::Relaxed) && !clients.iter().all(tokio::task::JoinHandle::is_finished) {
        // Kills must hit any moment of a push, and on a slow machine some pushes must be accepted between them.
        sleep(Duration::from_millis(fastrand::u64(50..900))).await;
        let count = accepted.lock().unwrap().len();
        if std::mem::replace(&mut accepted_before, count) == count {
            continue;
        }
        if fastrand::bool() {
            api.kill();
            api = deployment.start_api();
            api.address().clone_into(&mut address.lock().unwrap());
            api_killed += 1;
        } else {
            let which = fastrand::usize(0..workers.len());
            workers[which].send_signal("KILL");
            workers[which] = deployment.start_worker(["one", "other"][which]);
            workers_killed += 1;
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    let accepted = std::mem::take(&mut *accepted.lock().unwrap());
    assert_eq!(accepted.len(), PUSHES as usize, "each push has its own run");
    eventually_all("pushes are applied", PUSHES as usize, async || {
        let applied = pushed_feed::Entity::find().filter(pushed_feed::Column::SettledAt.is_not_null());
        usize::try_from(applied.count(&connection).await.unwrap()).unwrap()
    })
    .await;
    assert_applied(&connection, &accepted).await;
    #[expect(clippy::print_stdout, reason = "shows how often the kills hit")]
    {
        println!(
            "{backend:?}: {PUSHES} pushes, the API killed {api_killed} times, workers {workers_killed} times: all pushes applied in order"
        );
    }
}

/// Checks that all runs succeeded in order, and that the copy is the result of applying them one after the other.
async fn assert_applied(database: &DatabaseConnection, accepted: &AcceptedPushes) {
    let runs = sync_run::Entity::find().filter(sync_run::Column::Id.is_in(accepted.keys().copied()));
    let runs = runs.order_by_asc(sync_run::Column::Id).all(database).await.unwrap();
    let failed: Vec<_> = runs.iter().filter(|run| ![RunState::Succeeded, RunState::Unchanged].contains(&run.state)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(runs.is_sorted_by_key(|run| run.ended_at), "runs were not applied in the order of acceptance");
    let mut expected: BTreeMap<String, &str> = BTreeMap::new();
    for changes in accepted.values() {
        expected.extend(changes.iter().map(|(id, title)| (id.to_string(), title.as_str())));
    }
    let copy = base_event::Entity::find().all(database).await.unwrap();
    let copy: BTreeMap<String, String> = copy.into_iter().map(|row| (row.source_id, row.title)).collect();
    for (id, title) in expected {
        assert_eq!(copy[&id], title, "base event {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pushes_survive_all_kills_on_postgres() {
    apply_all_in_order(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pushes_survive_all_kills_on_sqlite() {
    apply_all_in_order(Backend::Sqlite).await;
}

//! A thousand pushes of several clients while the API and the workers are killed again and again: every document that was accepted is
//! applied, once and in the order of acceptance, and a client that repeats itself does no harm.

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
    house::{House, SLUG, entry, send_to},
    patience::eventually,
};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
const PUSHES: u32 = 1_000;
const CLIENTS: u32 = 8;
/// Base events of the catalogue; each push is a delta of two.
const BASE_EVENTS: u32 = 30;

/// What was pushed, by the run that was told for it: titles by base event.
type Accepted = BTreeMap<i64, Vec<(u32, String)>>;

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

/// Where the API listens now, which changes whenever it is started.
type Address = Arc<Mutex<String>>;

/// Pushes documents one after the other, each until it is accepted, and now and then once more.
async fn client(number: u32, address: Address, accepted: Arc<Mutex<Accepted>>) {
    for push in 0..PUSHES / CLIENTS {
        let first = fastrand::u32(0..BASE_EVENTS);
        let second = (first + fastrand::u32(1..BASE_EVENTS)) % BASE_EVENTS;
        let changes: Vec<_> = [first, second].into_iter().map(|id| (id, format!("by {number} in {push}"))).collect();
        let (key, document) = (format!("{number}/{push}"), delta(&changes));
        let repetitions = 1 + fastrand::u32(0..10) / 9;
        for _ in 0..repetitions {
            let begun = Instant::now();
            let run = loop {
                let to = address.lock().unwrap().clone();
                if let Some(run) = accepted_as(to, &key, &document).await {
                    break run;
                }
                assert!(begun.elapsed() < PATIENCE, "a push is never accepted");
                sleep(Duration::from_millis(10)).await;
            };
            let earlier = accepted.lock().unwrap().insert(run, changes.clone());
            assert!(earlier.is_none_or(|earlier| earlier == changes), "one run for two documents");
        }
    }
}

/// The run of a push, if it was accepted and its client was told so.
async fn accepted_as(address: String, key: &str, document: &str) -> Option<i64> {
    let headers = [("Content-Type", "application/xml"), ("Idempotency-Key", key)];
    let path = format!("/providers/{SLUG}/feed?mode=delta");
    match send_to(&address, "POST", &path, &headers, document).await? {
        (202, answer) => answer["data"]["sync_run"].as_i64(),
        (503, _) => None,
        other => panic!("{other:?}"),
    }
}

async fn all_are_applied_in_order(backend: Backend) {
    let database = Arc::new(TestDatabase::migrated(backend).await);
    let connection = database.connect(ConnectionRole::Worker).await;
    let house = House::new(database, SimCatalogue { events: 1, ..SimCatalogue::default() }).await;
    house.write_providers(&entry(SLUG, &house.url, "0 0 0 1 1 *"));
    assert!(house.sync(), "the provider is known from here on");

    let mut api = house.api();
    let mut workers = [house.run("one"), house.run("other")];
    let (address, accepted) = (Arc::new(Mutex::new(api.address().to_owned())), Arc::new(Mutex::new(Accepted::new())));
    let is_over = Arc::new(AtomicBool::new(false));
    let left = Arc::new(AtomicU32::new(CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (address, accepted, is_over, left) = (address.clone(), accepted.clone(), is_over.clone(), left.clone());
            tokio::spawn(async move {
                client(number, address, accepted).await;
                is_over.store(left.fetch_sub(1, Ordering::Relaxed) == 1, Ordering::Relaxed);
            })
        })
        .collect();
    let (mut api_killed, mut workers_killed) = (0, 0);
    while !is_over.load(Ordering::Relaxed) && !clients.iter().all(tokio::task::JoinHandle::is_finished) {
        // Now and then is a matter of time: that is what this test is about.
        sleep(Duration::from_millis(fastrand::u64(50..900))).await;
        if fastrand::bool() {
            api.kill();
            api = house.api();
            api.address().clone_into(&mut address.lock().unwrap());
            api_killed += 1;
        } else {
            let which = fastrand::usize(0..workers.len());
            workers[which].signal("KILL");
            workers[which] = house.run(["one", "other"][which]);
            workers_killed += 1;
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    let accepted = std::mem::take(&mut *accepted.lock().unwrap());
    assert_eq!(accepted.len(), PUSHES as usize, "each push is one run");
    // As long as there are fewer from time to time, however slow the machine.
    let mut waiting = u64::from(PUSHES);
    while waiting > 0 {
        waiting = eventually("more are settled", async || {
            let left = pushed_feed::Entity::find().filter(pushed_feed::Column::SettledAt.is_null());
            Some(left.count(&connection).await.unwrap()).filter(|left| *left < waiting)
        })
        .await;
    }
    assert_applied(&connection, &accepted).await;
    #[expect(clippy::print_stdout, reason = "the tally is worth seeing")]
    {
        println!(
            "{backend:?}: {PUSHES} pushes, the API killed {api_killed} times, a worker {workers_killed} times: all applied in order"
        );
    }
}

/// Makes sure that the runs went well in their order, and that the copy is what they leave when they are done one after the other.
async fn assert_applied(database: &DatabaseConnection, accepted: &Accepted) {
    let runs = sync_run::Entity::find().filter(sync_run::Column::Id.is_in(accepted.keys().copied()));
    let runs = runs.order_by_asc(sync_run::Column::Id).all(database).await.unwrap();
    let bad: Vec<_> = runs.iter().filter(|run| ![RunState::Succeeded, RunState::Unchanged].contains(&run.state)).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(runs.is_sorted_by_key(|run| run.ended_at), "they were not applied in the order of their acceptance");
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
    all_are_applied_in_order(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pushes_survive_all_kills_on_sqlite() {
    all_are_applied_in_order(Backend::Sqlite).await;
}

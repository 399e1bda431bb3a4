//! Several workers on one database: each tick is answered once, whatever happens to any of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use entity::{
    ConnectionRole, catalogue_version, event, job, provider, sync_run,
    sync_run::RunState::{Failed, Queued, Running, Succeeded, Unchanged},
};
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use provider_sim::{SimCatalogue, InjectedFault};
use sea_orm::{DatabaseConnection, EntityTrait, QueryOrder};

use crate::{
    house::{House, SLUG, Worker, entry},
    patience::eventually,
};

on_every_backend!(
    each_tick_is_answered_once_by_many_workers,
    a_worker_that_is_told_to_stop_leaves_nothing_undone_and_nothing_twice,
    the_job_of_a_worker_that_is_killed_is_taken_over,
    a_worker_that_wakes_after_its_lease_changes_nothing,
);

const SMALL: SimCatalogue =
    SimCatalogue { seed: 5, events: 30, zones: 2, churn: 20.0, anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap() };
const ONCE_A_YEAR: &str = "0 0 0 1 1 *";
const SECOND: i64 = 1_000_000;

async fn runs(database: &DatabaseConnection) -> Vec<sync_run::Model> {
    sync_run::Entity::find().order_by_asc(sync_run::Column::Id).all(database).await.unwrap()
}

/// Waits until so many runs have ended.
async fn ended_runs(database: &DatabaseConnection, count: usize) {
    eventually(&format!("{count} runs"), async || {
        let ended = runs(database).await.into_iter().filter(|run| run.ended_at.is_some()).count();
        (ended >= count).then_some(())
    })
    .await;
}

/// Tells workers to stop and waits until they have, all of them well.
async fn stop(workers: &mut [Worker]) {
    for worker in &*workers {
        worker.signal("TERM");
    }
    for worker in workers {
        let status = eventually("the worker ends", async || worker.ended()).await;
        assert_eq!(status.code(), Some(0), "{}", worker.log());
    }
}

/// Whose lease the only job is.
async fn holder(database: &DatabaseConnection, workers: &[Worker]) -> usize {
    eventually("a worker takes the job", async || {
        let jobs = job::Entity::find().all(database).await.unwrap();
        let name = jobs.into_iter().find_map(|job| job.worker)?;
        workers.iter().position(|worker| name.ends_with(&format!("/{}", worker.id())))
    })
    .await
}

/// One good run for each tick, one after the other, and no tick left out for long.
fn assert_each_tick_once(runs: &[sync_run::Model]) {
    let (last, ended) = runs.split_last().unwrap();
    let ended = if last.state == Queued { ended } else { runs };
    assert!(ended.iter().all(|run| matches!(run.state, Succeeded | Unchanged)), "{runs:#?}");
    for (run, next) in ended.iter().zip(&ended[1..]) {
        assert!(run.ended_at.unwrap() <= next.started_at, "two at once: {run:?} and {next:?}");
        let apart = next.tick_at.unwrap().0 - run.tick_at.unwrap().0;
        assert!(apart > 0, "a tick was answered twice: {run:?} and {next:?}");
        assert!(apart <= 2 * SECOND, "a tick was lost: {run:?} and {next:?}");
    }
}

async fn each_tick_is_answered_once_by_many_workers(database: Arc<TestDatabase>) {
    let house = House::new(database, SMALL).await;
    let reader = house.database.connect(ConnectionRole::Api).await;
    let mut workers = ["a", "b", "c"].map(|name| house.run(name));
    ended_runs(&reader, 7).await;
    stop(&mut workers).await;

    let runs = runs(&reader).await;
    assert_each_tick_once(&runs);
    let requests = house.provider.statistics().requests;
    let ended = runs.iter().filter(|run| run.ended_at.is_some()).count();
    assert_eq!(requests, u64::try_from(ended).unwrap(), "the provider was asked once for each");
    let left = job::queue::backlog(&reader).await.unwrap();
    assert_eq!((left.running, left.dead), (0, 0));
}

async fn a_worker_that_is_told_to_stop_leaves_nothing_undone_and_nothing_twice(database: Arc<TestDatabase>) {
    let house = House::new(database, SMALL).await;
    house.provider.set_faults([InjectedFault::Latency(Duration::from_millis(400))]);
    let reader = house.database.connect(ConnectionRole::Api).await;
    let mut workers = vec![house.run("a"), house.run("b"), house.run("c")];
    for rounds in [2, 4] {
        ended_runs(&reader, rounds).await;
        let mut holder = workers.remove(holder(&reader, &workers).await);
        stop(std::slice::from_mut(&mut holder)).await;
    }
    ended_runs(&reader, 7).await;
    stop(&mut workers).await;
    assert_each_tick_once(&runs(&reader).await);
    assert_eq!(job::queue::backlog(&reader).await.unwrap().running, 0, "every lease was given back");
}

async fn the_job_of_a_worker_that_is_killed_is_taken_over(database: Arc<TestDatabase>) {
    let house = House::new(database, SMALL).await;
    house.write_providers(&entry(SLUG, &house.url, ONCE_A_YEAR));
    house.provider.fail_next([InjectedFault::Hang]);
    let reader = house.database.connect(ConnectionRole::Api).await;
    let mut workers = vec![house.run("a"), house.run("b")];
    eventually("the provider is asked", async || (house.provider.statistics().requests == 1).then_some(())).await;
    let dead = workers.remove(holder(&reader, &workers).await);
    dead.signal("KILL");
    ended_runs(&reader, 2).await;
    stop(&mut workers).await;

    let runs = runs(&reader).await;
    let outcomes: Vec<_> = runs.iter().map(|run| (run.state, run.reason_code.as_deref())).collect();
    assert_eq!(outcomes, [(Failed, Some("abandoned")), (Succeeded, None)]);
    assert_eq!(runs[0].job_id, runs[1].job_id, "it is the same job");
    assert_eq!(catalogue_version::fetch_version(&reader).await.unwrap(), 1);
    assert_eq!(event::Entity::find().all(&reader).await.unwrap().len(), 30);
    assert!(job::Entity::find().all(&reader).await.unwrap().is_empty());
}

async fn a_worker_that_wakes_after_its_lease_changes_nothing(database: Arc<TestDatabase>) {
    let house = House::new(database, SMALL).await;
    house.write_providers(&entry(SLUG, &house.url, ONCE_A_YEAR));
    house.provider.fail_next([InjectedFault::Latency(Duration::from_secs(3))]);
    let reader = house.database.connect(ConnectionRole::Api).await;
    let mut workers = vec![house.run("a"), house.run("b")];
    eventually("the provider is asked", async || (house.provider.statistics().requests == 1).then_some(())).await;
    let mut frozen = workers.remove(holder(&reader, &workers).await);
    frozen.signal("STOP");
    ended_runs(&reader, 2).await;
    eventually("its own answer came, too", async || (house.provider.statistics().full_responses == 2).then_some(())).await;
    let state = async || {
        let events = event::Entity::find().order_by_asc(event::Column::Id).all(&reader).await.unwrap();
        (runs(&reader).await, events, catalogue_version::fetch_version(&reader).await.unwrap())
    };
    let before = state().await;
    assert_eq!(before.0.iter().map(|run| run.state).collect::<Vec<_>>(), [Failed, Succeeded]);

    frozen.signal("CONT");
    eventually("it hears that it lost the job", async || frozen.log().contains("lease_lost").then_some(())).await;
    // It is as sound as before, and its ending ends whatever it had in hand.
    stop(std::slice::from_mut(&mut frozen)).await;
    stop(&mut workers).await;
    assert_eq!(state().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_and_one_that_fails_delay_none_of_200() {
    const HEALTHY: usize = 198;
    const TICKS_APART: i64 = 10;
    let house = House::new(Arc::new(TestDatabase::migrated(Backend::Postgres).await), SimCatalogue { events: 5, ..SMALL }).await;
    house.provider.freeze();
    let schedule = format!("*/{TICKS_APART} * * * * *");
    let mut entries: String = (0..HEALTHY).map(|number| entry(&format!("healthy-{number}"), &house.url, &schedule)).collect();
    for (slug, fault) in [("hanging", "hang"), ("failing", "status:503")] {
        entries += &entry(slug, &format!("{}?fault={fault}", house.url), &schedule);
    }
    house.write_providers(&entries);
    let reader = house.database.connect(ConnectionRole::Api).await;
    let mut workers = ["a", "b", "c", "d"].map(|name| house.run(name));

    let healthy = async || {
        let providers = provider::Entity::find().all(&reader).await.unwrap();
        let mut of_provider: BTreeMap<i32, Vec<sync_run::Model>> = providers
            .iter()
            .filter(|provider| provider.slug.starts_with("healthy"))
            .map(|provider| (provider.id, vec![]))
            .collect();
        for run in runs(&reader).await {
            of_provider.entry(run.provider_id).and_modify(|runs| runs.push(run));
        }
        of_provider
    };
    // The first copies come all at once, and a tick that falls into that is answered together with the one before it.
    let all_copied_at = eventually("a first copy of each", async || {
        let of_provider = healthy().await;
        let first = |runs: &Vec<sync_run::Model>| runs.first().and_then(|run| run.ended_at);
        let firsts: Vec<_> = of_provider.values().filter_map(first).collect();
        (firsts.len() == HEALTHY).then(|| firsts.into_iter().max().unwrap())
    })
    .await;
    let from_then_on = async || {
        let mut of_provider = healthy().await;
        of_provider.values_mut().for_each(|runs| runs.retain(|run| run.tick_at.unwrap() > all_copied_at));
        of_provider
    };
    eventually("three good runs more of each", async || {
        let good = |runs: &Vec<sync_run::Model>| runs.iter().filter(|run| matches!(run.state, Succeeded | Unchanged)).count();
        from_then_on().await.values().all(|runs| good(runs) >= 3).then_some(())
    })
    .await;
    for runs in from_then_on().await.values() {
        assert!(runs.iter().all(|run| run.state != Failed), "{runs:#?}");
        let waited = runs[0].tick_at.unwrap().0 - all_copied_at.0;
        assert!(waited <= TICKS_APART * SECOND, "the first tick is there: {:?}", runs[0]);
        for (run, next) in runs.iter().zip(&runs[1..]) {
            let apart = next.tick_at.unwrap().0 - run.tick_at.unwrap().0;
            assert_eq!(apart, TICKS_APART * SECOND, "each tick once: {run:?} and {next:?}");
        }
        for run in runs.iter().filter(|run| run.ended_at.is_some()) {
            let late = run.started_at.0 - run.tick_at.unwrap().0;
            assert!(late < TICKS_APART * SECOND, "not on time: {run:?}");
        }
    }
    let states: Vec<_> = runs(&reader).await.into_iter().map(|run| run.state).collect();
    assert!(states.contains(&Running) && states.contains(&Failed), "one hangs and one fails");
    for worker in &mut workers {
        // The one that hangs would be waited for.
        worker.signal("KILL");
    }
}

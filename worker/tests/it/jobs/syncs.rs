//! Sync jobs: retries, and the pauses that providers ask for.

use std::sync::Arc;

use entity::{
    ConnectionRole, UtcInstant,
    job::{self, SyncJob, queue as jobs},
};
use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::InjectedFault;
use sea_orm::{DatabaseConnection, EntityTrait};
use worker::{
    jobs::{JobContext, registry},
    provider::entry::ProviderEntry,
    schedule::tick::{TickOutcome, enqueue_tick},
    sync::FeedSource,
};

use super::{
    LONG, find_job,
    running::{StartedRunner, wait_until_empty},
};
use crate::{copy::provider_of, entries, patience::eventually, served::ServedProvider};

on_every_backend!(
    a_sync_of_a_provider_unknown_to_this_worker_waits,
    a_failing_provider_is_polled_again,
    a_provider_is_paused_while_its_document_is_fresh,
    a_provider_is_paused_for_its_retry_after,
    the_wait_for_an_overloaded_provider_grows_until_it_responds,
);

fn start(database: &DatabaseConnection, providers: Vec<ProviderEntry>, source: FeedSource) -> StartedRunner {
    StartedRunner::start(
        database,
        (registry(), JobContext::new(database.clone(), entries::unchanging(providers), source)),
        LONG,
        LONG,
    )
}

async fn enqueue_sync(database: &DatabaseConnection, slug: &str, trigger: &str) -> i64 {
    jobs::enqueue(database, &SyncJob::new(slug, trigger)).await.unwrap().unwrap()
}

async fn a_sync_of_a_provider_unknown_to_this_worker_waits(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let id = enqueue_sync(&database, "southstage", "now").await;
    let running = start(&database, vec![], FeedSource::File("nowhere".into()));
    let reason = eventually("it waits for its retry", async || find_job(&database, id).await.unwrap().reason).await;
    assert!(reason.contains("the provider `southstage` is not in the worker's providers file"), "{reason}");
    assert!(running.stop().await);
}

async fn a_failing_provider_is_polled_again(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let served = ServedProvider::with_faults("status:503").await;
    let entry = entries::entry("northstage", &served.url, "");
    let id = enqueue_sync(&database, "northstage", "now").await;
    let running = start(&database, vec![entry], FeedSource::Provider(crate::fetch::client()));
    let reason = eventually("it waits for its retry", async || find_job(&database, id).await.unwrap().reason).await;
    assert_eq!(reason, "the provider responded with status 503, expected 200");
    assert!(provider_of(&database, "northstage").await.failures > 0);
    served.provider.set_faults([]);
    eventually("it succeeds", async || {
        // A running job is not revived: the pause before a retry may be very short.
        jobs::revive(&database, id).await.unwrap();
        find_job(&database, id).await.is_none().then_some(())
    })
    .await;
    assert_eq!(provider_of(&database, "northstage").await.failures, 0);
    assert!(running.stop().await);
}

/// The remaining seconds of the provider's pause, and its reason.
async fn pause_of(database: &DatabaseConnection) -> Option<(u64, String)> {
    let provider = provider_of(database, "northstage").await;
    Some((UtcInstant::now().seconds_until(provider.pause_until?), provider.pause_reason?))
}

async fn a_provider_is_paused_while_its_document_is_fresh(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let served = ServedProvider::with_faults("").await;
    served.provider.set_max_age(Some(600));
    let entry = entries::entry("northstage", &served.url, "");
    let running = start(&database, vec![entry.clone()], FeedSource::Provider(crate::fetch::client()));
    // The first response is a document, the second is 304.
    for trigger in ["first", "second"] {
        enqueue_sync(&database, "northstage", trigger).await;
        wait_until_empty(&database).await;
        let (seconds, reason) = eventually("the provider is paused", async || pause_of(&database).await).await;
        assert!((540..=600).contains(&seconds), "{seconds}");
        assert_eq!(reason, "cache_control");
    }
    let tick = UtcInstant(UtcInstant::now().0 + 1);
    assert_eq!(enqueue_tick(&database, &entry, Some(tick)).await.unwrap(), TickOutcome::Paused);
    assert!(running.stop().await);
}

async fn a_provider_is_paused_for_its_retry_after(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let served = ServedProvider::with_faults("status:503:7200").await;
    let entry = entries::entry("northstage", &served.url, "");
    let id = enqueue_sync(&database, "northstage", "now").await;
    let running = start(&database, vec![entry], FeedSource::Provider(crate::fetch::client()));
    let queued =
        eventually("it waits for its retry", async || find_job(&database, id).await.filter(|job| job.reason.is_some())).await;
    let (seconds, reason) = pause_of(&database).await.unwrap();
    assert!((3_540..=3_600).contains(&seconds), "expected at most an hour, got {seconds} s");
    assert_eq!(reason, "retry_after");
    assert!(UtcInstant::now().seconds_until(queued.run_at) > 3_500, "the retry waits too");
    assert!(running.stop().await);
}

async fn the_wait_for_an_overloaded_provider_grows_until_it_responds(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let served = ServedProvider::with_faults("").await;
    let entry = entries::entry("northstage", &served.url, "");
    for (poll, (fault, expected)) in [
        ("status:429", Some(5..=10)),
        ("status:503", Some(10..=20)),
        ("status:429", Some(20..=40)),
        ("", None),
        ("status:503", Some(5..=10)),
    ]
    .into_iter()
    .enumerate()
    {
        served.provider.set_faults(InjectedFault::parse_list(fault).unwrap());
        enqueue_sync(&database, "northstage", &poll.to_string()).await;
        // A new worker each time: the number of failures is stored.
        let running = start(&database, vec![entry.clone()], FeedSource::Provider(crate::fetch::client()));
        let attempts = poll as u64 + 1;
        eventually("it is polled", async || (served.provider.statistics().requests == attempts).then_some(())).await;
        assert!(running.stop().await);
        let provider = provider_of(&database, "northstage").await;
        let pause = provider.paused_at.zip(provider.pause_until).map(|(at, until)| at.until(until).as_secs());
        match expected {
            Some(expected) => {
                assert!(expected.contains(&pause.unwrap()), "poll {poll}: {pause:?}");
                assert_eq!(provider.pause_reason.as_deref(), Some("backoff"));
            }
            None => assert_eq!(pause, None),
        }
        job::Entity::delete_many().exec(&database).await.unwrap();
    }
}

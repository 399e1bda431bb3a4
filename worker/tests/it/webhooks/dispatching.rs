//! When jobs of endpoints are enqueued, and that they do not wait for each other.

use std::{sync::Arc, time::Duration};

use entity::{
    catalogue_version,
    change::ChangeKind,
    job::{self, JobKind, WebhookJob, queue},
    webhook::{WebhookSelection, parse_attempts},
};
use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::{ReceiverReply, WebhookReceiver};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use worker::{
    jobs::{delivery_registry, runner::Runner},
    webhooks::dispatch,
};

use super::{LEASE, World, events_of};
use crate::patience::{eventually, in_time};

on_every_backend!(
    a_release_wakes_the_endpoints_that_select_it,
    endpoints_that_select_nothing_advance,
    a_slow_receiver_delays_no_other,
    no_message_begins_after_the_shutdown_signal,
    filters_of_a_later_release_stop_no_other_endpoint,
    changes_of_a_later_release_stop_only_endpoints_that_select_them,
);

/// Dispatches and delivers, as a worker does.
pub(super) struct Service {
    stop: CancellationToken,
    running: tokio::task::JoinHandle<bool>,
}

impl Service {
    pub(super) fn start(world: &World) -> Self {
        let (stop, wake) = (CancellationToken::new(), Arc::new(Notify::new()));
        tokio::spawn(dispatch::run(world.database.clone(), wake.clone(), stop.clone()));
        let context = world.context.clone().stopped_by(stop.clone());
        let runner = Runner::new(world.database.clone(), delivery_registry(), context, LEASE, wake);
        let stopped = stop.clone();
        Self { stop, running: tokio::spawn(async move { runner.with_slots(8).run(&stopped).await }) }
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        in_time("the deliveries", self.running).await.unwrap();
    }
}

async fn a_release_wakes_the_endpoints_that_select_it(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let other = WebhookReceiver::start().await.unwrap();
    world.insert_default_webhook().await;
    let cancelled = WebhookSelection { kinds: [ChangeKind::Cancelled].into(), ..WebhookSelection::default() };
    world.insert_webhook(&other.url, &cancelled).await;
    let service = Service::start(&world);
    let mut expected = Vec::new();
    for count in 1..=3 {
        expected.extend(world.publish("fever", ChangeKind::PriceChanged, count).await);
        in_time("the message", world.receiver.wait_for(count)).await;
    }
    assert_eq!((events_of(&world.receiver.messages()), other.count()), (expected, 0));
    let expected = world.publish("fever", ChangeKind::Cancelled, 1).await;
    in_time("the message", other.wait_for(1)).await;
    assert_eq!(events_of(&other.messages()), expected);
    eventually("all jobs are done", async || queue::list(&world.database).await.unwrap().is_empty().then_some(())).await;
    service.stop().await;
}

async fn endpoints_that_select_nothing_advance(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let nothing = WebhookSelection { providers: ["unknown".to_owned()].into(), ..WebhookSelection::default() };
    let id = world.insert_webhook(&world.receiver.url, &nothing).await;
    let service = Service::start(&world);
    world.publish("fever", ChangeKind::Left, 5).await;
    let end = catalogue_version::fetch_version(&world.database).await.unwrap();
    eventually("its position is stored", async || (world.find(id).await.version == end).then_some(())).await;
    assert_eq!(world.receiver.count(), 0);
    service.stop().await;
}

async fn a_slow_receiver_delays_no_other(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let slow = WebhookReceiver::start().await.unwrap();
    slow.always(ReceiverReply::Silence);
    for _ in 0..3 {
        world.insert_webhook(&slow.url, &WebhookSelection::default()).await;
    }
    world.insert_default_webhook().await;
    let service = Service::start(&world);
    world.publish("fever", ChangeKind::Left, 1).await;
    in_time("all messages", async { tokio::join!(slow.wait_for(3), world.receiver.wait_for(1)) }).await;
    let begun_at = Instant::now();
    for count in 2..=5 {
        world.publish("fever", ChangeKind::Left, 1).await;
        in_time("the next message", world.receiver.wait_for(count)).await;
    }
    // The slow ones wait for their response all the time: its limit is 15 s.
    assert!(begun_at.elapsed() < Duration::from_secs(14) && slow.count() == 3, "{:?}", begun_at.elapsed());
    let jobs: Vec<job::Model> = queue::list(&world.database).await.unwrap();
    assert!(jobs.iter().all(|job| job.kind == WebhookJob::KIND), "{jobs:?}");
    service.stop().await;
}

async fn no_message_begins_after_the_shutdown_signal(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let events = world.publish("fever", ChangeKind::Left, 250).await;
    world.receiver.script([ReceiverReply::Held]);
    let service = Service::start(&world);
    in_time("the first message", world.receiver.wait_for(1)).await;
    let stopping = tokio::spawn(service.stop());
    world.receiver.release();
    in_time("the deliveries", stopping).await.unwrap();
    let row = world.find(id).await;
    assert_eq!((world.receiver.count(), row.failures, parse_attempts(&row.attempts).len()), (1, 0, 1), "its result is recorded");
    let service = Service::start(&world);
    in_time("the other messages", world.receiver.wait_for(3)).await;
    service.stop().await;
    assert_eq!(events_of(&world.receiver.messages()), events);
}

async fn filters_of_a_later_release_stop_no_other_endpoint(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let other = WebhookReceiver::start().await.unwrap();
    let id = world.insert_webhook(&other.url, &WebhookSelection::default()).await;
    let position = world.find(id).await.position();
    world.update(r#"selection = '{"colours":["red"]}'"#).await;
    world.insert_default_webhook().await;
    let service = Service::start(&world);
    for count in 1..=3 {
        world.publish("fever", ChangeKind::Left, 1).await;
        in_time("the message", world.receiver.wait_for(count)).await;
    }
    // As the API does it.
    queue::enqueue(&world.database, &WebhookJob { webhook: id }).await.unwrap();
    let job = eventually("its job waits", async || {
        let jobs = queue::list(&world.database).await.unwrap();
        jobs.into_iter().find(|job| job.key == WebhookJob { webhook: id }.key() && job.reason.is_some())
    })
    .await;
    assert_eq!((job.state, other.count()), (job::JobState::Queued, 0));
    assert!(job.reason.unwrap().contains("later release") && world.find(id).await.position() == position, "its position remains");
    service.stop().await;
}

async fn changes_of_a_later_release_stop_only_endpoints_that_select_them(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let other = WebhookReceiver::start().await.unwrap();
    let cancelled = WebhookSelection { kinds: [ChangeKind::Cancelled].into(), ..WebhookSelection::default() };
    world.insert_webhook(&other.url, &cancelled).await;
    world.insert_default_webhook().await;
    world.publish("fever", ChangeKind::Updated, 1).await;
    world.execute("UPDATE change SET kind = 'merged'").await;
    let expected = world.publish("fever", ChangeKind::Cancelled, 1).await;
    let service = Service::start(&world);
    in_time("the message", other.wait_for(1)).await;
    assert_eq!((events_of(&other.messages()), world.receiver.count()), (expected, 0));
    world.execute("UPDATE change SET kind = 'updated' WHERE kind = 'merged'").await;
    // As after a deployment: otherwise its job waits longer and longer.
    world.execute("UPDATE job SET run_at = 0 WHERE state = 'queued'").await;
    in_time("the message of the other one", world.receiver.wait_for(1)).await;
    service.stop().await;
}

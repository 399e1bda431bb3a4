//! The database is restored from a backup while a worker runs.

use std::sync::Arc;

use entity::{
    change::ChangeKind,
    webhook::{DisabledReason, WebhookSelection, WebhookState},
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::prelude::Uuid;

use super::{World, dispatching::Service, events_of};
use crate::patience::{eventually, in_time};

on_every_backend!(
    a_lower_version_disables_endpoints_that_got_lost_changes,
    the_same_versions_of_another_history_do,
    a_position_after_the_log_is_detected,
);

impl World {
    /// Two endpoints that have got all changes of one release, of which the second selects nothing later.
    async fn insert_pair(&self) -> [Uuid; 2] {
        let nothing = WebhookSelection { kinds: [ChangeKind::Created].into(), ..WebhookSelection::default() };
        self.publish("fever", ChangeKind::Left, 1).await;
        [self.insert_default_webhook().await, self.insert_webhook(&self.receiver.url, &nothing).await]
    }

    /// Restores the database as it was after a release.
    async fn restore(&self, version: i64) {
        let end = format!("(SELECT raised_at FROM release WHERE version = {version})");
        self.execute(&format!(
            "DELETE FROM change WHERE version > {version}; DELETE FROM release WHERE version > {version}; \
             UPDATE webhook SET version = {version}, ordinal = {}, at = {end}; \
             UPDATE catalogue_version SET version = {version}, raised_at = {end}",
            i32::MAX
        ))
        .await;
    }

    async fn state(&self, id: Uuid) -> (WebhookState, Option<DisabledReason>) {
        let row = self.find(id).await;
        (row.state, row.disabled_reason)
    }
}

const EXPIRED: (WebhookState, Option<DisabledReason>) = (WebhookState::Disabled, Some(DisabledReason::CursorExpired));
const ACTIVE: (WebhookState, Option<DisabledReason>) = (WebhookState::Active, None);

async fn a_lower_version_disables_endpoints_that_got_lost_changes(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let [id, other] = world.insert_pair().await;
    let version = world.find(id).await.version;
    let service = Service::start(&world);
    for count in 1..=3 {
        world.publish("fever", ChangeKind::Left, 1).await;
        in_time("the message", world.receiver.wait_for(count)).await;
    }
    eventually("its position is recorded", async || (world.find(id).await.version == version + 3).then_some(())).await;
    world.restore(version).await;
    eventually("it is disabled", async || (world.state(id).await == EXPIRED).then_some(())).await;
    assert_eq!(world.state(other).await, ACTIVE, "it has got nothing that was lost");
    let events = world.publish("fever", ChangeKind::Created, 1).await;
    in_time("the next message", world.receiver.wait_for(4)).await;
    assert_eq!(events_of(&world.receiver.messages()[3..]), events);
    service.stop().await;
}

async fn the_same_versions_of_another_history_do(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let [id, other] = world.insert_pair().await;
    let version = world.find(id).await.version;
    let service = Service::start(&world);
    world.publish("fever", ChangeKind::Left, 1).await;
    in_time("the message", world.receiver.wait_for(1)).await;
    eventually("its position is recorded", async || (world.find(id).await.version == version + 1).then_some(())).await;
    world.restore(version).await;
    for _ in 0..3 {
        world.publish("fever", ChangeKind::Left, 1).await;
    }
    eventually("it is disabled", async || (world.state(id).await == EXPIRED).then_some(())).await;
    assert_eq!((world.state(other).await, world.receiver.count()), (ACTIVE, 1));
    service.stop().await;
}

/// A delivery that began before the restore has written it.
async fn a_position_after_the_log_is_detected(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let [id, other] = world.insert_pair().await;
    world.execute(&format!("UPDATE webhook SET version = 99 WHERE url = '{}'", world.receiver.url)).await;
    let third = world.insert_default_webhook().await;
    let service = Service::start(&world);
    for id in [id, other] {
        eventually("it is disabled", async || (world.state(id).await == EXPIRED).then_some(())).await;
    }
    assert_eq!(world.state(third).await, ACTIVE);
    service.stop().await;
}

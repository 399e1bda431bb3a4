//! The database is unavailable when a receiver has responded.

use entity::{
    ConnectionRole,
    change::ChangeKind,
    connect,
    webhook::{MessageKind, parse_attempts},
};
use migration::testing::{Backend, DatabaseProxy, ProxyMode, TestDatabase};
use provider_sim::ReceiverReply;
use worker::webhooks::{DeliveryContext, delivery::deliver, test_message::send_test};

use super::{PRIVATE, World, ids_of};
use crate::patience::in_time;

/// A world with deliveries through a proxy.
async fn start() -> (World, DatabaseProxy) {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let mut world = World::new(database.into()).await;
    let connection = connect(&proxy.settings(), ConnectionRole::Deliver).await.unwrap();
    world.context = DeliveryContext::new(connection, PRIVATE).unwrap();
    (world, proxy)
}

/// Lets the database be unavailable when the receiver responds, and then available again.
async fn interrupt(world: &World, proxy: &DatabaseProxy) {
    in_time("the message", world.receiver.wait_for(1)).await;
    proxy.set_mode(ProxyMode::Cut).await;
    world.receiver.release();
    // Longer than the first attempt to record the result takes.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    proxy.set_mode(ProxyMode::Forward).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_recorded_after_an_outage() {
    for (reply, failures) in [(ReceiverReply::Held, 0), (ReceiverReply::HeldFailure, 1)] {
        let (world, proxy) = start().await;
        let id = world.insert_default_webhook().await;
        world.publish("fever", ChangeKind::Left, 1).await;
        world.receiver.script([reply]);
        let claim = world.claim(id).await;
        let delivering = deliver(&world.context, &claim, id);
        let (delivered, ()) = in_time("the delivery", async { tokio::join!(delivering, interrupt(&world, &proxy)) }).await;
        delivered.unwrap();
        let row = world.find(id).await;
        assert_eq!((row.failures, row.batch.is_some(), parse_attempts(&row.attempts).len()), (failures, failures == 1, 1));
        assert_eq!(ids_of(&world.receiver.messages()).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_was_sent_is_recorded_after_an_outage() {
    let (world, proxy) = start().await;
    let id = world.insert_default_webhook().await;
    world.receiver.script([ReceiverReply::Held]);
    let sending = send_test(&world.context, id);
    let (sent, ()) = in_time("the test", async { tokio::join!(sending, interrupt(&world, &proxy)) }).await;
    sent.unwrap();
    let attempts = parse_attempts(&world.find(id).await.attempts);
    assert_eq!((attempts.len(), attempts[0].kind, world.receiver.count()), (1, MessageKind::Test, 1));
}

//! Pages of the log that endpoints with the same filters share.

use std::sync::Arc;

use entity::{
    begin_write,
    change::ChangeKind,
    footprint::Footprint,
    release::{self, Cause},
    webhook::WebhookSelection,
};
use migration::{on_every_backend, testing::TestDatabase};
use serde_json::{Value, json};

use super::{World, changes_of, events_of, insert_tombstone};

on_every_backend!(a_full_page_is_read_once_for_the_same_filters, removed_content_of_a_shared_page_is_not_sent);

async fn a_full_page_is_read_once_for_the_same_filters(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let cancelled = WebhookSelection { kinds: [ChangeKind::Cancelled].into(), ..WebhookSelection::default() };
    let [first, second] = [world.insert_default_webhook().await, world.insert_default_webhook().await];
    let other = world.insert_webhook(&world.receiver.url, &cancelled).await;
    let mut events = world.publish("fever", ChangeKind::PriceChanged, 1_100).await;
    events.extend(world.publish("fever", ChangeKind::Cancelled, 1).await);
    world.deliver(first).await;
    let sent = world.receiver.messages().len();
    assert_eq!(events_of(&world.receiver.messages()), events);

    // Only what is read again has this content.
    world.execute(r#"UPDATE change SET changed = '{"name":{"old":null,"new":"read again"}}'"#).await;
    world.deliver(second).await;
    let messages = world.receiver.messages().split_off(sent);
    assert_eq!(events_of(&messages), events);
    let read_again: Vec<bool> = changes_of(&messages).iter().map(|change| change["changed"].get("name").is_some()).collect();
    assert_eq!(read_again, [vec![false; 1_000], vec![true; 101]].concat(), "the last page may continue");

    world.deliver(other).await;
    let messages = world.receiver.messages().split_off(2 * sent);
    assert_eq!(events_of(&messages), events[1_100..], "other filters select other changes");
}

async fn removed_content_of_a_shared_page_is_not_sent(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let [first, second] = [world.insert_default_webhook().await, world.insert_default_webhook().await];
    let events = world.publish("fever", ChangeKind::PriceChanged, 1_100).await;
    world.deliver(first).await;
    let sent = world.receiver.messages().len();
    let transaction = begin_write(&world.database).await.unwrap();
    insert_tombstone(&transaction, events[150]).await;
    release::publish(&transaction, (Cause::Takedown, None), &Footprint::default()).await.unwrap();
    transaction.commit().await.unwrap();
    world.deliver(second).await;
    let messages = world.receiver.messages().split_off(sent);
    assert_eq!(events_of(&messages), events);
    let changed: Vec<Value> = changes_of(&messages).iter().map(|change| change["changed"].clone()).collect();
    let blank: Vec<usize> = changed.iter().enumerate().filter(|(_, fields)| **fields == json!({})).map(|(at, _)| at).collect();
    assert_eq!(blank, [150]);
}

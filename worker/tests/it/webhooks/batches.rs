//! What is sent: which changes, in which order, and with which headers.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use entity::{
    begin_write,
    change::ChangeKind,
    change_log::parse_cursor,
    database_now,
    footprint::Footprint,
    release::{self, Cause},
    webhook::{self, MessageKind, WebhookSecret, WebhookSelection, forget_event, forget_provider, parse_attempts},
};
use hmac::{Hmac, KeyInit, Mac};
use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::{ReceivedMessage, ReceiverReply};
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};
use sha2::Sha256;
use worker::webhooks::test_message::send_test;

use super::{World, changes_of, events_of, ids_of, insert_tombstone};

on_every_backend!(
    changes_are_sent_once_in_order_and_in_batches,
    only_selected_changes_are_sent,
    messages_have_signed_headers,
    two_secrets_sign_while_both_are_valid,
    a_secret_may_be_replaced_between_two_attempts,
    removed_content_is_not_sent_again,
    content_that_was_read_before_its_removal_is_not_sent,
    content_is_removed_from_stored_batches,
    a_test_has_no_changes,
    large_changes_are_in_small_batches,
);

async fn changes_are_sent_once_in_order_and_in_batches(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    world.publish("fever", ChangeKind::Created, 3).await;
    let id = world.insert_default_webhook().await;
    let mut events = Vec::new();
    for count in [120, 1, 1_100] {
        events.extend(world.publish("fever", ChangeKind::PriceChanged, count).await);
    }
    world.deliver(id).await;
    let messages = world.receiver.messages();
    assert_eq!(events_of(&messages), events, "the changes before it was created are not sent");
    assert_eq!((messages.len(), ids_of(&messages).len()), (13, 13));
    let sizes = messages.iter().map(|message| changes_of(std::slice::from_ref(message)).len());
    assert!(sizes.clone().all(|size| size <= 100), "{:?}", sizes.collect::<Vec<_>>());
    for message in &messages {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        let last = body["data"]["changes"].as_array().unwrap().last().unwrap();
        let [next, last] = [&body["data"]["next"], &last["cursor"]].map(|cursor| parse_cursor(cursor.as_str().unwrap()).unwrap());
        assert!(next.sort_key.order() >= last.sort_key.order());
        assert_eq!(body["type"], "changes");
    }
    let row = world.find(id).await;
    assert_eq!((row.batch, row.failures, parse_attempts(&row.attempts).len()), (None, 0, 13));
    world.deliver(id).await;
    assert_eq!(world.receiver.count(), 13, "nothing is left");
}

async fn only_selected_changes_are_sent(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let selection = WebhookSelection {
        kinds: [ChangeKind::Cancelled].into(),
        providers: ["fever".to_owned()].into(),
        ..WebhookSelection::default()
    };
    let id = world.insert_webhook(&world.receiver.url, &selection).await;
    let mut expected = Vec::new();
    for _ in 0..3 {
        world.publish("northstage", ChangeKind::Cancelled, 2).await;
        world.publish("fever", ChangeKind::Updated, 2).await;
        expected.extend(world.publish("fever", ChangeKind::Cancelled, 2).await);
    }
    world.publish("fever", ChangeKind::Updated, 2).await;
    world.deliver(id).await;
    assert_eq!(events_of(&world.receiver.messages()), expected);
    let end = entity::catalogue_version::fetch_version(&world.database).await.unwrap();
    assert_eq!(world.find(id).await.version, end, "it is at the end of the log");
}

async fn messages_have_signed_headers(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    world.publish("fever", ChangeKind::Left, 1).await;
    world.deliver(id).await;
    let message = world.receiver.messages().remove(0);
    let header = |name: &str| message.headers.get(name).unwrap().as_str();
    assert_eq!((header("content-type"), message.target.as_str()), ("application/json", "/hook"));
    assert!(message.id().starts_with("msg_") && !message.id().contains('.'), "{}", message.id());
    let timestamp: i64 = header("webhook-timestamp").parse().unwrap();
    let now = database_now(&world.database).await.unwrap().0 / 1_000_000;
    assert!((now - 60..=now).contains(&timestamp), "{timestamp}");
    let signature = header("webhook-signature");
    assert!(signature.starts_with("v1,") && signature.len() == 47, "{signature}");
}

async fn two_secrets_sign_while_both_are_valid(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let mut signatures = Vec::new();
    for until in [None, Some(i64::MAX), Some(1)] {
        let until = until.map_or("NULL".to_owned(), |until: i64| until.to_string());
        world.update(&format!("previous_secret = '{}', previous_secret_until = {until}", previous().expose())).await;
        world.publish("fever", ChangeKind::Left, 1).await;
        world.deliver(id).await;
        let message = world.receiver.messages().pop().unwrap();
        signatures.push(message.headers["webhook-signature"].split(' ').count());
    }
    assert_eq!(signatures, [1, 2, 1]);
}

/// Whether a receiver with this secret accepts a message.
fn verifies(secret: &WebhookSecret, message: &ReceivedMessage) -> bool {
    let header = |name: &str| message.headers[name].as_str();
    let content = format!("{}.{}.{}", message.id(), header("webhook-timestamp"), message.body);
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(secret.base64()).unwrap()).unwrap();
    mac.update(content.as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    header("webhook-signature").split(' ').any(|signature| signature == expected)
}

/// A receiver with any valid secret accepts every message, of which none is skipped or changed.
async fn a_secret_may_be_replaced_between_two_attempts(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let old = world.find(id).await.secret;
    let events = world.publish("fever", ChangeKind::Left, 150).await;
    world.receiver.script([ReceiverReply::Status(500, "")]);
    world.deliver(id).await;
    // As the API does it.
    let row = world.find(id).await;
    let until = database_now(&world.database).await.unwrap() + Duration::from_secs(3_600);
    let columns = webhook::ActiveModel {
        secret: Set(previous()),
        previous_secret: Set(Some(old.clone())),
        previous_secret_until: Set(Some(until)),
        ..Default::default()
    };
    assert!(webhook::update(&world.database, (id, row.revision), columns).await.unwrap());
    world.retry(id).await;
    world.update("previous_secret_until = 1").await;
    world.publish("fever", ChangeKind::Left, 1).await;
    world.deliver(id).await;
    let messages = world.receiver.messages();
    let verified: Vec<_> = messages.iter().map(|message| [&old, &previous()].map(|secret| verifies(secret, message))).collect();
    assert_eq!(verified, [[true, false], [true, true], [true, true], [false, true]]);
    assert_eq!((&messages[1].body, messages[1].id()), (&messages[0].body, messages[0].id()));
    assert_eq!(events_of(&messages[1..3]), events);
}

fn previous() -> WebhookSecret {
    WebhookSecret::of_base64("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
}

/// A worker may freeze content while it is being removed, and programs of an earlier release do not remove it from batches.
async fn removed_content_is_not_sent_again(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let events = world.publish("fever", ChangeKind::PriceChanged, 3).await;
    world.receiver.script([ReceiverReply::Status(500, "")]);
    world.deliver(id).await;
    insert_tombstone(&world.database, events[1]).await;
    world.retry(id).await;
    let messages = world.receiver.messages();
    let changed: Vec<Value> = changes_of(&messages[1..]).iter().map(|change| change["changed"].clone()).collect();
    let price = json!({ "min_price": { "old": 30.0, "new": 25.0 } });
    assert_eq!(changed, [price.clone(), json!({}), price]);
    assert_eq!((ids_of(&messages).len(), events_of(&messages[1..])), (1, events), "the message is the same one");
}

/// The changes of several messages are read together.
async fn content_that_was_read_before_its_removal_is_not_sent(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let events = world.publish("fever", ChangeKind::PriceChanged, 250).await;
    world.receiver.script([ReceiverReply::Held]);
    let removing = async {
        world.receiver.wait_for(1).await;
        let transaction = begin_write(&world.database).await.unwrap();
        insert_tombstone(&transaction, events[150]).await;
        release::publish(&transaction, (Cause::Takedown, None), &Footprint::default()).await.unwrap();
        transaction.commit().await.unwrap();
        world.receiver.release();
    };
    tokio::join!(world.deliver(id), removing);
    let messages = world.receiver.messages();
    assert_eq!((messages.len(), events_of(&messages)), (3, events));
    let blank: Vec<usize> =
        changes_of(&messages).iter().enumerate().filter(|(_, change)| change["changed"] == json!({})).map(|(at, _)| at).collect();
    assert_eq!(blank, [150]);
}

async fn content_is_removed_from_stored_batches(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let events = world.publish("fever", ChangeKind::PriceChanged, 2).await;
    world.receiver.script([ReceiverReply::Status(500, "")]);
    world.deliver(id).await;
    let count = async || world.find(id).await.batch.unwrap().matches("min_price").count();
    assert_eq!(count().await, 2);
    forget_provider(&world.database, "northstage").await.unwrap();
    assert_eq!(count().await, 2);
    forget_event(&world.database, events[0]).await.unwrap();
    assert_eq!(count().await, 1);
    forget_provider(&world.database, "fever").await.unwrap();
    assert_eq!(count().await, 0);
    world.retry(id).await;
    assert!(!world.receiver.messages()[1].body.contains("min_price"));
}

async fn a_test_has_no_changes(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    world.update("state = 'disabled', disabled_reason = 'gone'").await;
    world.publish("fever", ChangeKind::Left, 1).await;
    world.deliver(id).await;
    send_test(&world.context, id).await.unwrap();
    let messages = world.receiver.messages();
    let body: Value = serde_json::from_str(&messages[0].body).unwrap();
    assert_eq!((messages.len(), &body["type"], &body["data"]["changes"]), (1, &json!("test"), &json!([])));
    let attempts = parse_attempts(&world.find(id).await.attempts);
    assert_eq!((attempts.len(), attempts[0].kind, attempts[0].status), (1, MessageKind::Test, Some(204)));
}

async fn large_changes_are_in_small_batches(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let events = world.publish("fever", ChangeKind::Updated, 7).await;
    let text = "x".repeat(100_000);
    let sql = format!(r#"UPDATE change SET changed = '{{"description":{{"old":null,"new":"{text}"}}}}'"#);
    sea_orm::ConnectionTrait::execute_unprepared(&world.database, &sql).await.unwrap();
    world.deliver(id).await;
    let messages = world.receiver.messages();
    assert_eq!((messages.len(), events_of(&messages)), (4, events), "two of 100 KB in 256 KiB");
}

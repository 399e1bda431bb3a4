//! What happens if a receiver does not accept a message.

use std::sync::Arc;

use entity::{
    change::ChangeKind,
    database_now,
    webhook::{AttemptOutcome, DisabledReason, WebhookSelection, WebhookState, parse_attempts},
};
use migration::{on_every_backend, testing::TestDatabase};
use outbound::EndpointSettings;
use provider_sim::ReceiverReply;
use sea_orm::ConnectionTrait;
use worker::webhooks::DeliveryContext;

use super::{World, events_of, ids_of};

on_every_backend!(
    a_failed_message_is_repeated_unchanged,
    a_receiver_that_does_not_respond_is_given_up,
    gone_ends_deliveries,
    three_days_of_failures_end_deliveries,
    a_step_of_the_clock_does_not,
    retry_after_is_honored,
    a_position_before_the_log_ends_deliveries,
    private_addresses_are_refused,
    a_replay_during_an_attempt_is_not_lost,
);

const HOUR_MICROS: i64 = 3_600_000_000;

async fn a_failed_message_is_repeated_unchanged(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let mut events = world.publish("fever", ChangeKind::PriceChanged, 2).await;
    let failing = [
        (ReceiverReply::Status(500, ""), AttemptOutcome::Rejected),
        (ReceiverReply::Status(302, "location: /other\r\n"), AttemptOutcome::Redirected),
        (ReceiverReply::Status(404, ""), AttemptOutcome::Rejected),
        (ReceiverReply::Close, AttemptOutcome::InvalidResponse),
        (ReceiverReply::Truncated, AttemptOutcome::InvalidResponse),
    ];
    world.receiver.script(failing.iter().map(|(reply, _)| reply.clone()));
    for (index, (reply, outcome)) in failing.iter().enumerate() {
        world.retry(id).await;
        let row = world.find(id).await;
        assert_eq!(parse_attempts(&row.attempts)[0].outcome, *outcome, "{reply:?}");
        assert_eq!(usize::try_from(row.failures).unwrap(), index + 1);
        let now = database_now(&world.database).await.unwrap();
        assert!(row.next_attempt_at.unwrap() > now, "{reply:?}");
        // It is not due yet, and later changes wait for it.
        events.extend(world.publish("fever", ChangeKind::PriceChanged, 1).await);
        world.deliver(id).await;
        assert_eq!(world.receiver.count(), index + 1, "{reply:?}");
    }
    world.retry(id).await;
    let messages = world.receiver.messages();
    let first = &messages[0];
    assert!(messages[..6].iter().all(|message| message.body == first.body && message.id() == first.id()), "{messages:?}");
    assert!(messages.iter().all(|message| message.target == "/hook"), "no redirect is followed");
    assert_eq!((messages.len(), ids_of(&messages).len(), events_of(&messages[5..])), (7, 2, events));
    let row = world.find(id).await;
    assert_eq!((row.failures, row.failing_micros, row.next_attempt_at, row.batch), (0, 0, None, None));
}

async fn a_receiver_that_does_not_respond_is_given_up(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let silent = world.insert_default_webhook().await;
    let down = world.insert_webhook("http://127.0.0.1:1/", &WebhookSelection::default()).await;
    world.publish("fever", ChangeKind::Left, 1).await;
    world.receiver.script([ReceiverReply::Silence]);
    for (id, outcome) in [(silent, AttemptOutcome::TimedOut), (down, AttemptOutcome::Unreachable)] {
        world.deliver(id).await;
        let attempts = parse_attempts(&world.find(id).await.attempts);
        assert_eq!((attempts[0].outcome, attempts[0].status), (outcome, None));
    }
    world.receiver.script([ReceiverReply::Endless]);
    world.retry(silent).await;
    let attempts = parse_attempts(&world.find(silent).await.attempts);
    assert_eq!((attempts[0].outcome, attempts[0].status), (AttemptOutcome::Delivered, Some(200)), "the rest is not read");
}

async fn gone_ends_deliveries(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    world.publish("fever", ChangeKind::Left, 1).await;
    world.receiver.script([ReceiverReply::Status(410, "")]);
    world.deliver(id).await;
    let row = world.find(id).await;
    assert_eq!((row.state, row.disabled_reason), (WebhookState::Disabled, Some(DisabledReason::Gone)));
    world.retry(id).await;
    assert_eq!(world.receiver.count(), 1);
}

/// Sets how long attempts have been failing, how long ago the last one was, and when the next one was planned.
async fn fail_again(world: &World, id: sea_orm::prelude::Uuid, failing: i64, ago: i64, planned: i64) -> (WebhookState, i64) {
    let now = database_now(&world.database).await.unwrap().0;
    let attempted = now - ago;
    world
        .update(&format!(
            "failures = 9, failing_micros = {failing}, attempted_at = {attempted}, next_attempt_at = {}",
            attempted + planned
        ))
        .await;
    world.receiver.script([ReceiverReply::Status(500, "")]);
    world.deliver(id).await;
    let row = world.find(id).await;
    (row.state, row.failing_micros)
}

async fn three_days_of_failures_end_deliveries(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    world.publish("fever", ChangeKind::Left, 1).await;
    let (state, failing) = fail_again(&world, id, 70 * HOUR_MICROS, HOUR_MICROS, HOUR_MICROS).await;
    assert_eq!(state, WebhookState::Active);
    assert!((71 * HOUR_MICROS..72 * HOUR_MICROS).contains(&failing), "{failing}");
    let (state, _) = fail_again(&world, id, 71 * HOUR_MICROS, HOUR_MICROS, HOUR_MICROS).await;
    assert_eq!(state, WebhookState::Disabled);
    let row = world.find(id).await;
    assert_eq!((row.disabled_reason, row.next_attempt_at), (Some(DisabledReason::Failing), None));
    assert!(row.batch.is_some() && row.disabled_at.is_some(), "the message waits until it is enabled");
}

async fn a_step_of_the_clock_does_not(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    world.publish("fever", ChangeKind::Left, 1).await;
    // Forward, or no worker ran for a month.
    let (state, failing) = fail_again(&world, id, HOUR_MICROS, 720 * HOUR_MICROS, HOUR_MICROS).await;
    assert!(state == WebhookState::Active && failing < 3 * HOUR_MICROS, "{failing}");
    // Back: the attempt would be due in a month.
    let (state, failing) = fail_again(&world, id, HOUR_MICROS, -720 * HOUR_MICROS, HOUR_MICROS).await;
    assert_eq!((state, failing, world.receiver.count()), (WebhookState::Active, HOUR_MICROS, 2));
}

async fn retry_after_is_honored(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    world.publish("fever", ChangeKind::Left, 1).await;
    for (reply, seconds) in [
        (ReceiverReply::Status(503, "retry-after: 600\r\n"), 600..700),
        (ReceiverReply::Status(429, "retry-after: 999999\r\n"), 3_600..3_700),
    ] {
        world.receiver.script([reply.clone()]);
        world.retry(id).await;
        let row = world.find(id).await;
        let pause = row.attempted_at.unwrap().until(row.next_attempt_at.unwrap());
        assert!(seconds.contains(&pause.as_secs()), "{reply:?}: {pause:?}");
    }
}

async fn a_position_before_the_log_ends_deliveries(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    world.publish("fever", ChangeKind::Left, 1).await;
    let version = entity::catalogue_version::fetch_version(&world.database).await.unwrap();
    let sql = format!("INSERT INTO change_retention (kind, removed_through) VALUES ('updated', {version})");
    world.database.execute_unprepared(&sql).await.unwrap();
    world.deliver(id).await;
    let row = world.find(id).await;
    assert_eq!((row.state, row.disabled_reason), (WebhookState::Disabled, Some(DisabledReason::CursorExpired)));
    assert_eq!(world.receiver.count(), 0);
}

async fn private_addresses_are_refused(database: Arc<TestDatabase>) {
    let mut world = World::new(database).await;
    world.context = DeliveryContext::new(world.database.clone(), EndpointSettings::default()).unwrap();
    let literal = world.insert_default_webhook().await;
    // Resolved at each delivery. The certificate would not be valid either.
    let name = world.insert_webhook("https://localtest.invalid-marquee.localhost./", &WebhookSelection::default()).await;
    world.publish("fever", ChangeKind::Left, 1).await;
    for id in [literal, name] {
        world.deliver(id).await;
        let attempts = parse_attempts(&world.find(id).await.attempts);
        assert_eq!(attempts[0].outcome, AttemptOutcome::AddressRefused);
    }
    assert_eq!(world.receiver.count(), 0);
}

async fn a_replay_during_an_attempt_is_not_lost(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let start = world.find(id).await.position();
    let events = world.publish("fever", ChangeKind::Left, 1).await;
    world.receiver.script([ReceiverReply::Status(500, "")]);
    world.deliver(id).await;
    // As the API does it.
    let row = world.find(id).await;
    let columns = entity::webhook::ActiveModel::at_position(start).enabled();
    assert!(entity::webhook::update(&world.database, (id, row.revision), columns.clone()).await.unwrap());
    assert!(!entity::webhook::update(&world.database, (id, row.revision), columns).await.unwrap(), "the row has changed");
    world.deliver(id).await;
    let messages = world.receiver.messages();
    assert_eq!(events_of(&messages), [events.clone(), events].concat());
    assert_eq!(ids_of(&messages).len(), 2, "a replay has other ids");
}

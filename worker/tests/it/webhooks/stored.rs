//! What is stored of endpoints, and how it is read.

use std::{collections::HashSet, sync::Arc, time::Duration};

use entity::{
    begin_write,
    change::ChangeKind,
    change_log::{ChangesQuery, read_page},
    database_now,
    sql::begin_snapshot,
    webhook::{self, BATCH_RETENTION, WebhookSelection, WebhookState, forget_event},
};
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use provider_sim::ReceiverReply;
use sea_orm::{ConnectionTrait, EntityTrait};
use worker::jobs::cleanup::delete_expired;

use super::{World, events_of, ids_of};
use crate::patience::{eventually, in_time};

on_every_backend!(
    pages_end_after_a_number_of_bytes,
    only_batches_with_the_removed_event_are_written,
    a_batch_of_an_endpoint_that_is_disabled_for_long_is_built_again,
    previous_secrets_are_deleted_when_they_are_invalid,
);

async fn pages_end_after_a_number_of_bytes(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let start = world.insert_default_webhook().await;
    let after = world.find(start).await.position();
    world.publish("fever", ChangeKind::Updated, 7).await;
    world.execute(&format!("UPDATE change SET changed = '{}'", "x".repeat(1_000))).await;
    let snapshot = begin_snapshot(&world.database).await.unwrap();
    let (mut query, mut sizes) = (ChangesQuery { max_bytes: 2_500, ..ChangesQuery::all(Some(after), 100) }, Vec::new());
    loop {
        let page = read_page(&snapshot, &query).await.unwrap().unwrap();
        sizes.push(page.rows.len());
        query.after = Some(page.next);
        if page.is_last {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    let query = ChangesQuery { max_bytes: 1, has_fields: false, ..ChangesQuery::all(Some(after), 100) };
    let page = read_page(&snapshot, &query).await.unwrap().unwrap();
    let fields: HashSet<&str> = page.rows.iter().map(|row| row.changed.as_str()).collect();
    assert_eq!((page.rows.len(), fields), (1, HashSet::from(["{}"])), "a page has at least one change");
    snapshot.commit().await.unwrap();
}

async fn only_batches_with_the_removed_event_are_written(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let cancelled = WebhookSelection { kinds: [ChangeKind::Cancelled].into(), ..WebhookSelection::default() };
    let [id, other] = [world.insert_default_webhook().await, world.insert_webhook(&world.receiver.url, &cancelled).await];
    let events = world.publish("fever", ChangeKind::PriceChanged, 2).await;
    world.publish("fever", ChangeKind::Cancelled, 1).await;
    world.receiver.always(ReceiverReply::Status(500, ""));
    for id in [id, other] {
        world.deliver(id).await;
    }
    let before = [world.find(id).await, world.find(other).await];
    let transaction = begin_write(&world.database).await.unwrap();
    forget_event(&transaction, events[0]).await.unwrap();
    transaction.commit().await.unwrap();
    let after = [world.find(id).await, world.find(other).await];
    assert_eq!((after[0].revision, &after[1]), (before[0].revision + 1, &before[1]));
    assert_eq!(after[0].batch.as_deref().unwrap().matches("min_price").count(), 2);
}

/// Otherwise two takedowns could wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn takedowns_lock_batches_in_the_same_order() {
    let world = World::new(TestDatabase::migrated(Backend::Postgres).await.into()).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(world.insert_default_webhook().await);
    }
    ids.sort();
    let events = world.publish("fever", ChangeKind::PriceChanged, 1).await;
    world.receiver.always(ReceiverReply::Status(500, ""));
    for id in &ids {
        world.deliver(*id).await;
    }
    let holder = begin_write(&world.database).await.unwrap();
    holder.execute_unprepared(&format!("SELECT 1 FROM webhook WHERE id = '{}' FOR UPDATE", ids[0])).await.unwrap();
    let removing = begin_write(&world.database).await.unwrap();
    let event = events[0];
    let removing = tokio::spawn(async move {
        forget_event(&removing, event).await.unwrap();
        removing.commit().await.unwrap();
    });
    let waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND pid IN \
                   (SELECT pid FROM pg_stat_activity WHERE datname = current_database()) LIMIT 1";
    eventually("it waits", async || {
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, waiting);
        world.database.query_one_raw(statement).await.unwrap()
    })
    .await;
    for id in &ids[1..] {
        let sql = format!("SELECT 1 FROM webhook WHERE id = '{id}' FOR UPDATE NOWAIT");
        world.database.execute_unprepared(&sql).await.unwrap();
    }
    holder.rollback().await.unwrap();
    in_time("the takedown", removing).await.unwrap();
    for id in ids {
        assert!(!world.find(id).await.batch.unwrap().contains("min_price"));
    }
}

async fn a_batch_of_an_endpoint_that_is_disabled_for_long_is_built_again(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let position = world.find(id).await.position();
    let events = world.publish("fever", ChangeKind::Left, 2).await;
    world.receiver.script([ReceiverReply::Status(410, "")]);
    world.deliver(id).await;
    let disable = async |age: Duration| {
        let since = database_now(&world.database).await.unwrap() - age;
        world.update(&format!("disabled_at = {}", since.0)).await;
        delete_expired(&world.database).await.unwrap()
    };
    let minute = Duration::from_secs(60);
    assert_eq!(disable(BATCH_RETENTION - minute).await, 0);
    assert!(world.find(id).await.batch.is_some());
    assert_eq!(disable(BATCH_RETENTION + minute).await, 1);
    let row = world.find(id).await;
    assert_eq!((row.position(), row.batch, row.batch_id, row.state), (position, None, None, WebhookState::Disabled));
    let columns = <webhook::ActiveModel as Default>::default().enabled();
    assert!(webhook::update(&world.database, (id, row.revision), columns).await.unwrap());
    world.deliver(id).await;
    let messages = world.receiver.messages();
    assert_eq!((events_of(&messages[1..]), ids_of(&messages).len()), (events, 2), "the same changes in another message");
}

async fn previous_secrets_are_deleted_when_they_are_invalid(database: Arc<TestDatabase>) {
    let world = World::new(database).await;
    let id = world.insert_default_webhook().await;
    let now = database_now(&world.database).await.unwrap();
    for (until, deleted) in [(now + Duration::from_secs(60), 0), (now - Duration::from_secs(60), 1)] {
        world.update(&format!("previous_secret = 'whsec_c2VjcmV0', previous_secret_until = {}", until.0)).await;
        assert_eq!(delete_expired(&world.database).await.unwrap(), deleted);
        let row = webhook::Entity::find_by_id(id).one(&world.database).await.unwrap().unwrap();
        assert_eq!((row.previous_secret.is_none(), row.previous_secret_until.is_none()), (deleted == 1, deleted == 1));
    }
}

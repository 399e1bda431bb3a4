//! Deliveries of webhooks to a real receiver.

mod batches;
mod dispatching;
mod failures;
mod outages;
mod restores;
mod shared_pages;
mod stored;

use std::{collections::HashSet, sync::Arc, time::Duration};

use entity::{
    ConnectionRole, UtcInstant, begin_write, catalogue_version,
    change::{self, ChangeKind, NewChange},
    change_log::cursor_after_release,
    footprint::Footprint,
    job::{Claim, JobKind, WebhookJob, queue},
    provider,
    release::{self, Cause},
    tombstone,
    webhook::{self, WebhookSecret, WebhookSelection, WebhookState},
};
use migration::testing::TestDatabase;
use outbound::EndpointSettings;
use provider_sim::{ReceivedMessage, WebhookReceiver};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, Statement, prelude::Uuid,
};
use serde_json::Value;
use worker::{
    sync::register,
    webhooks::{DeliveryContext, delivery::deliver},
};

use crate::entries;

const LEASE: Duration = Duration::from_secs(600);
const PRIVATE: EndpointSettings = EndpointSettings { webhook_allow_private_addresses: true };

/// A database with two providers, and a receiver.
struct World {
    database: DatabaseConnection,
    context: DeliveryContext,
    receiver: WebhookReceiver,
    _database: Arc<TestDatabase>,
}

impl World {
    async fn new(test_database: Arc<TestDatabase>) -> Self {
        let database = test_database.connect(ConnectionRole::Worker).await;
        let entry = |slug| entries::entry(slug, "http://127.0.0.1:1/feed", "");
        register::register_all(&database, &[entry("northstage"), entry("fever")]).await.unwrap();
        let of_deliveries = test_database.connect(ConnectionRole::Deliver).await;
        let context = DeliveryContext::new(of_deliveries, PRIVATE).unwrap();
        let receiver = WebhookReceiver::start().await.unwrap();
        Self { database, context, receiver, _database: test_database }
    }

    /// Inserts an endpoint at the end of the log.
    async fn insert_webhook(&self, url: &str, selection: &WebhookSelection) -> Uuid {
        let end = cursor_after_release(&catalogue_version::fetch(&self.database).await.unwrap());
        let row = webhook::ActiveModel {
            id: Set(Uuid::from_u128(u128::from(fastrand::u64(..)))),
            owner: Set("tester".to_owned()),
            url: Set(url.to_owned()),
            query: Set(String::new()),
            selection: Set(serde_json::to_string(selection).unwrap()),
            secret: Set(WebhookSecret::of_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
            state: Set(WebhookState::Active),
            created_at: Set(UtcInstant(0)),
            attempts: Set("[]".to_owned()),
            ..webhook::ActiveModel::at_position(end).without_failures()
        };
        row.insert(&self.database).await.unwrap().id
    }

    async fn insert_default_webhook(&self) -> Uuid {
        self.insert_webhook(&self.receiver.url, &WebhookSelection::default()).await
    }

    /// Publishes a release with changes of a provider, each of another event. Returns their events.
    async fn publish(&self, provider: &str, kind: ChangeKind, count: usize) -> Vec<Uuid> {
        let provider = provider::Entity::find().filter(provider::COLUMN.slug.eq(provider)).one(&self.database).await.unwrap();
        let provider_id = provider.unwrap().id;
        let changes: Vec<NewChange> = (0..count)
            .map(|_| NewChange {
                kind,
                provider_id,
                event_id: Uuid::from_u128(u128::from(fastrand::u64(..))),
                changed: r#"{"min_price":{"old":30.0,"new":25.0}}"#.to_owned(),
                states: None,
            })
            .collect();
        let events = changes.iter().map(|change| change.event_id).collect();
        let transaction = begin_write(&self.database).await.unwrap();
        let release = release::publish(&transaction, (Cause::SyncRun, None), &Footprint::default()).await.unwrap();
        change::insert(&transaction, &release, 0, changes).await.unwrap();
        transaction.commit().await.unwrap();
        events
    }

    async fn claim(&self, id: Uuid) -> Claim {
        queue::enqueue(&self.database, &WebhookJob { webhook: id }).await.unwrap();
        queue::claim(&self.database, &[WebhookJob::KIND], "test", LEASE).await.unwrap().unwrap()
    }

    /// Runs the job of an endpoint.
    async fn deliver(&self, id: Uuid) {
        let claim = self.claim(id).await;
        deliver(&self.context, &claim, id).await.unwrap();
        queue::finish(&self.database, &claim).await.unwrap();
    }

    async fn execute(&self, sql: &str) {
        self.database.execute_unprepared(sql).await.unwrap();
    }

    async fn find(&self, id: Uuid) -> webhook::Model {
        webhook::Entity::find_by_id(id).one(&self.database).await.unwrap().unwrap()
    }

    /// Sets columns of all endpoints.
    async fn update(&self, assignments: &str) {
        let sql = format!("UPDATE webhook SET {assignments}, revision = revision + 1");
        self.database.execute_raw(Statement::from_string(self.database.get_database_backend(), sql)).await.unwrap();
    }

    /// Lets the next attempt be due, and delivers.
    async fn retry(&self, id: Uuid) {
        self.update("next_attempt_at = 0").await;
        self.deliver(id).await;
    }
}

/// The changes of messages.
fn changes_of(messages: &[ReceivedMessage]) -> Vec<Value> {
    let bodies = messages.iter().map(|message| serde_json::from_str::<Value>(&message.body).unwrap());
    bodies.flat_map(|body| body["data"]["changes"].as_array().unwrap().clone()).collect()
}

fn events_of(messages: &[ReceivedMessage]) -> Vec<Uuid> {
    changes_of(messages).iter().map(|change| change["event_id"].as_str().unwrap().parse().unwrap()).collect()
}

/// The distinct ids of messages, in order.
fn ids_of(messages: &[ReceivedMessage]) -> Vec<&str> {
    let mut known = HashSet::new();
    messages.iter().map(ReceivedMessage::id).filter(|id| known.insert(*id)).collect()
}

async fn insert_tombstone(database: &impl ConnectionTrait, event_id: Uuid) {
    let row = tombstone::ActiveModel {
        event_id: Set(event_id),
        base_event_id: Set(Uuid::nil()),
        provider_id: Set(1),
        removed_at: Set(UtcInstant(0)),
        reason: Set("court order".to_owned()),
    };
    tombstone::Entity::insert(row).exec_without_returning(database).await.unwrap();
}

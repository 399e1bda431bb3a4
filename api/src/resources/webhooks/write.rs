//! Reads and writes endpoints. Each write compares the revision of the row, because workers change it at the same time.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use entity::{
    begin_write, catalogue_version,
    change_log::{self, ChangeCursor, cursor_after_release},
    database_now,
    job::{WebhookJob, WebhookTestJob, queue},
    webhook::{self, DisabledReason, WebhookSecret, WebhookSelection, WebhookState},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    ModelTrait, PaginatorTrait, QueryFilter,
};
use uuid::Uuid;

use super::request::NewWebhook;
use crate::error::ApiError;

/// Endpoints of one owner. Each is a reader of the log.
const MAX_OF_OWNER: u64 = 20;
/// Endpoints of a deployment, for the same reason.
const MAX_WEBHOOKS: u64 = 500;
/// Bytes of the filters as they are stored: those of regions have up to 2,000 places.
const MAX_SELECTION_BYTES: usize = 64 * 1024;
/// Random bytes of a secret: the output of the hash function that uses it.
const SECRET_BYTES: usize = 32;
/// How long messages are signed with two secrets.
const ROTATION_TIME: Duration = Duration::from_secs(24 * 3_600);
/// Attempts to write, while a worker changes the row.
const MAX_WRITES: u32 = 20;

/// Which endpoints a caller may see and change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// All.
    All,
    /// Those that a key with this name created.
    Of(String),
}

/// The endpoints, the oldest first.
pub(super) async fn list(database: &DatabaseConnection, access: &Access) -> Result<Vec<webhook::Model>, DbErr> {
    let mut endpoints = webhook::select_without_batch();
    if let Access::Of(owner) = access {
        endpoints = endpoints.filter(webhook::COLUMN.owner.eq(owner.as_str()));
    }
    endpoints.all(database).await
}

/// An endpoint of any owner.
async fn find(database: &impl ConnectionTrait, id: Uuid) -> Result<webhook::Model, ApiError> {
    let found = webhook::Entity::find_by_id(id).one(database).await?;
    found.ok_or_else(|| ApiError::not_found("webhook", &id))
}

/// An endpoint that a caller may see. The others seem not to exist.
pub(super) async fn find_own(database: &impl ConnectionTrait, id: Uuid, access: &Access) -> Result<webhook::Model, ApiError> {
    let found = find(database, id).await?;
    match access {
        Access::Of(owner) if found.owner != *owner => Err(ApiError::not_found("webhook", &id)),
        _ => Ok(found),
    }
}

/// Creates an endpoint.
pub(super) async fn create(database: &DatabaseConnection, owner: &str, new: NewWebhook) -> Result<webhook::Model, ApiError> {
    let selection = serde_json::to_string(&new.selection).map_err(ApiError::Encoding)?;
    if selection.len() > MAX_SELECTION_BYTES {
        return Err(ApiError::parameter(
            "query",
            format!("must select by at most {MAX_SELECTION_BYTES} bytes of ids and places"),
        ));
    }
    let secret = generate_secret()?;
    let transaction = begin_write(database).await?;
    check_limits(&transaction, owner).await?;
    let position = match new.after {
        Some(after) => check_position(&transaction, &new.selection, after).await?,
        None => cursor_after_release(&catalogue_version::fetch(&transaction).await?),
    };
    let row = webhook::ActiveModel {
        id: Set(Uuid::new_v4()),
        owner: Set(owner.to_owned()),
        url: Set(new.url),
        query: Set(new.query),
        selection: Set(selection),
        secret: Set(secret),
        state: Set(WebhookState::Active),
        created_at: Set(database_now(&transaction).await?),
        attempts: Set("[]".to_owned()),
        ..webhook::ActiveModel::at_position(position).without_failures()
    };
    let row = row.insert(&transaction).await?;
    queue::enqueue(&transaction, &WebhookJob { webhook: row.id }).await?;
    transaction.commit().await?;
    Ok(row)
}

/// Counts under a lock, so that two requests at the same time do not exceed the limits. SQLite has only one writer.
async fn check_limits(transaction: &DatabaseTransaction, owner: &str) -> Result<(), ApiError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("SELECT pg_advisory_xact_lock(hashtextextended('webhook', 0))").await?;
    }
    let of_owner = webhook::Entity::find().filter(webhook::COLUMN.owner.eq(owner)).count(transaction).await?;
    if of_owner >= MAX_OF_OWNER {
        return Err(ApiError::WebhookLimitReached { limit: MAX_OF_OWNER, of: "per API key" });
    }
    if webhook::Entity::find().count(transaction).await? >= MAX_WEBHOOKS {
        return Err(ApiError::WebhookLimitReached { limit: MAX_WEBHOOKS, of: "in all" });
    }
    Ok(())
}

/// Checks that the log has all changes after a position.
async fn check_position(
    transaction: &DatabaseTransaction,
    selection: &WebhookSelection,
    after: ChangeCursor,
) -> Result<ChangeCursor, ApiError> {
    let page = change_log::read_page(transaction, &selection.clone().into_query(after, 1)).await?;
    page.map(|_| after).ok_or(ApiError::CursorExpired)
}

fn generate_secret() -> Result<WebhookSecret, ApiError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| ApiError::Disk(error.into()))?;
    Ok(WebhookSecret::of_base64(&STANDARD.encode(bytes)))
}

/// Deletes an endpoint.
pub(super) async fn delete(database: &DatabaseConnection, id: Uuid, access: &Access) -> Result<(), ApiError> {
    let transaction = begin_write(database).await?;
    let found = find_own(&transaction, id, access).await?;
    found.delete(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Replaces the secret.
pub(super) async fn rotate(database: &DatabaseConnection, id: Uuid, access: &Access) -> Result<webhook::Model, ApiError> {
    let secret = generate_secret()?;
    let now = database_now(database).await?;
    let replace = |row: &webhook::Model| {
        // A receiver may still have the previous one, and another the current one.
        if let Some(until) = row.previous_secret_until.filter(|until| now < *until) {
            return Err(ApiError::RotationInProgress { until });
        }
        Ok(webhook::ActiveModel {
            secret: Set(secret.clone()),
            previous_secret: Set(Some(row.secret.clone())),
            previous_secret_until: Set(Some(now + ROTATION_TIME)),
            ..Default::default()
        })
    };
    change(database, id, access, false, replace).await
}

/// Queues a test.
pub(super) async fn test(database: &DatabaseConnection, id: Uuid, access: &Access) -> Result<webhook::Model, ApiError> {
    let transaction = begin_write(database).await?;
    let row = find_own(&transaction, id, access).await?;
    // One that is queued already is the same. One that failed, because a database or a worker did, must not prevent tests.
    queue::enqueue_or_revive(&transaction, &WebhookTestJob { webhook: id }).await?;
    transaction.commit().await?;
    Ok(row)
}

/// Delivers changes again.
pub(crate) async fn enable(database: &DatabaseConnection, id: Uuid, access: &Access) -> Result<webhook::Model, ApiError> {
    let transaction = begin_write(database).await?;
    let row = find_own(&transaction, id, access).await?;
    // A batch is sent as it is stored. The log must have what follows.
    let position = row.frozen_batch().map_or_else(|| row.position(), |batch| batch.position);
    check_position(&transaction, &selection_of(&row), position).await?;
    transaction.commit().await?;
    let enable = |row: &webhook::Model| match row.disabled_reason {
        Some(DisabledReason::CursorExpired) => Err(ApiError::CursorExpired),
        _ => Ok(<webhook::ActiveModel as Default>::default().enabled()),
    };
    change(database, id, access, true, enable).await
}

/// What this program cannot read was written by a later release, and selects at most all.
fn selection_of(row: &webhook::Model) -> WebhookSelection {
    serde_json::from_str(&row.selection).unwrap_or_default()
}

/// Moves an endpoint to a position.
pub(super) async fn replay(
    database: &DatabaseConnection,
    id: Uuid,
    access: &Access,
    after: ChangeCursor,
) -> Result<webhook::Model, ApiError> {
    let transaction = begin_write(database).await?;
    let row = find_own(&transaction, id, access).await?;
    check_position(&transaction, &selection_of(&row), after).await?;
    transaction.commit().await?;
    change(database, id, access, true, |_| Ok(webhook::ActiveModel::at_position(after).enabled())).await
}

/// Writes columns that may depend on the row, and enqueues its delivery if it changes.
async fn change(
    database: &DatabaseConnection,
    id: Uuid,
    access: &Access,
    delivers: bool,
    describe: impl Fn(&webhook::Model) -> Result<webhook::ActiveModel, ApiError>,
) -> Result<webhook::Model, ApiError> {
    for _ in 0..MAX_WRITES {
        let transaction = begin_write(database).await?;
        let mut row = find_own(&transaction, id, access).await?;
        let columns = describe(&row)?;
        if webhook::update(&transaction, (id, row.revision), columns.clone()).await? {
            if delivers {
                queue::enqueue_or_revive(&transaction, &WebhookJob { webhook: id }).await?;
            }
            transaction.commit().await?;
            row.apply(&columns);
            return Ok(row);
        }
        transaction.rollback().await?;
    }
    Err(ApiError::Overloaded)
}

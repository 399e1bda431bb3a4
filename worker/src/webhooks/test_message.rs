//! The job that tests an endpoint: it sends one message without changes, also if the endpoint is disabled. The result is only recorded.

use entity::{
    database_now, deadline,
    webhook::{self, Batch, DeliveryAttempt, MessageKind, add_attempt},
};
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait, prelude::Uuid};

use super::{
    DeliveryContext,
    message::{JobClock, Outgoing, send},
    metrics,
    source::new_message_id,
};
use crate::database::record_when_available;

/// The type of the message.
const TEST: &str = "test";
/// Attempts to write the result, while a delivery changes the row.
const MAX_WRITES: u32 = 20;

/// How a test ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestEnd {
    /// The message was sent, or the endpoint does not exist.
    Done,
    /// The process stops. The message was not sent.
    Stopped,
}

/// Sends the message, once.
///
/// # Errors
///
/// When the database is unavailable before the message is sent.
pub async fn send_test(context: &DeliveryContext, id: Uuid) -> Result<TestEnd, DbErr> {
    let database = &context.database;
    let clock = JobClock::new(deadline::within(deadline::SHORT, database, database_now(database)).await?);
    let finding = webhook::Entity::find_by_id(id).one(database);
    let Some(webhook) = deadline::within(deadline::SHORT, database, finding).await? else { return Ok(TestEnd::Done) };
    if context.stop.is_cancelled() {
        return Ok(TestEnd::Stopped);
    }
    let body = Batch::new(TEST, clock.now(), Vec::new(), webhook.position()).encode();
    let message = Outgoing { id: &new_message_id(), kind: MessageKind::Test, changes: 0, body };
    let sent = send(context, &webhook, message, clock).await;
    metrics::count_attempt(&sent.attempt);
    // It was sent, so the job is not repeated.
    match record(context, id, &sent.attempt).await {
        Ok(true) => (),
        Ok(false) => tracing::warn!(webhook.id = %id, "the result of a test was not recorded: the webhook changes too often"),
        Err(error) => {
            let error = telemetry::with_causes(&error);
            tracing::warn!(webhook.id = %id, error, "the result of a test was not recorded");
        }
    }
    Ok(TestEnd::Done)
}

/// Returns whether the result was recorded, or the endpoint was deleted.
async fn record(context: &DeliveryContext, id: Uuid, attempt: &DeliveryAttempt) -> Result<bool, DbErr> {
    let database = &context.database;
    let what = "result of a test";
    for _ in 0..MAX_WRITES {
        let find = || webhook::Entity::find_by_id(id).one(database);
        let Some(webhook) = record_when_available(database, what, find).await? else { return Ok(true) };
        let attempts = add_attempt(&webhook.attempts, attempt.clone());
        let columns = webhook::ActiveModel { attempts: Set(attempts), ..Default::default() };
        let update = || webhook::update(database, (id, webhook.revision), columns.clone());
        if record_when_available(database, what, update).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

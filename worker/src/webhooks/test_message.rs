//! The job that tests an endpoint: it sends one message without changes, also if the endpoint is disabled. The result is only recorded.

use entity::{
    database_now, deadline,
    webhook::{self, Batch, MessageKind, add_attempt},
};
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait, prelude::Uuid};

use super::{
    DeliveryContext,
    message::{JobClock, Outgoing, send},
    metrics,
    source::new_message_id,
};

/// The type of the message.
const TEST: &str = "test";
/// Attempts to write the result, while a delivery changes the row.
const MAX_WRITES: u32 = 20;

/// Sends the message, once.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn send_test(context: &DeliveryContext, id: Uuid) -> Result<(), DbErr> {
    let database = &context.database;
    let find = || deadline::within(deadline::SHORT, database, webhook::Entity::find_by_id(id).one(database));
    let clock = JobClock::new(deadline::within(deadline::SHORT, database, database_now(database)).await?);
    let Some(webhook) = find().await? else { return Ok(()) };
    let body = Batch::new(TEST, clock.now(), Vec::new(), webhook.position()).encode();
    let message = Outgoing { id: &new_message_id(), kind: MessageKind::Test, changes: 0, body };
    let sent = send(context, &webhook, message, clock).await;
    metrics::count_attempt(&sent.attempt);
    for _ in 0..MAX_WRITES {
        let Some(webhook) = find().await? else { return Ok(()) };
        let attempts = add_attempt(&webhook.attempts, sent.attempt.clone());
        let columns = webhook::ActiveModel { attempts: Set(attempts), ..Default::default() };
        let writing = webhook::update(database, (id, webhook.revision), columns);
        if deadline::within(deadline::SHORT, database, writing).await? {
            return Ok(());
        }
    }
    tracing::warn!(webhook.id = %id, "the result of a test could not be recorded, because the webhook changes too often");
    Ok(())
}

//! The job of an endpoint: delivers batches in order, until nothing is left, an attempt fails, or the time of the job is over.
//!
//! A batch is stored before it is sent, and removed after the receiver has accepted it, together with storing the next one. So a batch is
//! sent again if the worker dies in between, unchanged, and none is skipped.

use std::time::Duration;

use entity::{
    begin_write,
    change_log::ChangeCursor,
    database_now, deadline,
    job::{Claim, WebhookJob, queue},
    webhook::{
        self, AttemptOutcome, DisabledReason, FrozenBatch, MessageKind, WebhookSelection, WebhookState, add_attempt,
        parse_attempts, remove_content,
    },
};
use sea_orm::{ActiveValue::Set, DatabaseConnection, DbErr, EntityTrait, prelude::Uuid};
use tokio::time::Instant;

use super::{
    DeliveryContext, failure,
    message::{JobClock, Outgoing, Sent, send},
    metrics,
    source::{BatchSource, Next},
};
use crate::database::record_when_available;

/// How long a job delivers: then other endpoints that wait come first.
const JOB_TIME: Duration = Duration::from_secs(10);
/// Attempts to write a result, while something else changes the row.
const MAX_WRITES: u32 = 20;

/// Why a job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// Nothing is left to do now.
    Done,
    /// There may be more to deliver. The job was replaced by a new one.
    Continued,
    /// A later release wrote the filters in a form that this one does not know.
    Unreadable,
}

/// Delivers what an endpoint has to receive.
///
/// # Errors
///
/// When the database is unavailable.
pub async fn deliver(context: &DeliveryContext, claim: &Claim, id: Uuid) -> Result<DeliveryEnd, DbErr> {
    let database = &context.database;
    let clock = JobClock::new(within(database, database_now(database)).await?);
    let until = Instant::now() + JOB_TIME;
    let Some(webhook) = find(database, id).await? else { return Ok(DeliveryEnd::Done) };
    let Ok(selection) = serde_json::from_str::<WebhookSelection>(&webhook.selection) else {
        return Ok(DeliveryEnd::Unreadable);
    };
    let source = source_of(&webhook, &selection);
    let mut delivery = Delivery { context, clock, until, selection, source, webhook, written_at: None };
    delivery.run().await?;
    if Instant::now() <= until {
        return Ok(DeliveryEnd::Done);
    }
    // Behind the jobs of endpoints that wait.
    within(database, replace(database, claim, id)).await?;
    Ok(DeliveryEnd::Continued)
}

async fn replace(database: &DatabaseConnection, claim: &Claim, id: Uuid) -> Result<(), DbErr> {
    let transaction = begin_write(database).await?;
    if !queue::finish(&transaction, claim).await? {
        // Another worker holds the job.
        return transaction.rollback().await;
    }
    queue::enqueue(&transaction, &WebhookJob { webhook: id }).await?;
    transaction.commit().await
}

async fn find(database: &DatabaseConnection, id: Uuid) -> Result<Option<webhook::Model>, DbErr> {
    within(database, webhook::Entity::find_by_id(id).one(database)).await
}

async fn within<T>(database: &DatabaseConnection, operation: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    deadline::within(deadline::SHORT, database, operation).await
}

/// The delivering of one endpoint.
struct Delivery<'a> {
    context: &'a DeliveryContext,
    clock: JobClock,
    until: Instant,
    selection: WebhookSelection,
    /// The changes after the batch that is being delivered, or after the position.
    source: BatchSource,
    webhook: webhook::Model,
    /// The version of the catalogue when this job wrote the row, if nothing else has written it since.
    written_at: Option<i64>,
}

/// Whether to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Continue,
    End,
}

impl Delivery<'_> {
    async fn run(&mut self) -> Result<(), DbErr> {
        loop {
            let is_active = self.webhook.state == WebhookState::Active;
            // Another worker continues when this process stops.
            if !is_active || !self.webhook.is_due(self.clock.now()) || self.context.stop.is_cancelled() {
                return Ok(());
            }
            let step = match self.webhook.frozen_batch() {
                Some(batch) => self.attempt(batch).await?,
                None => self.freeze().await?,
            };
            if step == Step::End || Instant::now() > self.until {
                return Ok(());
            }
        }
    }

    /// Stores the first batch after the position.
    async fn freeze(&mut self) -> Result<Step, DbErr> {
        let (columns, step) = self.next_columns(webhook::ActiveModel::default()).await?;
        if self.write(columns).await? {
            return Ok(step);
        }
        self.reset_source();
        Ok(Step::Continue)
    }

    /// Adds what follows to the columns of the endpoint.
    async fn next_columns(&mut self, columns: webhook::ActiveModel) -> Result<(webhook::ActiveModel, Step), DbErr> {
        let now = self.clock.now();
        Ok(match self.source.freeze((&self.context.database, &self.context.pages), now, self.until).await? {
            Next::Batch(batch) => (columns.with_batch(&batch, now), Step::Continue),
            Next::End(position) => {
                let webhook::ActiveModel { version, ordinal, at, .. } = webhook::ActiveModel::at_position(position);
                (webhook::ActiveModel { version, ordinal, at, ..columns }, Step::End)
            }
            Next::Expired => {
                tracing::warn!(webhook.id = %self.webhook.id, "webhook disabled, because changes after its position were removed");
                (columns.disabled(DisabledReason::CursorExpired, now), Step::End)
            }
        })
    }

    /// Sends the batch, and stores the result.
    async fn attempt(&mut self, batch: FrozenBatch) -> Result<Step, DbErr> {
        let database = &self.context.database;
        if !self.is_current()
            && let Some(body) = within(database, remove_content(database, &batch.body)).await?
        {
            let columns = webhook::ActiveModel { batch: Set(Some(body)), ..Default::default() };
            if !self.write(columns).await? {
                self.reset_source();
            }
            return Ok(Step::Continue);
        }
        let FrozenBatch { id, body, changes, position } = batch;
        let message = Outgoing { id: &id, kind: MessageKind::Changes, changes, body };
        let sent = send(self.context, &self.webhook, message, self.clock).await;
        metrics::count_attempt(&sent.attempt);
        if sent.attempt.outcome == AttemptOutcome::Delivered {
            return self.record_success(&id, position, &sent).await;
        }
        if self.record_failure(&id, &sent).await? {
            return Ok(Step::End);
        }
        // It was moved to another position during the attempt.
        self.reset_source();
        Ok(Step::Continue)
    }

    /// Whether no content of the batch was removed until it was frozen: the version of the catalogue, which a takedown increments, was
    /// the same as when its changes were read.
    fn is_current(&self) -> bool {
        self.written_at.is_some() && self.written_at == self.source.version()
    }

    /// Moves the position behind the batch, and stores the next one.
    async fn record_success(&mut self, id: &str, position: ChangeCursor, sent: &Sent) -> Result<Step, DbErr> {
        let columns = webhook::ActiveModel::at_position(position).without_failures();
        let columns = webhook::ActiveModel { delivered_at: Set(Some(sent.attempt.at)), ..columns };
        let (columns, step) = match self.next_columns(columns.clone()).await {
            Ok(next) => next,
            // The receiver has accepted the message, even if nothing more can be read.
            Err(error) => {
                self.write_result(id, sent, |_| columns.clone()).await?;
                return Err(error);
            }
        };
        if self.write_result(id, sent, |_| columns.clone()).await? {
            return Ok(step);
        }
        self.reset_source();
        Ok(Step::Continue)
    }

    /// Returns whether the endpoint still delivers the batch.
    async fn record_failure(&mut self, id: &str, sent: &Sent) -> Result<bool, DbErr> {
        let (random, now) = (fastrand::f64(), self.clock.now());
        let written = self.write_result(id, sent, |webhook| failure::describe(webhook, sent, now, random)).await?;
        if let (WebhookState::Disabled, Some(reason)) = (self.webhook.state, self.webhook.disabled_reason) {
            tracing::warn!(webhook.id = %self.webhook.id, reason = reason.name(), "webhook disabled");
        }
        Ok(written)
    }

    /// Stores the result of a batch, unless the endpoint no longer delivers it. Returns whether it was stored.
    async fn write_result(
        &mut self,
        id: &str,
        sent: &Sent,
        describe: impl Fn(&webhook::Model) -> webhook::ActiveModel,
    ) -> Result<bool, DbErr> {
        for write in 0..MAX_WRITES {
            // It was written, but the response of the database was lost.
            if write > 0 && parse_attempts(&self.webhook.attempts).contains(&sent.attempt) {
                return Ok(true);
            }
            if self.webhook.batch_id.as_deref() != Some(id) {
                return Ok(false);
            }
            let attempts = add_attempt(&self.webhook.attempts, sent.attempt.clone());
            let columns = webhook::ActiveModel { attempts: Set(attempts), ..describe(&self.webhook) };
            if self.write(columns).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes columns of the row as soon as the database is available, or reads it again if something else has changed it. Returns whether
    /// they were written.
    async fn write(&mut self, columns: webhook::ActiveModel) -> Result<bool, DbErr> {
        let database = &self.context.database;
        let (id, revision) = (self.webhook.id, self.webhook.revision);
        let what = "state of a webhook";
        let update = || webhook::update_at_version(database, (id, revision), columns.clone());
        self.written_at = record_when_available(database, what, update).await?;
        if self.written_at.is_some() {
            self.webhook.apply(&columns);
            return Ok(true);
        }
        match record_when_available(database, what, || webhook::Entity::find_by_id(id).one(database)).await? {
            Some(webhook) => self.webhook = webhook,
            // Deleted.
            None => (self.webhook.state, self.webhook.batch_id) = (WebhookState::Disabled, None),
        }
        Ok(false)
    }

    /// Continues behind the batch of the row, or else at its position.
    fn reset_source(&mut self) {
        self.source = source_of(&self.webhook, &self.selection);
    }
}

fn source_of(webhook: &webhook::Model, selection: &WebhookSelection) -> BatchSource {
    let after = webhook.frozen_batch().map_or_else(|| webhook.position(), |batch| batch.position);
    BatchSource::new((selection.clone(), webhook.selection.as_str().into()), after)
}

//! The kind `push`: applies a feed that a provider has pushed, as if it had been fetched.

use entity::{
    begin_write, deadline,
    job::{self, Claim, PushJob},
    pushed_feed,
};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use super::{context::JobContext, outcome::JobOutcome, registry::Handler};
use crate::{
    provider::entry::ProviderEntry,
    sync::{self, FeedSource, SyncError, pushed},
};

impl Handler<JobContext> for PushJob {
    async fn run(self, context: &JobContext, claim: &Claim) -> JobOutcome {
        match context.find_provider(&self.provider, claim) {
            Ok(entry) => apply(&context.database, &entry, claim).await,
            Err(outcome) => outcome,
        }
    }
}

/// Applies the feed of a job, or runs a dry run of it.
async fn apply(database: &DatabaseConnection, entry: &ProviderEntry, claim: &Claim) -> JobOutcome {
    let of_job = pushed_feed::Entity::find().filter(pushed_feed::COLUMN.job_id.eq(claim.id)).one(database);
    let feed = match deadline::within(deadline::BULK, database, of_job).await {
        Ok(Some(feed)) if feed.settled_at.is_none() => feed,
        // It was completed before, or its dry run was abandoned by the client.
        Ok(_) => return JobOutcome::Done,
        Err(error) => return JobOutcome::database_failed(&error),
    };
    let id = feed.id;
    if feed.sync_run_id.is_none() {
        let result = sync::dry_run(database, entry, feed).await;
        return complete(database, claim, id, Some(result)).await;
    }
    match sync::sync(database, entry, &FeedSource::Pushed(Box::new(feed)), claim).await {
        Ok(_) | Err(SyncError::LeaseLost) => JobOutcome::Committed,
        Err(error) if error.is_retryable() => JobOutcome::Failed { reason: error.to_string() },
        // The same feed fails again.
        Err(_) => complete(database, claim, id, None).await,
    }
}

async fn complete(database: &DatabaseConnection, claim: &Claim, id: i64, result: Option<String>) -> JobOutcome {
    let complete = async {
        let transaction = begin_write(database).await?;
        pushed::complete(&transaction, id, result).await?;
        if job::queue::finish(&transaction, claim).await? { transaction.commit().await } else { transaction.rollback().await }
    };
    let completed: Result<(), DbErr> = deadline::within(deadline::SHORT, database, complete).await;
    completed.map_or_else(|error| JobOutcome::database_failed(&error), |()| JobOutcome::Committed)
}

//! The kind `push`: a document that a provider has pushed, applied as if it had been fetched.

use entity::{
    begin_write,
    job::{self, Claim},
    pushed_feed,
};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use super::runner::Ended;
use crate::{
    provider::entry::ProviderEntry,
    sync::{self, Source, SyncError, pushed},
};

/// Applies, or rehearses, the document of a job.
pub(super) async fn apply(database: &DatabaseConnection, entry: &ProviderEntry, claim: &Claim) -> Ended {
    let of_job = pushed_feed::Entity::find().filter(pushed_feed::COLUMN.job_id.eq(claim.id)).one(database).await;
    let pushed = match of_job {
        Ok(Some(pushed)) if pushed.settled_at.is_none() => pushed,
        // Whoever pushed it has given it up.
        Ok(_) => return Ended::Done,
        Err(error) => return Ended::Failed { reason: error.to_string() },
    };
    let id = pushed.id;
    if pushed.sync_run_id.is_none() {
        let outcome = sync::rehearse(database, entry, pushed).await;
        return settled(database, claim, id, Some(outcome)).await;
    }
    match sync::sync(database, entry, &Source::Pushed(Box::new(pushed)), claim).await {
        Ok(_) | Err(SyncError::LeaseLost) => Ended::Settled,
        Err(error) if error.is_worth_another_try() => Ended::Failed { reason: error.to_string() },
        // The document will not be any better the next time.
        Err(_) => settled(database, claim, id, None).await,
    }
}

async fn settled(database: &DatabaseConnection, claim: &Claim, id: i64, outcome: Option<String>) -> Ended {
    let settle = async {
        let transaction = begin_write(database).await?;
        pushed::settle(&transaction, id, outcome).await?;
        if job::queue::finish(&transaction, claim).await? { transaction.commit().await } else { transaction.rollback().await }
    };
    settle.await.map_or_else(|error: DbErr| Ended::Failed { reason: error.to_string() }, |()| Ended::Settled)
}

//! The kind `sync`: copies the catalogue of one provider.

use std::time::Duration;

use entity::{
    database_now, deadline,
    job::{Claim, SyncJob},
    provider,
};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use super::{
    context::JobContext,
    outcome::{JobOutcome, provider_retry_delay},
    pause::{self, PauseReason},
    registry::Handler,
};
use crate::{
    provider::entry::ProviderEntry,
    sync::{self, SyncError},
};

impl Handler<JobContext> for SyncJob {
    async fn run(self, context: &JobContext, claim: &Claim) -> JobOutcome {
        let entry = match context.find_provider(&self.provider, claim) {
            Ok(entry) => entry,
            Err(outcome) => return outcome,
        };
        match sync::sync(&context.database, &entry, &context.source, claim).await {
            Ok(report) => {
                if let Some(fresh_for) = report.fresh_for {
                    let pausing = pause_while_fresh(&context.database, &entry, fresh_for);
                    if let Err(error) = deadline::within(deadline::SHORT, &context.database, pausing).await {
                        tracing::warn!(error = telemetry::with_causes(&error), "the provider could not be paused");
                    }
                }
                JobOutcome::Committed
            }
            Err(SyncError::LeaseLost) => JobOutcome::Committed,
            Err(error) if error.is_internal() => JobOutcome::Failed { reason: error.to_string() },
            Err(error) => {
                let deciding = after_failure(&context.database, &entry, claim, &error);
                deadline::within(deadline::SHORT, &context.database, deciding).await.unwrap_or_else(|unwritten| {
                    tracing::warn!(error = telemetry::with_causes(&unwritten), "the failure could not be counted");
                    JobOutcome::Failed { reason: error.to_string() }
                })
            }
        }
    }
}

/// Decides whether a failed sync is retried before the next tick.
async fn after_failure(
    database: &DatabaseConnection,
    entry: &ProviderEntry,
    claim: &Claim,
    error: &SyncError,
) -> Result<JobOutcome, DbErr> {
    let Some(provider) = find(database, entry).await? else { return Ok(JobOutcome::Done) };
    if let SyncError::Fetch(error) = error
        && let Some(delay) = error.retry_after()
    {
        pause::pause(database, provider.id, delay, PauseReason::RetryAfter).await?;
    }
    if error.is_provider_error() {
        let is_overloaded = matches!(error, SyncError::Fetch(error) if error.is_overload());
        pause::count_failure(database, provider.id, is_overloaded).await?;
    }
    if !error.is_transient() {
        return Ok(JobOutcome::Done);
    }
    let now = database_now(database).await?;
    let paused_until = find(database, entry).await?.and_then(|provider| provider.paused_until(now));
    let paused = paused_until.map_or(Duration::ZERO, |until| now.until(until));
    Ok(JobOutcome::RetryAfter { delay: provider_retry_delay(claim).max(paused), reason: error.to_string() })
}

/// Pauses a provider for as long as its document is fresh according to `Cache-Control`.
async fn pause_while_fresh(database: &DatabaseConnection, entry: &ProviderEntry, fresh_for: Duration) -> Result<(), DbErr> {
    let Some(provider) = find(database, entry).await? else { return Ok(()) };
    pause::pause(database, provider.id, fresh_for, PauseReason::CacheControl).await
}

async fn find(database: &DatabaseConnection, entry: &ProviderEntry) -> Result<Option<provider::Model>, DbErr> {
    provider::Entity::find().filter(provider::COLUMN.slug.eq(entry.slug.as_str())).one(database).await
}

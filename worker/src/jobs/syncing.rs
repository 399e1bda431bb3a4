//! The kind `sync`: one copy of one provider's catalogue; and the way to the kind `push`, of which the provider is to be known, too.

use std::{collections::HashMap, time::Duration};

use entity::{UtcInstant, job::Claim, provider, pushed_feed, sync_run};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use serde::Deserialize;

use super::{
    pause::{self, Reason},
    pushing,
    runner::{Ended, Work, jittered},
};
use crate::{
    provider::entry::ProviderEntry,
    sync::{self, Source, SyncError},
};

/// How long the first retry of a sync that met an ill provider waits at most: a restart takes as long.
const PROVIDER_BACKOFF_BASE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Payload<'a> {
    provider: &'a str,
}

/// Copies the catalogues of the providers that this process knows.
#[derive(Debug)]
pub struct Syncing {
    database: DatabaseConnection,
    providers: HashMap<String, ProviderEntry>,
    source: Source,
}

impl Syncing {
    /// With the entries of `providers.toml`.
    #[must_use]
    pub fn new(database: DatabaseConnection, providers: Vec<ProviderEntry>, source: Source) -> Self {
        let providers = providers.into_iter().map(|entry| (entry.slug.clone(), entry)).collect();
        Self { database, providers, source }
    }

    /// Whether the provider is to be asked again before its next tick, and when.
    async fn after_failure(&self, entry: &ProviderEntry, claim: &Claim, error: &SyncError) -> Result<Ended, DbErr> {
        let Some(provider) = self.find(entry).await? else { return Ok(Ended::Done) };
        if let SyncError::Fetch(error) = error
            && let Some(wanted) = error.retry_after()
        {
            pause::pause_for(&self.database, provider.id, wanted, Reason::RetryAfter).await?;
        }
        if error.is_the_providers() {
            pause::count_failure(&self.database, provider.id).await?;
        }
        if !error.is_transient() {
            return Ok(Ended::Done);
        }
        let paused = self.find(entry).await?.map_or(Duration::ZERO, |provider| pause::left(&provider, UtcInstant::now()));
        Ok(Ended::Wait { delay: jittered(PROVIDER_BACKOFF_BASE, claim).max(paused), reason: error.to_string() })
    }

    /// Leaves a provider alone for as long as it says that its document is fresh.
    async fn after_success(&self, entry: &ProviderEntry, fresh_for: Duration) -> Result<(), DbErr> {
        let Some(provider) = self.find(entry).await? else { return Ok(()) };
        pause::pause_for(&self.database, provider.id, fresh_for, Reason::CacheControl).await
    }

    async fn find(&self, entry: &ProviderEntry) -> Result<Option<provider::Model>, DbErr> {
        provider::Entity::find().filter(provider::COLUMN.slug.eq(entry.slug.as_str())).one(&self.database).await
    }
}

impl Work for Syncing {
    fn kinds(&self) -> &'static [&'static str] {
        &[sync_run::JOB_KIND, pushed_feed::JOB_KIND]
    }

    async fn perform(&self, claim: &Claim) -> Ended {
        let Ok(Payload { provider }) = serde_json::from_str(&claim.payload) else {
            return Ended::Failed { reason: "its payload names no provider".to_owned() };
        };
        let Some(entry) = self.providers.get(provider) else {
            let reason = format!("no provider `{provider}` in the file of the worker that took the job");
            return Ended::Wait { delay: jittered(PROVIDER_BACKOFF_BASE, claim), reason };
        };
        if claim.kind == pushed_feed::JOB_KIND {
            return pushing::apply(&self.database, entry, claim).await;
        }
        match sync::sync(&self.database, entry, &self.source, claim).await {
            Ok(report) => {
                if let Some(fresh_for) = report.fresh_for
                    && let Err(error) = self.after_success(entry, fresh_for).await
                {
                    tracing::warn!(provider = entry.slug, error = telemetry::with_causes(&error), "a pause was not kept");
                }
                Ended::Settled
            }
            Err(SyncError::LeaseLost) => Ended::Settled,
            Err(error) if error.is_ours() => Ended::Failed { reason: error.to_string() },
            Err(error) => self.after_failure(entry, claim, &error).await.unwrap_or_else(|unwritten| {
                tracing::warn!(provider = entry.slug, error = telemetry::with_causes(&unwritten), "a failure was not counted");
                Ended::Failed { reason: error.to_string() }
            }),
        }
    }
}

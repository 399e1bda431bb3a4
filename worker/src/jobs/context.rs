//! The resources that handlers share.

use entity::job::Claim;
use sea_orm::DatabaseConnection;
use tokio::sync::watch;

use super::outcome::{JobOutcome, provider_retry_delay};
use crate::{provider::entry::ProviderEntry, reload::Providers, sync::FeedSource};

/// The database, the providers and the source of their feeds.
#[derive(Debug)]
pub struct JobContext {
    pub(super) database: DatabaseConnection,
    pub(super) source: FeedSource,
    providers: watch::Receiver<Providers>,
}

impl JobContext {
    /// With the entries of `providers.toml`.
    #[must_use]
    pub fn new(database: DatabaseConnection, providers: watch::Receiver<Providers>, source: FeedSource) -> Self {
        Self { database, source, providers }
    }

    /// The current entry of a job's provider. A job of an unknown provider waits: during a deployment another worker may know it.
    pub(super) fn find_provider(&self, slug: &str, claim: &Claim) -> Result<ProviderEntry, JobOutcome> {
        tracing::Span::current().record("provider.slug", slug);
        let entry = self.providers.borrow().iter().find(|entry| entry.slug == slug).cloned();
        entry.ok_or_else(|| JobOutcome::RetryAfter {
            delay: provider_retry_delay(claim),
            reason: format!("the provider `{slug}` is not in the worker's providers file"),
        })
    }
}

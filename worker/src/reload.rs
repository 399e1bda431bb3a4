//! Reads the providers file again while the worker runs, so that providers are added, changed and retired without a restart.

use std::{convert::Infallible, fmt::Display, sync::Arc, time::Duration};

use entity::deadline;
use sea_orm::DatabaseConnection;
use tokio::{sync::watch, time::sleep};

use crate::{
    provider::entry::{ProviderEntry, ProvidersFile},
    sync::register::{self, RegisterError, RetireError},
};

/// How often the file is read: as often as the API reads its keys file.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// The entries that the worker uses. Running jobs continue with the entry that they began with.
pub type Providers = Arc<[ProviderEntry]>;

/// Why changed entries were not applied.
#[derive(Debug, thiserror::Error)]
enum ApplyError {
    #[error(transparent)]
    Retire(#[from] RetireError),
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl ApplyError {
    /// Whether only another change of the file can help.
    fn is_permanent(&self) -> bool {
        matches!(self, Self::Retire(RetireError::AllProviders { .. }) | Self::Register(RegisterError::SlugInUse { .. }))
    }
}

/// A providers file, and who uses its entries.
#[derive(Debug)]
pub struct ProvidersReload {
    file: ProvidersFile,
    providers: watch::Sender<Providers>,
}

impl ProvidersReload {
    /// With the valid entries of the file.
    #[must_use]
    pub fn new(file: ProvidersFile, providers: Vec<ProviderEntry>) -> Self {
        Self { file, providers: watch::Sender::new(providers.into()) }
    }

    /// The entries now and in the future.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Providers> {
        self.providers.subscribe()
    }

    /// Applies each change of the file, and never returns. An invalid file changes nothing, because editors write in several steps.
    pub async fn watch(&mut self, database: &DatabaseConnection) -> Infallible {
        loop {
            sleep(RELOAD_INTERVAL).await;
            match self.file.read_changed() {
                None => {}
                Some(Ok(providers)) => self.apply_when_available(database, providers.into()).await,
                Some(Err(error)) => self.log_refusal(&telemetry::with_causes(&error)),
            }
        }
    }

    fn log_refusal(&self, error: &dyn Display) {
        tracing::error!(%error, "providers file not reloaded, previous providers remain");
    }

    /// Applies the entries as soon as the database is available.
    async fn apply_when_available(&mut self, database: &DatabaseConnection, providers: Providers) {
        let before = self.providers.borrow().clone();
        loop {
            match self.apply(database, &providers).await {
                Ok(()) => return self.log_changes(&before, &providers),
                Err(error) if error.is_permanent() => return self.log_refusal(&telemetry::with_causes(&error)),
                // An outage is logged where jobs are claimed.
                Err(error) => {
                    tracing::debug!(error = telemetry::with_causes(&error), "the providers could not be updated, retrying");
                }
            }
            sleep(RELOAD_INTERVAL).await;
        }
    }

    async fn apply(&self, database: &DatabaseConnection, providers: &Providers) -> Result<(), ApplyError> {
        deadline::within(deadline::BULK, database, register::check_all(database, providers)).await?;
        deadline::within(deadline::BULK, database, register::retire_others(database, providers, false)).await?;
        // Immediately: a sync that starts with the entry of a retired provider would register it again.
        self.providers.send_replace(providers.clone());
        register::register_all(database, providers).await?;
        Ok(())
    }

    fn log_changes(&self, before: &[ProviderEntry], now: &[ProviderEntry]) {
        let find = |entries: &[ProviderEntry], slug: &str| entries.iter().position(|entry| entry.slug == slug);
        let list = |entries: &[ProviderEntry], is_listed: &dyn Fn(&ProviderEntry) -> bool| {
            let slugs = entries.iter().filter(|entry| is_listed(entry)).map(|entry| entry.slug.as_str());
            slugs.collect::<Vec<_>>().join(", ")
        };
        tracing::info!(
            providers.file = %self.file.path().display(),
            providers.count = now.len(),
            providers.added = list(now, &|entry| find(before, &entry.slug).is_none()),
            providers.changed = list(now, &|entry| find(before, &entry.slug).is_some_and(|index| before[index] != *entry)),
            providers.removed = list(before, &|entry| find(now, &entry.slug).is_none()),
            "providers file reloaded"
        );
    }
}

//! The programs on one database, with several providers.

use std::time::{Duration, Instant};

use entity::{
    ConnectionRole, DatabaseSettings, pushed_feed,
    sync_run::{self, RunState},
};
use programs::Failure;
use provider_sim::SimCatalogue;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter};
use tokio_util::sync::DropGuard;

use super::pushes::push_first;
use crate::{
    client::Client,
    deployment::{Deployment, DeploymentSettings, format_provider, start_provider},
    matrix::Storage,
    sandbox::Sandbox,
    servers::PostgresServer,
};

/// Providers besides the polled one of every deployment, each with a separate lane of jobs.
const MORE_PROVIDERS: u64 = 5;
/// Percentage of their events that change between two polls.
const CHURN: f64 = 30.0;
/// Events of each.
const EVENTS: u64 = 60;
/// How long something may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);
/// The pause between two checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(300);

/// Running programs. They are dropped before the server and the folder.
pub(super) struct Site {
    pub(super) deployment: Deployment,
    pub(super) client: Client,
    database: DatabaseConnection,
    _stop_providers_on_drop: Vec<DropGuard>,
    _postgres: Option<PostgresServer>,
    _sandbox: Sandbox,
}

impl Site {
    /// Starts the programs, and waits until all providers were loaded.
    pub(super) async fn start(storage: Storage) -> Result<Self, Failure> {
        let sandbox = Sandbox::new()?;
        let (mut entries, mut guards) = (String::new(), Vec::new());
        for seed in 0..MORE_PROVIDERS {
            let catalogue = SimCatalogue { seed, events: EVENTS, zones: 2, churn: CHURN, ..SimCatalogue::default() };
            let (url, guard) = start_provider(catalogue).await?;
            entries += &format_provider(&format!("polled-{seed}"), &url, "* * * * * *");
            guards.push(guard);
        }
        let postgres = if storage == Storage::Postgres { Some(PostgresServer::start(&sandbox).await?) } else { None };
        let database_url = match &postgres {
            Some(server) => PostgresServer::url(server.address),
            None => format!("sqlite://{}/marquee.db?mode=rwc", sandbox.create_folder("database")?.display()),
        };
        let settings = DeploymentSettings {
            database_url: database_url.clone(),
            database_read_url: None,
            redis_urls: vec![String::new()],
            workers: 2,
            provider_url: None,
            more_providers: entries,
            lease_seconds: 2,
            first_worker_variables: Vec::new(),
        };
        let deployment = Deployment::start(&sandbox, &settings).await?;
        let client = Client::new(deployment.apis[0].address)?;
        let settings = DatabaseSettings { url: database_url.parse()? };
        let database = entity::connect(&settings, ConnectionRole::Worker).await?;
        let site = Self { deployment, client, database, _stop_providers_on_drop: guards, _postgres: postgres, _sandbox: sandbox };
        push_first(&site.client).await?;
        site.wait_until("all providers are loaded", async || Ok(site.is_loaded().await? && site.count_pushes().await? == 1))
            .await?;
        Ok(site)
    }

    /// Whether all providers but the one that receives pushes have a first release, which is not logged.
    async fn is_loaded(&self) -> Result<bool, Failure> {
        let response = self.client.get("/providers").await?.json();
        let providers = response["data"]["providers"].as_array().cloned().unwrap_or_default();
        Ok(providers.len() as u64 == MORE_PROVIDERS + 2 && providers.iter().all(|provider| !provider["last_success"].is_null()))
    }

    /// The number of successful syncs, except of pushed feeds.
    pub(super) async fn count_syncs(&self) -> Result<u64, Failure> {
        let succeeded = sync_run::Column::State.is_in([RunState::Succeeded, RunState::Unchanged]);
        let runs = sync_run::Entity::find().filter(succeeded).count(&self.database).await?;
        Ok(runs.saturating_sub(self.count_pushes().await?))
    }

    /// The number of pushed feeds that were applied.
    pub(super) async fn count_pushes(&self) -> Result<u64, Failure> {
        let applied = pushed_feed::Entity::find().filter(pushed_feed::Column::SettledAt.is_not_null());
        Ok(applied.count(&self.database).await?)
    }

    /// Waits for a condition.
    pub(super) async fn wait_until(&self, what: &str, is_met: impl AsyncFn() -> Result<bool, Failure>) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        while !is_met().await? {
            if Instant::now() > until {
                return Err(format!("not in time: {what}").into());
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
        Ok(())
    }
}

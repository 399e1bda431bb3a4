//! `marquee-worker run`.

use std::{error::Error, process::ExitCode};

use clap::Args;
use entity::{ConnectionRole, DatabaseSettings, deadline};
use sea_orm::DatabaseConnection;
use telemetry::MetricsSettings;
use tokio_util::sync::CancellationToken;

use super::{RunSettings, wait_and_connect};
use crate::{
    metrics,
    provider::{
        entry::{ProviderEntry, ProvidersFile},
        fetch,
    },
    reload::ProvidersReload,
    service::{self, ServiceEnd},
    sync::register,
    webhooks::DeliveryContext,
};

#[derive(Args, Debug)]
pub(super) struct RunCommand {
    #[command(flatten)]
    settings: RunSettings,
    /// Retire every provider of the database, if the providers file contains none of them
    #[arg(long)]
    allow_retire: bool,
}

impl RunCommand {
    pub(super) async fn execute(self, database: &DatabaseSettings) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let settings = &self.settings;
        let (file, providers) = ProvidersFile::open(&settings.providers.providers_file)?;
        let mut reload = ProvidersReload::new(file, providers);
        let providers = reload.subscribe();
        let (client, lease) = (fetch::build_client()?, settings.lease.lease);
        serve_metrics(&settings.metrics, &shutdown).await?;
        let (mut is_ready, mut sampling) = (false, None);
        loop {
            let connect = async |role| wait_and_connect(database, role, &shutdown).await;
            let Some(connection) = connect(ConnectionRole::Worker).await? else { return Ok(ExitCode::SUCCESS) };
            let Some(of_deliveries) = connect(ConnectionRole::Deliver).await? else { return Ok(ExitCode::SUCCESS) };
            let deliveries = DeliveryContext::new(of_deliveries.clone(), settings.endpoints);
            let deliveries = deliveries.map_err(|error| -> Box<dyn Error> { error })?;
            let current = providers.borrow().clone();
            self.register(&connection, &current).await?;
            tracing::info!(providers.count = current.len(), database.url = %database.url, "worker started");
            if !std::mem::replace(&mut is_ready, true) {
                telemetry::notify_ready(&shutdown);
            }
            let sampled = shutdown.child_token();
            tokio::spawn(metrics::sample(connection.clone(), sampled.clone()));
            // Not earlier: while the worker waits for a schema that fits, the ages grow.
            drop(sampling.replace(sampled.drop_guard()));
            let end = tokio::select! {
                end = service::run(&connection, providers.clone(), &client, &deliveries, lease, shutdown.clone()) => end?,
                never = reload.watch(&connection) => match never {},
            };
            of_deliveries.close().await?;
            connection.close().await?;
            match end {
                ServiceEnd::Drained => return Ok(ExitCode::SUCCESS),
                ServiceEnd::DrainTimedOut => return Ok(ExitCode::FAILURE),
                // Connecting again reports how the schema differs, and waits until it fits.
                ServiceEnd::SchemaDiffers => (),
            }
        }
    }

    /// Updates the providers in the database.
    async fn register(&self, database: &DatabaseConnection, providers: &[ProviderEntry]) -> Result<(), Box<dyn Error>> {
        deadline::within(deadline::BULK, database, register::check_all(database, providers)).await?;
        deadline::within(deadline::BULK, database, register::retire_others(database, providers, self.allow_retire)).await?;
        Ok(register::register_all(database, providers).await?)
    }
}

/// Records and serves metrics. If the address is in use, the worker runs without the endpoint: several workers on one machine may have the
/// same settings.
async fn serve_metrics(settings: &MetricsSettings, shutdown: &CancellationToken) -> Result<(), Box<dyn Error>> {
    let recorder = telemetry::start_metrics()?;
    metrics::describe();
    match settings.metrics_listen.bind("METRICS_LISTEN").await {
        Ok(listener) => {
            tracing::info!(metrics.listen = %listener.local_addr()?, "metrics endpoint started");
            tokio::spawn(telemetry::serve_metrics(listener, recorder, shutdown.clone()));
        }
        Err(error) => tracing::error!(error = telemetry::with_causes(&error), "the metrics endpoint could not be started"),
    }
    Ok(())
}

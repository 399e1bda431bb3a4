//! `marquee-worker run`.

use std::{error::Error, process::ExitCode};

use clap::Args;
use entity::DatabaseSettings;
use telemetry::MetricsSettings;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{ProvidersSettings, wait_and_connect};
use crate::{
    jobs::lease::LeaseSettings,
    metrics,
    provider::{entry::read_providers, fetch},
    service,
    sync::register,
};

#[derive(Args, Debug)]
pub(super) struct RunCommand {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    providers: ProvidersSettings,
    #[command(flatten)]
    lease: LeaseSettings,
    #[command(flatten)]
    metrics: MetricsSettings,
}

impl RunCommand {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let providers = read_providers(&self.providers.providers_file)?;
        let client = fetch::build_client()?;
        serve_metrics(&self.metrics, &shutdown).await?;
        let Some(database) = wait_and_connect(&self.database, &shutdown).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        register::retire_others(&database, &providers).await?;
        for entry in &providers {
            register::register(&database, entry).await?;
        }
        tracing::info!(providers.count = providers.len(), database.url = %self.database.url, "worker started");
        tokio::spawn(metrics::sample(database.clone(), shutdown.clone()));
        let drained = service::run(&database, providers, &client, self.lease.lease, shutdown).await?;
        database.close().await?;
        Ok(if drained { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Records and serves metrics. If the address is in use, the worker runs without the endpoint: several workers on one machine may have the
/// same settings.
async fn serve_metrics(settings: &MetricsSettings, shutdown: &CancellationToken) -> Result<(), Box<dyn Error>> {
    let recorder = telemetry::start_metrics()?;
    metrics::describe();
    match TcpListener::bind(settings.metrics_listen).await {
        Ok(listener) => {
            tracing::info!(metrics.listen = %listener.local_addr()?, "metrics endpoint started");
            tokio::spawn(telemetry::serve_metrics(listener, recorder, shutdown.clone()));
        }
        Err(error) => tracing::error!(
            metrics.listen = %settings.metrics_listen,
            error = telemetry::with_causes(&error),
            "the metrics endpoint could not be started; set METRICS_LISTEN to another address"
        ),
    }
    Ok(())
}

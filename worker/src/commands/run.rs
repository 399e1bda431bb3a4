//! `marquee-worker run`.

use std::{error::Error, process::ExitCode};

use clap::Args;
use entity::{DatabaseSettings, deadline};
use telemetry::MetricsSettings;
use tokio_util::sync::CancellationToken;

use super::{RunSettings, wait_and_connect};
use crate::{
    metrics,
    provider::{entry::read_providers, fetch},
    service,
    sync::register,
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
        let settings = self.settings;
        let providers = read_providers(&settings.providers.providers_file)?;
        let client = fetch::build_client()?;
        serve_metrics(&settings.metrics, &shutdown).await?;
        let url = &database.url;
        let Some(database) = wait_and_connect(database, &shutdown).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        deadline::within(deadline::BULK, &database, register::retire_others(&database, &providers, self.allow_retire)).await?;
        for entry in &providers {
            deadline::within(deadline::BULK, &database, register::register(&database, entry)).await?;
        }
        tracing::info!(providers.count = providers.len(), database.url = %url, "worker started");
        telemetry::notify_ready(&shutdown);
        tokio::spawn(metrics::sample(database.clone(), shutdown.clone()));
        let drained = service::run(&database, providers, &client, settings.lease.lease, shutdown).await?;
        database.close().await?;
        Ok(if drained { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

//! `marquee-worker run`.

use std::{error::Error, process::ExitCode};

use clap::Args;
use entity::DatabaseSettings;
use telemetry::MetricsSettings;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{ProvidersSettings, connect_patiently};
use crate::{
    jobs::lease::LeaseSettings,
    metrics,
    provider::{entry::read_providers, fetch},
    service,
    sync::register,
};

#[derive(Args, Debug)]
pub(super) struct Run {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    providers: ProvidersSettings,
    #[command(flatten)]
    lease: LeaseSettings,
    #[command(flatten)]
    metrics: MetricsSettings,
}

impl Run {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let providers = read_providers(&self.providers.providers_file)?;
        let client = fetch::build_client()?;
        serve_metrics(&self.metrics, &shutdown).await?;
        let Some(database) = connect_patiently(&self.database, &shutdown).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        register::retire_others(&database, &providers).await?;
        for entry in &providers {
            register::register(&database, entry).await?;
        }
        tracing::info!(providers = providers.len(), database = %self.database.url, "the worker is polling");
        tokio::spawn(metrics::sample(database.clone(), shutdown.clone()));
        let drained = service::run(&database, providers, &client, self.lease.lease, shutdown).await?;
        database.close().await?;
        Ok(if drained { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Begins to record and to serve metrics. An address that is taken costs the metrics and not the syncs: several workers of one machine
/// may have the same settings.
async fn serve_metrics(settings: &MetricsSettings, shutdown: &CancellationToken) -> Result<(), Box<dyn Error>> {
    let recorder = telemetry::start_metrics()?;
    metrics::describe();
    match TcpListener::bind(settings.metrics_listen).await {
        Ok(listener) => {
            tracing::info!(listen = %listener.local_addr()?, "metrics are served");
            tokio::spawn(telemetry::serve_metrics(listener, recorder, shutdown.clone()));
        }
        Err(error) => tracing::error!(
            listen = %settings.metrics_listen,
            error = telemetry::with_causes(&error),
            "metrics cannot be served; METRICS_LISTEN names another address"
        ),
    }
    Ok(())
}

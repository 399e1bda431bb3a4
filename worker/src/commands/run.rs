//! `marquee-worker run`.

use std::{error::Error, process::ExitCode};

use clap::Args;
use entity::DatabaseSettings;

use super::{ProvidersSettings, connect_patiently};
use crate::{
    jobs::{self, lease::LeaseSettings},
    provider::{entry::read_providers, fetch},
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
}

impl Run {
    pub(super) async fn execute(self) -> Result<ExitCode, Box<dyn Error>> {
        let shutdown = telemetry::shutdown_signal()?;
        let providers = read_providers(&self.providers.providers_file)?;
        let client = fetch::client()?;
        let Some(database) = connect_patiently(&self.database, &shutdown).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        register::retire_others(&database, &providers).await?;
        for entry in &providers {
            register::register(&database, entry).await?;
        }
        tracing::info!(providers = providers.len(), database = %self.database.url, "the worker is polling");
        let drained = jobs::run(&database, providers, &client, self.lease.lease, shutdown).await?;
        database.close().await?;
        Ok(if drained { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

//! The commands of `marquee-worker`, one file per command.

mod check;
mod jobs;
mod lane;
mod lint;
mod lint_failure;
mod lint_report;
mod lint_summary;
mod output;
mod progress_bar;
mod purge;
mod rates;
mod rekey;
mod revert;
mod run;
mod status;
mod sync;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use entity::{ConnectionRole, DatabaseError, DatabaseSettings};
use outbound::EndpointSettings;
use sea_orm::DatabaseConnection;
use telemetry::{MetricsSettings, TelemetrySettings};
use tokio_util::sync::CancellationToken;

pub use self::output::print_error;
use crate::{database::RECONNECT_PAUSE, jobs::lease::LeaseSettings, metrics};

/// The exit code of a process that was ended by Ctrl-C, as in a shell.
const INTERRUPTED: u8 = 130;

/// Polls event providers and maintains a searchable copy of their catalogues.
#[derive(Debug, Parser)]
#[command(name = "marquee-worker", version)]
pub struct WorkerArguments {
    /// Logs and traces.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(subcommand)]
    command: WorkerCommand,
}

#[derive(Debug, Subcommand)]
enum WorkerCommand {
    /// Poll every provider on its schedule and run background jobs, until SIGTERM or Ctrl-C
    Run(run::RunCommand),
    /// Sync one provider once, now
    Sync(sync::SyncCommand),
    /// Validate the settings and the providers file, without contacting any server
    Check(check::CheckCommand),
    /// Validate a feed from a file, a URL or standard input, without a database
    Lint(lint::LintCommand),
    /// Show the state, the age and the last run of each provider
    Status(status::StatusCommand),
    /// List and retry background jobs
    Jobs(jobs::JobsCommand),
    /// Load and delete batches of travel prices
    Rates(rates::RatesCommand),
    /// Restore what one sync run has changed, as a new release
    Revert(revert::RevertCommand),
    /// Preserve the ids of a provider's events when `id_from` of its entry has changed
    Rekey(rekey::RekeyCommand),
    /// Remove an event, or everything of a provider, for legal reasons
    Purge(purge::PurgeCommand),
}

/// The settings of a worker that polls providers.
#[derive(clap::Args, Clone, Debug)]
struct RunSettings {
    #[command(flatten)]
    providers: ProvidersSettings,
    #[command(flatten)]
    lease: LeaseSettings,
    #[command(flatten)]
    metrics: MetricsSettings,
    #[command(flatten)]
    endpoints: EndpointSettings,
}

/// Which providers are polled.
#[derive(Clone, Debug, clap::Args)]
struct ProvidersSettings {
    /// File that lists the providers
    #[arg(long, env = "PROVIDERS_FILE", default_value = "providers.toml")]
    providers_file: PathBuf,
}

/// Executes a command.
///
/// # Errors
///
/// When the command could not be executed. A command that found a problem returns a failing exit code instead.
pub async fn execute(arguments: WorkerArguments) -> Result<ExitCode, Box<dyn Error>> {
    let database = &arguments.database;
    match arguments.command {
        WorkerCommand::Run(run) => run.execute(database).await,
        WorkerCommand::Sync(sync) => sync.execute(database).await,
        WorkerCommand::Check(check) => check.execute(database).await,
        WorkerCommand::Lint(lint) => lint.execute().await,
        WorkerCommand::Status(status) => status.execute(database).await,
        WorkerCommand::Jobs(jobs) => jobs.execute(database).await,
        WorkerCommand::Rates(rates) => rates.execute(database).await,
        WorkerCommand::Revert(revert) => revert.execute(database).await,
        WorkerCommand::Rekey(rekey) => rekey.execute(database).await,
        WorkerCommand::Purge(purge) => purge.execute(database).await,
    }
}

/// Opens a database that responds and has the current schema, for a command that exits.
async fn connect(settings: &DatabaseSettings) -> Result<DatabaseConnection, DatabaseError> {
    entity::open(settings, ConnectionRole::Command).await
}

/// Opens the database of a service, waiting until it can be used; `None` if `shutdown` is cancelled first.
async fn wait_and_connect(
    settings: &DatabaseSettings,
    role: ConnectionRole,
    shutdown: &CancellationToken,
) -> Result<Option<DatabaseConnection>, DatabaseError> {
    let mut logged = String::new();
    loop {
        match shutdown.run_until_cancelled(entity::open(settings, role)).await {
            None => return Ok(None),
            Some(Ok(database)) => return Ok(Some(database)),
            Some(Err(error)) if error.is_invalid_url() => return Err(error),
            Some(Err(error)) => {
                metrics::set_database_up(false);
                let error = telemetry::with_causes(&error);
                if error != logged {
                    tracing::error!(error, "the database cannot be used, retrying");
                    logged = error;
                }
            }
        }
        let _cancelled = shutdown.run_until_cancelled(tokio::time::sleep(RECONNECT_PAUSE)).await;
    }
}

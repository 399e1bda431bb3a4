//! The commands of `marquee-worker`, one file per command.

mod jobs;
mod lint;
mod output;
mod progress_bar;
mod rates;
mod run;
mod status;
mod sync;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use entity::{ConnectError, ConnectionRole, DatabaseSettings, catalogue_version};
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr};
use telemetry::TelemetrySettings;
use tokio_util::sync::CancellationToken;

/// The pause between attempts to reach the database: short compared with the time it takes to restart one.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// The exit code of a process that was ended by Ctrl-C, as in a shell.
const INTERRUPTED: u8 = 130;
/// How long the first response of the database may take: the caller of a command waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Polls event providers and maintains a searchable copy of their catalogues.
#[derive(Debug, Parser)]
#[command(name = "marquee-worker", version)]
pub struct WorkerArguments {
    /// Logs and traces.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
    #[command(subcommand)]
    command: WorkerCommand,
}

#[derive(Debug, Subcommand)]
enum WorkerCommand {
    /// Poll every provider on its schedule and run background jobs, until SIGTERM or Ctrl-C
    Run(run::RunCommand),
    /// Sync one provider once, now
    Sync(sync::SyncCommand),
    /// Validate a feed from a file, a URL or standard input, without a database
    Lint(lint::LintCommand),
    /// Show the state, the age and the last run of each provider
    Status(status::StatusCommand),
    /// List and retry background jobs
    Jobs(jobs::JobsCommand),
    /// Load and delete batches of travel prices
    Rates(rates::RatesCommand),
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
    match arguments.command {
        WorkerCommand::Run(run) => run.execute().await,
        WorkerCommand::Sync(sync) => sync.execute().await,
        WorkerCommand::Lint(lint) => lint.execute().await,
        WorkerCommand::Status(status) => status.execute().await,
        WorkerCommand::Jobs(jobs) => jobs.execute().await,
        WorkerCommand::Rates(rates) => rates.execute().await,
    }
}

/// The database could not be used.
#[derive(Debug, thiserror::Error)]
enum DatabaseError {
    #[error(transparent)]
    InvalidUrl(ConnectError),
    #[error("the database {url} is unavailable")]
    Unavailable {
        url: String,
        #[source]
        source: DbErr,
    },
    #[error("the database {url} cannot be used; if it is new, run `marquee-migrate up`")]
    Unusable {
        url: String,
        #[source]
        source: DbErr,
    },
}

/// Connects to a database that responds and has the schema.
async fn connect(settings: &DatabaseSettings) -> Result<DatabaseConnection, DatabaseError> {
    let connected = async {
        let database = entity::connect(settings, ConnectionRole::Worker).await?;
        catalogue_version::fetch_version(&database).await?;
        Ok(database)
    };
    let timeout = |_| Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into());
    tokio::time::timeout(CONNECT_TIMEOUT, connected).await.unwrap_or_else(timeout).map_err(|error| {
        let url = settings.url.to_string();
        match error {
            ConnectError::InvalidUrl => DatabaseError::InvalidUrl(error),
            ConnectError::Database(source) if entity::is_unavailable(&source) => DatabaseError::Unavailable { url, source },
            ConnectError::Database(source) => DatabaseError::Unusable { url, source },
        }
    })
}

/// [`connect`], waiting for a database that is unavailable; `None` if `shutdown` is cancelled first.
async fn wait_and_connect(
    settings: &DatabaseSettings,
    shutdown: &CancellationToken,
) -> Result<Option<DatabaseConnection>, DatabaseError> {
    let mut is_logged = false;
    loop {
        match connect(settings).await {
            Err(error @ DatabaseError::Unavailable { .. }) => {
                if !is_logged {
                    tracing::warn!(error = telemetry::with_causes(&error), "database unavailable, retrying");
                    is_logged = true;
                }
            }
            outcome => return outcome.map(Some),
        }
        tokio::select! {
            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}

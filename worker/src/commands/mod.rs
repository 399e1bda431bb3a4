//! What `marquee-worker` can be told to do, one file per command.

mod jobs;
mod lint;
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

/// How long to wait between looks for a database that is away: short beside the time it takes to restart one.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// What a shell gives to a process that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// How long the database may take for its first answer: whoever calls a command waits for it.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// Polls the providers and keeps the local copy of their catalogues.
#[derive(Debug, Parser)]
#[command(name = "marquee-worker", version)]
pub struct Arguments {
    /// Logs and traces.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Poll every provider on its schedule, until a signal
    Run(run::Run),
    /// Copy one provider's catalogue once, now
    Sync(sync::Sync),
    /// Read a feed from a file, a URL or standard input and say what would be taken and what not, without a database
    Lint(lint::Lint),
    /// Show how fresh each provider's copy is and how its last run ended
    Status(status::Status),
    /// Show and retry background jobs
    Jobs(jobs::Jobs),
    /// Bring prices of travelling in
    Rates(rates::Rates),
}

/// Who is polled.
#[derive(Clone, Debug, clap::Args)]
struct ProvidersSettings {
    /// The file that describes the providers
    #[arg(long, env = "PROVIDERS_FILE", default_value = "providers.toml")]
    providers_file: PathBuf,
}

/// Does what was asked.
///
/// # Errors
///
/// When it could not even be begun; a command that was carried out and failed tells so by its exit code.
pub async fn execute(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    match arguments.command {
        Command::Run(run) => run.execute().await,
        Command::Sync(sync) => sync.execute().await,
        Command::Lint(lint) => lint.execute().await,
        Command::Status(status) => status.execute().await,
        Command::Jobs(jobs) => jobs.execute().await,
        Command::Rates(rates) => rates.execute().await,
    }
}

/// The database could not be used.
#[derive(Debug, thiserror::Error)]
enum DatabaseError {
    #[error(transparent)]
    InvalidUrl(ConnectError),
    #[error("the database {url} cannot be reached")]
    Away {
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

/// A pool whose database answers and holds the schema.
async fn connect(settings: &DatabaseSettings) -> Result<DatabaseConnection, DatabaseError> {
    let connected = async {
        let database = entity::connect(settings, ConnectionRole::Worker).await?;
        catalogue_version::fetch_version(&database).await?;
        Ok(database)
    };
    let timeout = |_| Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into());
    tokio::time::timeout(FIRST_ANSWER, connected).await.unwrap_or_else(timeout).map_err(|error| {
        let url = settings.url.to_string();
        match error {
            ConnectError::InvalidUrl => DatabaseError::InvalidUrl(error),
            ConnectError::Database(source) if entity::is_unavailable(&source) => DatabaseError::Away { url, source },
            ConnectError::Database(source) => DatabaseError::Unusable { url, source },
        }
    })
}

/// The same, waiting for a database that is away; `None` if the process is told to stop meanwhile.
async fn connect_patiently(
    settings: &DatabaseSettings,
    shutdown: &CancellationToken,
) -> Result<Option<DatabaseConnection>, DatabaseError> {
    let mut is_told = false;
    loop {
        match connect(settings).await {
            Err(error @ DatabaseError::Away { .. }) => {
                if !is_told {
                    tracing::warn!(error = telemetry::with_causes(&error), "waiting for the database");
                    is_told = true;
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

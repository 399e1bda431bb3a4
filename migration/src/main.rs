//! `marquee-migrate`: creates and updates the schema.

use std::{fmt, process::ExitCode};

use clap::{Parser, Subcommand};
use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DbErr};

/// Creates and updates the schema of the Marquee database
#[derive(Parser)]
#[command(name = "marquee-migrate", version)]
struct Arguments {
    /// Database: sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://marquee.db?mode=rwc", hide_env_values = true)]
    database_url: String,
    #[command(subcommand)]
    command: MigrateCommand,
}

#[derive(Clone, Copy, Subcommand)]
enum MigrateCommand {
    /// Apply all pending migrations
    Up,
    /// Revert the newest migrations. The data in their tables and columns is lost
    Down {
        /// How many migrations to revert
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List all migrations and their status
    Status,
}

/// Why a command failed.
#[derive(Debug)]
enum MigrateError {
    /// The URL is not shown, because a misspelled URL can contain the password anywhere.
    InvalidUrl,
    Connect(DbErr),
    Migrate(DbErr),
}

impl fmt::Display for MigrateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl => formatter.write_str(
                "the database URL must be sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME (DATABASE_URL)",
            ),
            Self::Connect(error) => write!(formatter, "cannot connect to the database: {error}"),
            Self::Migrate(error) => write!(formatter, "the migrations failed: {error}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(report) => {
            #[expect(clippy::print_stdout, reason = "the output of the command")]
            {
                print!("{report}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error of the command")]
            {
                eprintln!("marquee-migrate: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<String, MigrateError> {
    // Checked here, because the error of the driver would show the URL with its password.
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| arguments.database_url.starts_with(scheme)) {
        return Err(MigrateError::InvalidUrl);
    }
    let options = ConnectOptions::new(&arguments.database_url).max_connections(1).sqlx_logging(false).to_owned();
    let database = Database::connect(options).await.map_err(MigrateError::Connect)?;
    let migrated = match arguments.command {
        MigrateCommand::Up => Migrator::up(&database, None).await,
        MigrateCommand::Down { steps } => Migrator::down(&database, Some(steps)).await,
        MigrateCommand::Status => Ok(()),
    };
    migrated.map_err(MigrateError::Migrate)?;
    let migrations = Migrator::get_migration_with_status_read_only(&database).await.map_err(MigrateError::Migrate)?;
    Ok(migrations
        .iter()
        .map(|migration| {
            let status = if migration.status() == MigrationStatus::Applied { "applied" } else { "pending" };
            format!("{status:8}{}\n", migration.name())
        })
        .collect())
}

//! `marquee-migrate`: makes and changes the schema.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm_migration::sea_orm::{ConnectOptions, Database, DbErr};

/// Makes and changes the schema of Marquee's database.
#[derive(Parser)]
#[command(name = "marquee-migrate", version)]
struct Arguments {
    /// The database: sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://marquee.db?mode=rwc", hide_env_values = true)]
    database_url: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Apply every migration that is not applied yet
    Up,
    /// Take the newest migrations back: the data in what they made is lost
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List the migrations and which of them are applied
    Status,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(report) => {
            #[expect(clippy::print_stdout, reason = "the report is what the command is for")]
            {
                print!("{report}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a command line tells its failure on standard error")]
            {
                eprintln!("marquee-migrate: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<String, DbErr> {
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| arguments.database_url.starts_with(scheme)) {
        // The driver's own message would show the URL, with its password.
        return Err(DbErr::Custom(
            "DATABASE_URL is neither sqlite://FILE?mode=rwc nor postgres://USER:PASSWORD@HOST/NAME".to_owned(),
        ));
    }
    let database =
        Database::connect(ConnectOptions::new(&arguments.database_url).max_connections(1).sqlx_logging(false).to_owned()).await?;
    match arguments.command {
        Command::Up => Migrator::up(&database, None).await?,
        Command::Down { steps } => Migrator::down(&database, Some(steps)).await?,
        Command::Status => {}
    }
    let migrations = Migrator::get_migration_with_status_read_only(&database).await?;
    Ok(migrations
        .iter()
        .map(|migration| {
            let state = if migration.status() == MigrationStatus::Applied { "applied" } else { "pending" };
            format!("{state:8}{}\n", migration.name())
        })
        .collect())
}

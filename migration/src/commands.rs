//! The commands of `marquee-migrate`.

use std::{
    collections::HashSet,
    io::{self, IsTerminal, Write},
};

use clap::Subcommand;
use command_line::{Alignment::Left, Table};
use entity::{ConnectError, ConnectionRole, DatabaseError, DatabaseSettings};
use migration::{Migration, MigrationStatus, Migrator, MigratorTrait};
use sea_orm_migration::{
    sea_orm::{DatabaseConnection, DbErr, EntityTrait},
    seaql_migrations,
};

const ROLES: &str = include_str!("roles.sql");

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum MigrateCommand {
    #[command(flatten)]
    Schema(SchemaCommand),
    /// Print SQL that creates roles for people and programs, for an administrator of PostgreSQL to run
    Roles,
}

/// A command that uses the database.
#[derive(Clone, Copy, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Apply all pending migrations. A SQLite file that does not exist is created
    Up,
    /// Revert the newest migrations. The data in their tables and columns is lost
    Down {
        /// How many migrations to revert
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Revert more than one migration without confirmation
        #[arg(long)]
        yes: bool,
    },
    /// List all migrations and their status
    Status,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("cannot connect to the database {url}")]
    Connect {
        url: String,
        #[source]
        source: ConnectError,
    },
    #[error("the migrations failed")]
    Migrate(#[from] DbErr),
    #[error("the database has migrations of a newer release ({names}); use `marquee-migrate` of that release")]
    NewerDatabase { names: String },
    #[error("to revert {steps} migrations without a terminal, add `--yes`; nothing was reverted")]
    ConfirmationRequired { steps: usize },
    #[error("not confirmed; nothing was reverted")]
    NotConfirmed,
    #[error("the confirmation cannot be read")]
    Terminal(#[from] io::Error),
}

impl MigrateCommand {
    /// Runs the command, and returns its output.
    pub(crate) async fn execute(self, settings: &DatabaseSettings) -> Result<String, MigrateError> {
        match self {
            Self::Schema(command) => command.execute(settings).await,
            Self::Roles => Ok(ROLES.to_owned()),
        }
    }
}

impl SchemaCommand {
    async fn execute(self, settings: &DatabaseSettings) -> Result<String, MigrateError> {
        match entity::check_connection(settings).await {
            Err(DatabaseError::MissingFile { .. }) if matches!(self, Self::Up) => (),
            result => result?,
        }
        let database = entity::connect(settings, ConnectionRole::Migrate)
            .await
            .map_err(|source| MigrateError::Connect { url: settings.url.to_string(), source })?;
        match (self, list_newer(&database, settings).await?) {
            // A previous release is deployed again. It works with a newer schema.
            (Self::Up, Some(names)) => {
                return Ok(format!("already up to date: the database has migrations of a newer release ({names})\n"));
            }
            (_, Some(names)) => return Err(MigrateError::NewerDatabase { names }),
            (_, None) => (),
        }
        match self {
            Self::Up => apply_pending(&database).await,
            Self::Down { steps, yes } => revert_newest(&database, settings, steps, yes).await,
            Self::Status => list(&database).await,
        }
    }
}

/// The applied migrations that this release does not have, if there are any.
async fn list_newer(database: &DatabaseConnection, settings: &DatabaseSettings) -> Result<Option<String>, MigrateError> {
    match settings.check_schema(database, ConnectionRole::Migrate).await {
        Err(DatabaseError::SchemaOutdated { .. }) => return Ok(None),
        checked => checked?,
    }
    let known: HashSet<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let applied = seaql_migrations::Entity::find().all(database).await?;
    let newer: Vec<String> = applied.into_iter().map(|row| row.version).filter(|version| !known.contains(version)).collect();
    Ok((!newer.is_empty()).then(|| newer.join(", ")))
}

async fn apply_pending(database: &DatabaseConnection) -> Result<String, MigrateError> {
    let pending = Migrator::get_pending_migrations_read_only(database).await?;
    Migrator::up(database, None).await?;
    Ok(match pending.as_slice() {
        [] => format!("already up to date: all {} migrations are applied\n", Migrator::migrations().len()),
        pending => describe("applied", pending),
    })
}

async fn revert_newest(
    database: &DatabaseConnection,
    settings: &DatabaseSettings,
    steps: u32,
    is_confirmed: bool,
) -> Result<String, MigrateError> {
    let mut newest = Migrator::get_applied_migrations_read_only(database).await?;
    newest.reverse();
    newest.truncate(usize::try_from(steps).unwrap_or(usize::MAX));
    if newest.len() > 1 && !is_confirmed {
        confirm(settings, &newest)?;
    }
    Migrator::down(database, Some(steps)).await?;
    Ok(match newest.as_slice() {
        [] => "nothing to revert: no migration is applied\n".to_owned(),
        newest => describe("reverted", newest),
    })
}

/// Lets the user confirm on the terminal that these migrations are reverted.
fn confirm(settings: &DatabaseSettings, migrations: &[Migration]) -> Result<(), MigrateError> {
    let (mut terminal, answers) = (io::stderr(), io::stdin());
    if !answers.is_terminal() || !terminal.is_terminal() {
        return Err(MigrateError::ConfirmationRequired { steps: migrations.len() });
    }
    writeln!(terminal, "{} migrations of {} will be reverted, newest first:", migrations.len(), settings.url)?;
    for migration in migrations {
        writeln!(terminal, "  {}", migration.name())?;
    }
    write!(terminal, "The data in their tables and columns is lost. Continue? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    let is_confirmed = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    is_confirmed.then_some(()).ok_or(MigrateError::NotConfirmed)
}

/// One line per migration, and their number.
fn describe(verb: &str, migrations: &[Migration]) -> String {
    let lines: String = migrations.iter().map(|migration| format!("{verb} {}\n", migration.name())).collect();
    let noun = if migrations.len() == 1 { "migration" } else { "migrations" };
    format!("{lines}{} {noun} {verb}\n", migrations.len())
}

async fn list(database: &DatabaseConnection) -> Result<String, MigrateError> {
    let mut table = Table::new([Left; 2]);
    for migration in Migrator::get_migration_with_status_read_only(database).await? {
        let status = if migration.status() == MigrationStatus::Applied { "applied" } else { "pending" };
        table.add([status, migration.name()]);
    }
    Ok(table.to_string())
}

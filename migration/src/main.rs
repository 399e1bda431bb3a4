//! `marquee-migrate`: creates and updates the schema.

mod commands;

use std::process::ExitCode;

use clap::Parser;
use commands::{MigrateCommand, MigrateError};
use entity::DatabaseSettings;

/// Creates and updates the schema of the Marquee database
#[derive(Parser)]
#[command(name = "marquee-migrate", version)]
struct Arguments {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(subcommand)]
    command: MigrateCommand,
}

/// The exit code of a command that lacks an argument.
const INVALID_ARGUMENTS: i32 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Arguments = command_line::parse();
    match arguments.command.execute(&arguments.database).await {
        Ok(report) => {
            command_line::print(&report.to_string());
            ExitCode::SUCCESS
        }
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error of the command")]
            {
                eprintln!("marquee-migrate: {}", command_line::escape(&command_line::with_causes(&error)));
            }
            // Returning would wait for threads that are blocked, for example by looking up a host name.
            std::process::exit(if matches!(error, MigrateError::ConfirmationRequired { .. }) { INVALID_ARGUMENTS } else { 1 })
        }
    }
}

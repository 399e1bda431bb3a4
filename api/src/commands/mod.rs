//! The command line of `marquee-api`: its settings, and its subcommands, which print their result and exit.

mod check;
mod settings;

use std::{error::Error, process::ExitCode};

use clap::Subcommand;

pub use self::settings::{Settings, StateError};
use crate::auth::command::KeysCommand;

/// Subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum ApiCommand {
    /// Create API keys for clients that write
    Keys(KeysCommand),
    /// Validate the settings and the API keys file, without contacting any server
    ///
    /// Flags of the service precede the command: marquee-api --api-listen ADDRESS check
    Check,
}

impl ApiCommand {
    /// Executes the command.
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its result")]
    pub async fn execute(&self, settings: &Settings) -> ExitCode {
        match self.run(settings).await {
            Ok((text, code)) => {
                print!("{text}");
                code
            }
            Err(error) => {
                eprintln!("marquee-api: {}", command_line::escape(&telemetry::with_causes(error.as_ref())));
                ExitCode::FAILURE
            }
        }
    }

    /// Returns what to print, and the exit code.
    async fn run(&self, settings: &Settings) -> Result<(String, ExitCode), Box<dyn Error>> {
        match self {
            Self::Keys(command) => Ok((command.execute()?, ExitCode::SUCCESS)),
            Self::Check => {
                let report = check::check(settings).await;
                Ok((report.to_string(), report.exit_code()))
            }
        }
    }
}

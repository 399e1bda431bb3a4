//! The command line of `marquee-api`: its settings, and its subcommands, which print their result and exit.

mod check;
mod health;
mod settings;

use std::{error::Error, process::ExitCode};

use clap::Subcommand;

use self::health::HealthCommand;
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
    /// Check the API that runs on this machine, without curl: exits with 0 if it is live
    ///
    /// It is contacted at API_LISTEN, or at the loopback address if that is `0.0.0.0` or `[::]`.
    Health(HealthCommand),
}

impl ApiCommand {
    /// Executes the command.
    #[expect(clippy::print_stderr, reason = "a command reports its failure")]
    pub async fn execute(&self, settings: &Settings) -> ExitCode {
        match self.run(settings).await {
            Ok((text, code)) => {
                command_line::print(&text);
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
            Self::Health(command) => Ok((command.execute(&settings.listen).await?, ExitCode::SUCCESS)),
            Self::Check => {
                let report = check::check(settings).await;
                Ok((report.to_string(), report.exit_code()))
            }
        }
    }
}

//! Logs go to standard error, one event a line, so that standard output stays for what a command was asked for.

use std::{
    error::Error,
    io::{self, IsTerminal},
};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How a program logs.
#[derive(Args, Clone, Debug)]
pub struct LogSettings {
    /// How a log line looks
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as `info,worker=debug`
    #[arg(long, env = "LOG_FILTER", default_value = "info,poem=warn,tokio_cron_scheduler=warn", global = true, value_parser = checked_filter)]
    pub log_filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Starts logging for the whole process. A second call changes nothing, so that tests may start more than one program.
pub fn start_logs(settings: &LogSettings) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&settings.log_filter))
        .with_target(false)
        // A line that cannot be written (the terminal is closed, the disk is full) is lost; saying so on standard error would panic.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
}

/// An error and all that led to it in one line, for a log or a terminal; never for a client.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let addition = error.to_string();
        // An error that shows its cause as its own text has said it already.
        if !text.ends_with(&addition) {
            text.push_str(": ");
            text.push_str(&addition);
        }
        cause = error.source();
    }
    text
}

fn checked_filter(directives: &str) -> Result<String, String> {
    EnvFilter::try_new(directives).map(|_| directives.to_owned()).map_err(|error| error.to_string())
}

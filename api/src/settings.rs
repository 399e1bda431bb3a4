//! What the API can be told from outside.

use std::net::SocketAddr;

use clap::{Parser, Subcommand};
use entity::{DatabaseSettings, RedactedUrl};
use telemetry::TelemetrySettings;

use crate::{
    auth::{KeysSettings, command::KeysCommand},
    cache::CacheSettings,
    server::{ServeSettings, rate_limit::RateSettings},
};

/// Answers searches over HTTP from the local copy of the catalogues.
#[derive(Clone, Debug, Parser)]
#[command(name = "marquee-api", version, args_conflicts_with_subcommands = true)]
pub struct Settings {
    /// Where it listens
    #[arg(long = "api-listen", env = "API_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// How it stops.
    #[command(flatten)]
    pub serve: ServeSettings,
    /// How many requests a client may make.
    #[command(flatten)]
    pub rate: RateSettings,
    /// The copy.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// A replica of the database to read from instead
    #[arg(long, env = "DATABASE_READ_URL", hide_env_values = true)]
    pub database_read_url: Option<RedactedUrl>,
    /// Who may write.
    #[command(flatten)]
    pub keys: KeysSettings,
    /// How answers are kept.
    #[command(flatten)]
    pub cache: CacheSettings,
    /// Logs and traces.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What it does beside serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Make keys for those who may write
    Keys(KeysCommand),
}

impl Settings {
    /// The database that requests read.
    #[must_use]
    pub fn read_database(&self) -> DatabaseSettings {
        self.database_read_url.clone().map_or_else(|| self.database.clone(), |url| DatabaseSettings { url })
    }
}

//! What the API can be told from outside.

use std::net::SocketAddr;

use clap::Parser;
use entity::{DatabaseSettings, DatabaseUrl};
use telemetry::LogSettings;

use crate::cache::CacheSettings;

/// Answers searches over HTTP from the local copy of the catalogues.
#[derive(Clone, Debug, Parser)]
#[command(name = "marquee-api", version)]
pub struct Settings {
    /// Where it listens
    #[arg(long = "api-listen", env = "API_LISTEN", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// The copy.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// A replica of the database to read from instead
    #[arg(long, env = "DATABASE_READ_URL", hide_env_values = true)]
    pub database_read_url: Option<DatabaseUrl>,
    /// How answers are kept.
    #[command(flatten)]
    pub cache: CacheSettings,
    /// How it logs.
    #[command(flatten)]
    pub logs: LogSettings,
}

impl Settings {
    /// The database that requests read.
    #[must_use]
    pub fn read_database(&self) -> DatabaseSettings {
        self.database_read_url.clone().map_or_else(|| self.database.clone(), |url| DatabaseSettings { url })
    }
}

//! What the API can be told from outside.

use std::net::SocketAddr;

use clap::Parser;
use entity::DatabaseSettings;
use telemetry::LogSettings;

use crate::serve::{ServeSettings, rate::RateSettings};

/// Answers searches over HTTP from the local copy of the catalogues.
#[derive(Clone, Debug, Parser)]
#[command(name = "marquee-api", version)]
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
    /// How it logs.
    #[command(flatten)]
    pub logs: LogSettings,
}

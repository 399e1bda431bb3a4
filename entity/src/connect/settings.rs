//! The setting that names the database.

use clap::Args;

use crate::RedactedUrl;

/// The database.
#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// Database: sqlite://FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long = "database-url",
        env = "DATABASE_URL",
        default_value = "sqlite://marquee.db?mode=rwc",
        hide_env_values = true,
        global = true
    )]
    pub url: RedactedUrl,
}

//! What the cache can be told from outside.

use clap::Args;

use super::redis::RedisSettings;

/// How answers are kept.
#[derive(Args, Clone, Debug)]
pub struct CacheSettings {
    /// Megabytes (2^20 bytes) of answers that the process keeps; 0 for none
    #[arg(long = "cache-mib", env = "CACHE_MIB", default_value_t = 64, value_name = "MIB", value_parser = clap::value_parser!(u64).range(..=1_048_576))]
    pub mib: u64,
    /// The tier that all processes share.
    #[command(flatten)]
    pub redis: RedisSettings,
}

impl CacheSettings {
    /// The bound of the process.
    #[must_use]
    pub fn process_bytes(&self) -> u64 {
        self.mib * 1024 * 1024
    }
}

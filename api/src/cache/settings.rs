//! Settings of the cache.

use clap::Args;

use super::redis::RedisSettings;

/// How responses are cached.
#[derive(Args, Clone, Debug)]
pub struct CacheSettings {
    /// Size of the cache in the process in MiB; 0 disables it
    #[arg(long = "cache-mib", env = "CACHE_MIB", default_value_t = 64, value_name = "MIB", value_parser = clap::value_parser!(u64).range(..=1_048_576))]
    pub mib: u64,
    /// The tier that all processes share.
    #[command(flatten)]
    pub redis: RedisSettings,
}

impl CacheSettings {
    /// The size in bytes.
    #[must_use]
    pub fn process_bytes(&self) -> u64 {
        self.mib * 1024 * 1024
    }
}

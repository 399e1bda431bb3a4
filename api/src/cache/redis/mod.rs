//! Stub until the tier is there.
use bytes::Bytes;
use clap::Args;
/// Which Redis.
#[derive(Args, Clone, Debug)]
pub struct RedisSettings {
    /// The Redis that all processes share: redis://, rediss://, redis+sentinel:// or redis+cluster://
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
}
/// The tier.
#[derive(Debug)]
pub struct Redis;
impl Redis {
    /// New.
    /// # Errors
    /// Never.
    pub fn new(_: &RedisSettings) -> Result<Option<Self>, RedisError> {
        Ok(None)
    }
    /// Get.
    pub async fn get(&self, _: &str) -> Option<Bytes> {
        None
    }
    /// Put.
    pub fn put(&self, _: String, _: Bytes) {}
    /// Up.
    pub fn is_up(&self) -> bool {
        false
    }
}
/// None.
#[derive(Debug, thiserror::Error)]
#[error("none")]
pub struct RedisError;

//! The shared cache tier with real Redis servers and injected faults: a fault is a miss and never blocks, and hits resume
//! on their own.

mod cluster;
mod faults;
mod redis_process;
mod sentinel;
mod shared_cache;
mod tls;

use std::time::Duration;

use api::cache::redis::{MAX_VALUE_BYTES, Redis, RedisSettings};
use bytes::Bytes;
use tokio::time::timeout;

use self::redis_process::{RedisProcess, eventually};

/// Much longer than the read timeout, because the machine may be busy.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

const GET_ERRORS: &str = "marquee_redis_errors_total{operation=get}";

fn connect(url: &str) -> Redis {
    connect_within(url, "")
}

fn connect_within(url: &str, namespace: &str) -> Redis {
    let settings = RedisSettings { redis_url: Some(url.parse().unwrap()), redis_ca_file: None };
    Redis::new(&settings, namespace).unwrap().unwrap()
}

/// Connects to the server that all tests share.
pub(crate) async fn connect_to_shared_server(namespace: &str) -> Redis {
    let url = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL is not set: run `make test`, or set it to a Redis server");
    let redis = connect_within(&url, namespace);
    eventually("Redis is up", async || redis.is_up().then_some(())).await;
    redis
}

/// Reads a key; fails if the read blocks.
async fn get(redis: &Redis, key: &str) -> Option<Bytes> {
    timeout(READ_TIMEOUT, redis.get(key)).await.expect("a read does not block")
}

async fn store_until_readable(redis: &Redis, key: &str) {
    store_value_until_readable(redis, key, &Bytes::from_static(b"value")).await;
}

/// Stores a value until it can be read, because the tier may drop a write at any time.
async fn store_value_until_readable(redis: &Redis, key: &str, value: &Bytes) {
    eventually("a stored value", async || {
        redis.put(key, value.clone());
        get(redis, key).await.filter(|stored| stored == value).map(drop)
    })
    .await;
}

/// Waits until values can be stored and read.
async fn assert_recovers(redis: &Redis, key: &str) {
    store_until_readable(redis, key).await;
    assert!(redis.is_up());
}

async fn assert_misses(redis: &Redis, key: &str, count: usize) {
    for _ in 0..count {
        assert_eq!(get(redis, key).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_values_can_be_read_back() {
    let redis = connect_to_shared_server("").await;
    let key = format!("test:{}", uuid::Uuid::new_v4());
    store_until_readable(&redis, &key).await;
    assert!(redis.is_up());
    for value in [Bytes::new(), Bytes::from_static(b"\0\xff\r\n$-1\r\n"), Bytes::from(vec![7; MAX_VALUE_BYTES])] {
        store_value_until_readable(&redis, &key, &value).await;
    }
    assert_eq!(redis.clone().get(&format!("{key}:other")).await, None);
}

#[tokio::test]
async fn values_expire_within_ten_minutes() {
    let server = RedisProcess::start(&[]).await;
    let redis = connect(&server.url());
    store_until_readable(&redis, "key").await;
    let seconds: u32 = server.query("TTL key").await.trim_start_matches(':').trim().parse().unwrap();
    assert!((500..=600).contains(&seconds), "{seconds}");
}

#[test]
fn an_unset_url_disables_redis_and_an_invalid_one_is_rejected() {
    assert!(Redis::new(&RedisSettings::default(), "").unwrap().is_none());
    let redis_url = Some("http://:secret@cache".parse().unwrap());
    let error = Redis::new(&RedisSettings { redis_url, redis_ca_file: None }, "").unwrap_err();
    assert!(error.to_string().contains("redis://") && !error.to_string().contains("secret"), "{error}");
}

//! The tier of the cache that processes share, against real servers that fail in real ways: a fault is a miss, never a wait, and
//! hits come again by themselves.

mod cluster;
mod faults;
mod redis_server;
mod sentinel;
mod shared_cache;

use std::time::{Duration, Instant};

use api::cache::redis::{Redis, RedisSettings, VALUE_BYTES};
use bytes::Bytes;

use self::redis_server::{RedisServer, eventually};

/// What a read may take on a machine with much else to do; it is meant to take a tenth.
const AT_ONCE: Duration = Duration::from_millis(500);
/// When hits must have come again after Redis has.
const RECOVERY: Duration = Duration::from_secs(5);

fn connect(url: &str) -> Redis {
    Redis::new(&RedisSettings { redis_url: Some(url.parse().unwrap()) }).unwrap().unwrap()
}

/// The server of all tests, found.
pub(crate) async fn connect_to_shared_server() -> Redis {
    let url = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL is not set: run `make test`, or give it a Redis server");
    let redis = connect(&url);
    eventually("Redis is found", async || redis.is_up().then_some(())).await;
    redis
}

/// A read that must not take long, whatever it finds.
async fn get(redis: &Redis, key: &str) -> Option<Bytes> {
    let started = Instant::now();
    let found = redis.get(key).await;
    assert!(started.elapsed() < AT_ONCE, "a read took {:?}", started.elapsed());
    found
}

/// Stores until it can be read: a value may be dropped at any time.
async fn store_until_readable(redis: &Redis, key: &str) {
    eventually("a value that was stored", async || {
        redis.put(key.to_owned(), Bytes::from_static(b"value"));
        get(redis, key).await.filter(|value| value == "value").map(drop)
    })
    .await;
}

/// Reads without a break until all is as it was.
async fn assert_recovers(redis: &Redis, key: &str) {
    let started = Instant::now();
    store_until_readable(redis, key).await;
    assert!(started.elapsed() < RECOVERY, "hits came again after {:?}", started.elapsed());
    assert!(redis.is_up());
}

/// Reads for a while, with nothing to be found.
async fn assert_misses(redis: &Redis, key: &str, count: usize) {
    for _ in 0..count {
        assert_eq!(get(redis, key).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_values_can_be_read_back() {
    let redis = connect_to_shared_server().await;
    let key = format!("test:{}", uuid::Uuid::new_v4());
    store_until_readable(&redis, &key).await;
    assert!(redis.is_up());
    for value in [Bytes::new(), Bytes::from_static(b"\0\xff\r\n$-1\r\n"), Bytes::from(vec![7; VALUE_BYTES])] {
        redis.put(key.clone(), value.clone());
        eventually("the newer value", async || (redis.get(&key).await.as_ref() == Some(&value)).then_some(())).await;
    }
    assert_eq!(redis.clone().get(&format!("{key}:other")).await, None);
}

#[tokio::test]
async fn values_expire_within_an_hour() {
    let server = RedisServer::start(&[]).await;
    let redis = connect(&server.url());
    store_until_readable(&redis, "key").await;
    let seconds: u32 = server.query("TTL key").await.trim_start_matches(':').trim().parse().unwrap();
    assert!((3_000..=3_600).contains(&seconds), "{seconds}");
}

#[test]
fn an_unset_url_disables_redis_and_an_invalid_one_is_rejected() {
    assert!(Redis::new(&RedisSettings::default()).unwrap().is_none());
    let error = Redis::new(&RedisSettings { redis_url: Some("http://:secret@cache".parse().unwrap()) }).unwrap_err();
    assert!(error.to_string().contains("redis://") && !error.to_string().contains("secret"), "{error}");
}

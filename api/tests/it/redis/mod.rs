//! The tier of the cache that processes share, against real servers that fail in real ways: a fault is a miss, never a wait, and
//! hits come again by themselves.

mod cluster;
mod faults;
mod kept;
mod observed;
mod sentinel;
mod server;

use std::time::{Duration, Instant};

use api::cache::redis::{Redis, RedisSettings, VALUE_BYTES};
use bytes::Bytes;

use self::server::{Server, eventually};

/// What a read may take on a machine with much else to do; it is meant to take a tenth.
const AT_ONCE: Duration = Duration::from_millis(500);
/// When hits must have come again after Redis has.
const RECOVERY: Duration = Duration::from_secs(5);

fn tier(url: &str) -> Redis {
    Redis::new(&RedisSettings { redis_url: Some(url.parse().unwrap()) }).unwrap().unwrap()
}

/// The server of all tests, found.
pub(crate) async fn running() -> Redis {
    let url = std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL is not set: run `make test`, or give it a Redis server");
    let redis = tier(&url);
    eventually("Redis is found", async || redis.is_up().then_some(())).await;
    redis
}

/// A read that must not take long, whatever it finds.
async fn read(redis: &Redis, key: &str) -> Option<Bytes> {
    let started = Instant::now();
    let found = redis.get(key).await;
    assert!(started.elapsed() < AT_ONCE, "a read took {:?}", started.elapsed());
    found
}

/// Stores until it can be read: a value may be dropped at any time.
async fn stored(redis: &Redis, key: &str) {
    eventually("a value that was stored", async || {
        redis.put(key.to_owned(), Bytes::from_static(b"value"));
        read(redis, key).await.filter(|value| value == "value").map(drop)
    })
    .await;
}

/// Reads without a break until all is as it was.
async fn hits_come_again(redis: &Redis, key: &str) {
    let started = Instant::now();
    stored(redis, key).await;
    assert!(started.elapsed() < RECOVERY, "hits came again after {:?}", started.elapsed());
    assert!(redis.is_up());
}

/// Reads for a while, with nothing to be found.
async fn misses(redis: &Redis, key: &str, count: usize) {
    for _ in 0..count {
        assert_eq!(read(redis, key).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_is_got_for_an_hour() {
    let redis = running().await;
    let key = format!("test:{}", uuid::Uuid::new_v4());
    stored(&redis, &key).await;
    assert!(redis.is_up());
    for value in [Bytes::new(), Bytes::from_static(b"\0\xff\r\n$-1\r\n"), Bytes::from(vec![7; VALUE_BYTES])] {
        redis.put(key.clone(), value.clone());
        eventually("the newer value", async || (redis.get(&key).await.as_ref() == Some(&value)).then_some(())).await;
    }
    assert_eq!(redis.clone().get(&format!("{key}:other")).await, None);
}

#[tokio::test]
async fn values_end_by_themselves() {
    let server = Server::start(&[]).await;
    let redis = tier(&server.url());
    stored(&redis, "key").await;
    let seconds: u32 = server.ask("TTL key").await.trim_start_matches(':').trim().parse().unwrap();
    assert!((3_000..=3_600).contains(&seconds), "{seconds}");
}

#[test]
fn no_url_is_no_redis_and_a_wrong_one_is_refused() {
    assert!(Redis::new(&RedisSettings::default()).unwrap().is_none());
    let error = Redis::new(&RedisSettings { redis_url: Some("http://:secret@cache".parse().unwrap()) }).unwrap_err();
    assert!(error.to_string().contains("redis://") && !error.to_string().contains("secret"), "{error}");
}

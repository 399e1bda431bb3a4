//! Responses that processes share through Redis.

use std::sync::Arc;

use api::{
    State,
    cache::{FORMAT, namespace},
};
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;

use super::{
    connect_within,
    redis_process::{RedisProcess, eventually},
};
use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    a_response_cached_by_one_process_is_a_hit_for_another,
    invalid_values_are_replaced_from_the_database,
    responses_of_older_versions_are_not_used,
    responses_of_other_databases_are_not_used,
    responses_with_a_removed_event_are_not_used,
);

/// Starts a process with an empty process cache that knows the catalogue version and is connected to Redis.
async fn start_process(database: &TestDatabase, redis: &RedisProcess) -> TestApp {
    start_process_within(&namespace("db.example:5432/marquee"), database, redis).await
}

async fn start_process_within(namespace: &str, database: &TestDatabase, redis: &RedisProcess) -> TestApp {
    let shared = connect_within(&redis.url(), namespace);
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::new(reads, watch, 64 * 1024 * 1024, Some(shared.clone()));
    state.version.refresh().await.unwrap();
    eventually("Redis is up", async || shared.is_up().then_some(())).await;
    TestApp::with_state(&state)
}

fn cache_status(response: &TestResponse) -> &str {
    response.header("cache-status").unwrap()
}

/// Waits for this number of keys, because values are stored in the background.
async fn wait_for_keys(redis: &RedisProcess, count: usize) -> Vec<String> {
    eventually("the keys are stored", async || {
        let pattern = format!("marquee:{FORMAT}:db.example:5432/marquee:*");
        let keys: Vec<String> = redis.query(&format!("KEYS {pattern}")).await.lines().map(str::to_owned).collect();
        let keys: Vec<String> = keys.into_iter().filter(|line| line.starts_with("marquee:")).collect();
        (keys.len() == count).then_some(keys)
    })
    .await
}

const FROM_DATABASE: &str = "marquee-redis; fwd=miss; stored, marquee-process; fwd=miss; stored";
const FROM_REDIS: &str = "marquee-redis; hit, marquee-process; fwd=miss; stored";

async fn a_response_cached_by_one_process_is_a_hit_for_another(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert((0..3).map(|number| NewEvent::titled(&format!("show {number}")))).await;
    let redis = RedisProcess::start(&[]).await;
    let (one, other) = (start_process(&database, &redis).await, start_process(&database, &redis).await);
    let zipped = [("accept-encoding", "gzip")];

    let plain = one.get("/search?limit=2").await;
    let packed = one.send(Method::GET, "/search?limit=2", &zipped).await;
    assert_eq!(cache_status(&plain), FROM_DATABASE);
    wait_for_keys(&redis, 2).await;

    for (headers, first) in [(&[][..], plain), (&zipped[..], packed)] {
        let shared = other.send(Method::GET, "/search?limit=2", headers).await;
        assert_eq!(cache_status(&shared), FROM_REDIS);
        assert_eq!(shared.body, first.body);
        for name in ["etag", "link", "content-type", "content-encoding", "warning"] {
            assert_eq!(shared.header(name), first.header(name), "{name}");
        }
        assert_eq!(cache_status(&other.send(Method::GET, "/search?limit=2", headers).await), "marquee-process; hit");
    }
}

async fn invalid_values_are_replaced_from_the_database(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    let redis = RedisProcess::start(&[]).await;
    for path in ["/search", "/search?starts_at=2000-01-01"] {
        start_process(&database, &redis).await.get(path).await;
    }
    let mut keys = wait_for_keys(&redis, 2).await;
    keys.sort_unstable_by_key(String::len);
    let [key, other] = &keys[..] else { panic!("expected two keys") };

    for command in [
        format!("SET \"{key}\" hello"),
        format!("SET \"{key}\" \"\""),
        // An older format version, a corrupt value, and a valid one of another key.
        format!("SETRANGE \"{key}\" 0 MQA0"),
        format!("COPY \"{other}\" \"{key}\" REPLACE"),
        format!("SETRANGE \"{key}\" 60 x"),
        format!("DEL \"{key}\""),
    ] {
        redis.query(&command).await;
        let response = start_process(&database, &redis).await.get("/search").await;
        assert_eq!(response.titles(), ["show"], "{command}");
        assert_eq!(cache_status(&response), FROM_DATABASE, "{command}");
        eventually("a valid value is stored", async || {
            let process = start_process(&database, &redis).await;
            (cache_status(&process.get("/search").await) == FROM_REDIS).then_some(())
        })
        .await;
    }
}

async fn responses_of_older_versions_are_not_used(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_with_new_version(NewEvent::titled("first")).await;
    let redis = RedisProcess::start(&[]).await;
    assert_eq!(start_process(&database, &redis).await.get("/search").await.titles(), ["first"]);
    wait_for_keys(&redis, 1).await;

    catalogue.insert_with_new_version(NewEvent::titled("second")).await;

    let response = start_process(&database, &redis).await.get("/search").await;
    assert_eq!(response.titles().len(), 2);
    assert_eq!(cache_status(&response), FROM_DATABASE);
}

/// Even if their version is the same.
async fn responses_of_other_databases_are_not_used(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    let redis = RedisProcess::start(&[]).await;
    start_process(&database, &redis).await.get("/search").await;
    wait_for_keys(&redis, 1).await;

    let other = start_process_within(&namespace("db.example:5432/other"), &database, &redis).await;

    assert_eq!(cache_status(&other.get("/search").await), FROM_DATABASE);
}

async fn responses_with_a_removed_event_are_not_used(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let removed = NewEvent::titled("removed");
    catalogue.insert_with_new_version(removed.clone()).await;
    catalogue.insert_with_new_version(NewEvent::titled("show").starts("2021-03-01T20:00:00")).await;
    let redis = RedisProcess::start(&[]).await;
    let (one, other) = (start_process(&database, &redis).await, start_process(&database, &redis).await);
    assert_eq!(one.get("/search").await.titles(), ["removed", "show"]);
    wait_for_keys(&redis, 1).await;

    let removal = format!("/events/{}?reason=x", removed.row.id);
    assert_eq!(one.send(Method::DELETE, &removal, &[]).await.status, 204);
    // By this response the other process knows the release.
    assert_eq!(other.get("/search?limit=5").await.titles(), ["show"]);
    for process in [&other, &one] {
        let response = process.get("/search").await;
        assert_eq!(response.titles(), ["show"]);
    }
    eventually("the new response is shared", async || {
        let process = start_process(&database, &redis).await;
        let response = process.get("/search").await;
        assert_eq!(response.titles(), ["show"]);
        (cache_status(&response) == FROM_REDIS).then_some(())
    })
    .await;
}

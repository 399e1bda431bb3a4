//! Answers that processes share: what one has asked the database for, the others have from Redis, and what is wrong there is nobody's
//! trouble.

use std::sync::Arc;

use api::State;
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;

use super::{
    connect,
    redis_server::{RedisServer, eventually},
};
use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    a_response_cached_by_one_process_is_a_hit_for_another,
    invalid_values_are_replaced_from_the_database,
    responses_of_older_versions_are_not_used,
);

/// A process with an empty cache of its own that knows the version and Redis.
async fn process(database: &TestDatabase, redis: &RedisServer) -> TestApp {
    let shared = connect(&redis.url());
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::new(reads, watch, 64 * 1024 * 1024, Some(shared.clone()));
    state.catalogue.ask().await.unwrap();
    eventually("Redis is found", async || shared.is_up().then_some(())).await;
    TestApp::with_state(&state)
}

fn tiers(response: &TestResponse) -> &str {
    response.header("cache-status").unwrap()
}

/// Values are put in the background.
async fn keys(redis: &RedisServer, count: usize) -> Vec<String> {
    eventually("the keys are there", async || {
        let keys: Vec<String> = redis.query("KEYS marquee:*").await.lines().map(str::to_owned).collect();
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
    let redis = RedisServer::start(&[]).await;
    let (one, other) = (process(&database, &redis).await, process(&database, &redis).await);
    let zipped = [("accept-encoding", "gzip")];

    let plain = one.get("/search?limit=2").await;
    let packed = one.send(Method::GET, "/search?limit=2", &zipped).await;
    assert_eq!(tiers(&plain), FROM_DATABASE);
    keys(&redis, 2).await;

    for (headers, first) in [(&[][..], plain), (&zipped[..], packed)] {
        let shared = other.send(Method::GET, "/search?limit=2", headers).await;
        assert_eq!(tiers(&shared), FROM_REDIS);
        assert_eq!(shared.body, first.body);
        for name in ["etag", "link", "content-type", "content-encoding", "warning"] {
            assert_eq!(shared.header(name), first.header(name), "{name}");
        }
        assert_eq!(tiers(&other.send(Method::GET, "/search?limit=2", headers).await), "marquee-process; hit");
    }
}

async fn invalid_values_are_replaced_from_the_database(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    let redis = RedisServer::start(&[]).await;
    process(&database, &redis).await.get("/search").await;
    let [key] = &keys(&redis, 1).await[..] else { panic!("one key") };

    for wrong in [
        format!("SET \"{key}\" hello"),
        format!("SET \"{key}\" \"\""),
        // What an older program wrote, and what was cut on the way.
        format!("SETRANGE \"{key}\" 0 MQA0"),
        format!("SETRANGE \"{key}\" 60 x"),
        format!("DEL \"{key}\""),
    ] {
        redis.query(&wrong).await;
        let response = process(&database, &redis).await.get("/search").await;
        assert_eq!(response.titles(), ["show"], "{wrong}");
        assert_eq!(tiers(&response), FROM_DATABASE, "{wrong}");
        // It is put right.
        eventually("the answer is back", async || {
            let process = process(&database, &redis).await;
            (tiers(&process.get("/search").await) == FROM_REDIS).then_some(())
        })
        .await;
    }
}

async fn responses_of_older_versions_are_not_used(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_with_new_version(NewEvent::titled("first")).await;
    let redis = RedisServer::start(&[]).await;
    assert_eq!(process(&database, &redis).await.get("/search").await.titles(), ["first"]);
    keys(&redis, 1).await;

    catalogue.insert_with_new_version(NewEvent::titled("second")).await;

    let response = process(&database, &redis).await.get("/search").await;
    assert_eq!(response.titles().len(), 2);
    assert_eq!(tiers(&response), FROM_DATABASE);
}

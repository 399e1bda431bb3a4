//! Answers that processes share: what one has asked the database for, the others have from Redis, and what is wrong there is nobody's
//! trouble.

use std::sync::Arc;

use api::State;
use entity::ConnectionRole;
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;

use super::{
    server::{Server, eventually},
    tier,
};
use crate::{
    catalogue::{Catalogue, NewEvent},
    service::{Answer, Service},
};

on_every_backend!(
    what_one_process_asked_for_another_has_from_redis,
    what_is_wrong_under_our_key_is_asked_for_again,
    an_answer_of_an_older_version_is_never_found,
);

/// A process with an empty cache of its own that knows the version and Redis.
async fn process(database: &TestDatabase, redis: &Server) -> Service {
    let shared = tier(&redis.url());
    let (reads, watch) = (database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await);
    let state = State::new(reads, watch, 64 * 1024 * 1024, Some(shared.clone()));
    state.catalogue.ask().await.unwrap();
    eventually("Redis is found", async || shared.is_up().then_some(())).await;
    Service::of(&state)
}

fn tiers(answer: &Answer) -> &str {
    answer.header("cache-status").unwrap()
}

/// Values are put in the background.
async fn keys(redis: &Server, count: usize) -> Vec<String> {
    eventually("the keys are there", async || {
        let keys: Vec<String> = redis.ask("KEYS marquee:*").await.lines().map(str::to_owned).collect();
        let keys: Vec<String> = keys.into_iter().filter(|line| line.starts_with("marquee:")).collect();
        (keys.len() == count).then_some(keys)
    })
    .await
}

const FROM_DATABASE: &str = "marquee-redis; fwd=miss; stored, marquee-process; fwd=miss; stored";
const FROM_REDIS: &str = "marquee-redis; hit, marquee-process; fwd=miss; stored";

async fn what_one_process_asked_for_another_has_from_redis(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert((0..3).map(|number| NewEvent::titled(&format!("show {number}")))).await;
    let redis = Server::start(&[]).await;
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

async fn what_is_wrong_under_our_key_is_asked_for_again(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    let redis = Server::start(&[]).await;
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
        redis.ask(&wrong).await;
        let answer = process(&database, &redis).await.get("/search").await;
        assert_eq!(answer.titles(), ["show"], "{wrong}");
        assert_eq!(tiers(&answer), FROM_DATABASE, "{wrong}");
        // It is put right.
        eventually("the answer is back", async || {
            let process = process(&database, &redis).await;
            (tiers(&process.get("/search").await) == FROM_REDIS).then_some(())
        })
        .await;
    }
}

async fn an_answer_of_an_older_version_is_never_found(database: Arc<TestDatabase>) {
    let catalogue = Catalogue::of(&database).await;
    catalogue.insert_and_raise(NewEvent::titled("first")).await;
    let redis = Server::start(&[]).await;
    assert_eq!(process(&database, &redis).await.get("/search").await.titles(), ["first"]);
    keys(&redis, 1).await;

    catalogue.insert_and_raise(NewEvent::titled("second")).await;

    let answer = process(&database, &redis).await.get("/search").await;
    assert_eq!(answer.titles().len(), 2);
    assert_eq!(tiers(&answer), FROM_DATABASE);
}

//! Cached responses: keys, content codings, validators and headers.

use std::{sync::Arc, time::Duration};

use api::State;
use entity::{ConnectionRole, catalogue_version};
use futures_util::future::join_all;
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use poem::http::Method;

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    a_repeated_request_is_a_process_cache_hit,
    concerts_performers_and_venues_are_cached_like_searches,
    equivalent_queries_share_a_cache_entry,
    concurrent_identical_requests_run_one_query,
    each_content_coding_is_cached_and_decodes_to_the_same_body,
    a_matching_if_none_match_is_304,
    head_returns_the_headers_without_a_body,
    error_responses_are_not_cached,
    uncached_responses_support_etags_and_codings,
);

pub(crate) const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Generous, because the machine may be busy.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The state of an API process without its background tasks.
pub(crate) async fn create_state(database: &TestDatabase) -> State {
    State::new(database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await, CACHE_BYTES, None)
}

pub(crate) fn cache_status(response: &TestResponse) -> &str {
    response.header("cache-status").unwrap()
}

async fn a_repeated_request_is_a_process_cache_hit(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert((0..3).map(|number| NewEvent::titled(&format!("show {number}")))).await;
    let app = TestApp::with_state(&create_state(&database).await);

    let first = app.get("/search?limit=2").await;
    let second = app.get("/search?limit=2").await;

    assert_eq!(cache_status(&first), "marquee-process; fwd=miss; stored");
    assert_eq!(cache_status(&second), "marquee-process; hit");
    assert_eq!(first.titles().len(), 2);
    assert_eq!(first.body, second.body);
    for name in ["etag", "link", "cache-control", "vary", "age", "content-type"] {
        assert!(first.header(name).is_some(), "{name}");
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    assert_eq!(first.header("cache-control"), Some("public, no-cache"));
    assert_eq!(first.header("age"), Some("0"));
    assert_eq!(first.header("warning"), None);
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}

async fn concerts_performers_and_venues_are_cached_like_searches(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let show = |number: u8| NewEvent::titled(&format!("show {number}")).performers(&["1"]).venue("hall", (1.0, 2.0), None);
    catalogue.insert((0..3).map(show)).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    let lists = [
        "/concerts?bandIds=1&limit=2",
        "/concerts?latitude=1&longitude=2&radius=3",
        "/performers?q=perf",
        "/venues?q=hall",
        "/performers/fever:1",
        "/venues/fever:venue%20of%20hall",
        "/providers/fever",
        "/categories",
    ];
    for list in lists {
        let (first, second) = (app.get(list).await, app.get(list).await);
        assert_eq!(
            (cache_status(&first), cache_status(&second)),
            ("marquee-process; fwd=miss; stored", "marquee-process; hit"),
            "{list}"
        );
        assert_eq!(first.body, second.body);
        assert_eq!(first.header("link"), second.header("link"));
        let etag = second.header("etag").unwrap();
        let unchanged = app.send(Method::GET, list, &[("if-none-match", etag)]).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0), "{list}");
        let head = app.send(Method::HEAD, list, &[]).await;
        assert_eq!(head.header("content-length"), Some(second.body.len().to_string().as_str()), "{list}");
    }
    assert_eq!(app.get(lists[1]).await.json().as_array().map(Vec::len), Some(3));
    catalogue.insert_with_new_version(show(3)).await;
    state.version.refresh().await.unwrap();
    assert!(cache_status(&app.get(lists[1]).await).starts_with("marquee-process; hit; detail=REVALIDATING"));
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    while app.get(lists[1]).await.json().as_array().map(Vec::len) != Some(4) {
        assert!(tokio::time::Instant::now() < deadline, "the new concert never appeared");
    }
}

async fn equivalent_queries_share_a_cache_entry(database: Arc<TestDatabase>) {
    let app = TestApp::with_state(&create_state(&database).await);
    app.get("/search?starts_at=2021-02-01&ends_at=2021-02-28&limit=5").await;
    for same in [
        "/search?limit=5&ends_at=2021-02-28&starts_at=2021-02-01",
        "/search?starts_at=2021-02-01T00:00:00Z&ends_at=2021-02-28&limit=5",
        "/search?starts_at=2021-02-01T01:00:00%2B01:00&ends_at=2021-02-28T23:59:59.999999Z&limit=5",
    ] {
        assert_eq!(cache_status(&app.get(same).await), "marquee-process; hit", "{same}");
    }
    for other in [
        "/search?starts_at=2021-02-01&ends_at=2021-02-28",
        "/search?starts_at=2021-02-01&ends_at=2021-02-28&limit=6",
        "/search?starts_at=2021-02-01&limit=5",
        "/search?ends_at=2021-02-28&limit=5",
    ] {
        assert_eq!(cache_status(&app.get(other).await), "marquee-process; fwd=miss; stored", "{other}");
    }
}

async fn concurrent_identical_requests_run_one_query(database: Arc<TestDatabase>) {
    let app = TestApp::with_state(&create_state(&database).await);
    let responses = join_all((0..50).map(|_| app.get("/search"))).await;

    let stored = responses.iter().filter(|response| cache_status(response) == "marquee-process; fwd=miss; stored").count();
    assert_eq!(stored, 1, "the others wait for it or hit the cache");
    assert!(responses.iter().all(|response| response.body == responses[0].body));
}

async fn each_content_coding_is_cached_and_decodes_to_the_same_body(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert((0..300).map(|number| NewEvent::titled(&format!("show {number}")).prices(&[number]))).await;
    let app = TestApp::with_state(&create_state(&database).await);
    let plain = app.get("/search").await;
    assert!(plain.body.len() > 40_000, "large bodies are encoded on another thread");
    let mut validators = vec![plain.header("etag").unwrap().to_owned()];

    for (accepted, coding) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, br;q=0.9", "gzip")] {
        let first = app.send(Method::GET, "/search", &[("accept-encoding", accepted)]).await;
        let second = app.send(Method::GET, "/search", &[("accept-encoding", accepted)]).await;

        assert_eq!(cache_status(&second), "marquee-process; hit");
        assert_eq!(first.body, second.body);
        for response in [&first, &second] {
            assert_eq!(response.header("content-encoding"), Some(coding));
            assert_eq!(response.header("vary"), Some("accept-encoding"));
            assert_eq!(response.decoded(), plain.body);
            assert!(response.body.len() * 4 < plain.body.len());
        }
        validators.push(first.header("etag").unwrap().to_owned());
    }
    assert_eq!(validators.pop(), Some(validators[1].clone()), "the validator of gzip does not depend on the header");
    validators.sort();
    validators.dedup();
    assert_eq!(validators.len(), 4, "each coding has its own validator");

    let rejected = app.send(Method::GET, "/search", &[("accept-encoding", "identity;q=0")]).await;
    rejected.problem(406, "not_acceptable");
}

async fn a_matching_if_none_match_is_304(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    let get_if_none_match = async |validators: &str, coding: &str| {
        app.send(Method::GET, "/search", &[("if-none-match", validators), ("accept-encoding", coding)]).await
    };
    let first = app.get("/search").await;
    let etag = first.header("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "the validator is strong: {etag}");
    let gzipped = app.send(Method::GET, "/search", &[("accept-encoding", "gzip")]).await;

    for validators in [etag, &format!("W/{etag}"), "*", &format!("\"other\", {etag}")] {
        let unchanged = get_if_none_match(validators, "identity").await;
        assert_eq!(unchanged.status, 304, "{validators}");
        assert!(unchanged.body.is_empty());
        assert_eq!(unchanged.header("etag"), Some(etag));
        assert_eq!(unchanged.header("cache-control"), Some("public, no-cache"));
        assert_eq!(unchanged.header("vary"), Some("accept-encoding"));
        assert_eq!(unchanged.header("content-type"), None);
    }
    assert_eq!(get_if_none_match("\"other\"", "identity").await.status, 200);
    assert_eq!(get_if_none_match(etag, "gzip").await.status, 200, "gzip has another validator");
    assert_eq!(get_if_none_match(gzipped.header("etag").unwrap(), "gzip").await.status, 304);

    // A new version with the same rows has the same body.
    catalogue_version::increment(&catalogue.database).await.unwrap();
    state.version.refresh().await.unwrap();
    assert_eq!(get_if_none_match(etag, "identity").await.status, 304);
}

async fn head_returns_the_headers_without_a_body(database: Arc<TestDatabase>) {
    let app = TestApp::with_state(&create_state(&database).await);
    for path in ["/search", "/providers", "/livez", "/openapi.json"] {
        let get = app.get(path).await;
        let head = app.send(Method::HEAD, path, &[]).await;
        assert_eq!(head.status, 200, "{path}");
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
    }
}

async fn error_responses_are_not_cached(database: Arc<TestDatabase>) {
    let app = TestApp::with_state(&create_state(&database).await);
    for _ in 0..2 {
        let rejected = app.get("/search?starts_at=soon").await;
        rejected.validation_errors();
        assert_eq!(rejected.header("cache-status"), None);
        assert_eq!(rejected.header("etag"), None);
    }
}

async fn uncached_responses_support_etags_and_codings(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([NewEvent::titled("show")]).await;
    let app = TestApp::with_state(&create_state(&database).await);
    let event = format!("/events/{}", NewEvent::titled("show").row.id);
    for path in [event.as_str(), "/sync-runs", "/openapi.json", "/docs"] {
        let plain = app.get(path).await;
        let etag = plain.header("etag").unwrap();
        assert_eq!(plain.header("vary"), Some("accept-encoding"), "{path}");
        let unchanged = app.send(Method::GET, path, &[("if-none-match", etag)]).await;
        assert_eq!(unchanged.status, 304, "{path}");
        let compressed = app.send(Method::GET, path, &[("accept-encoding", "zstd")]).await;
        assert_eq!(compressed.header("content-encoding"), Some("zstd"), "{path}");
        assert_eq!(compressed.decoded(), plain.body, "{path}");
        assert_ne!(compressed.header("etag"), Some(etag), "{path}");
    }
}

/// More requests than may wait for the database: the rest is rejected immediately, and cache hits are still served.
#[tokio::test(flavor = "multi_thread")]
async fn excess_requests_are_shed_while_cache_hits_are_served() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let app = TestApp::with_state(&create_state(&database).await);
    assert_eq!(app.get("/search").await.status, 200);
    let locker = database.connect(ConnectionRole::Worker).await;
    let lock = sea_orm::TransactionTrait::begin(&locker).await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(&lock, "LOCK TABLE event IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let misses = join_all((1..=600).map(|limit| {
        let app = &app;
        async move { app.get(&format!("/search?limit={limit}")).await }
    }));
    let hit = async {
        let cached = app.get("/search").await;
        assert_eq!(cache_status(&cached), "marquee-process; hit");
    };
    let (responses, ()) = tokio::join!(misses, hit);

    let rejected: Vec<&TestResponse> = responses.iter().filter(|response| response.header("retry-after") == Some("1")).collect();
    assert!(rejected.len() >= 300, "{} of 600 were rejected", rejected.len());
    for response in &rejected {
        response.problem(503, "overloaded");
    }
    lock.rollback().await.unwrap();
    assert_eq!(app.get("/search?limit=599").await.status, 200);
    database.remove().await;
}

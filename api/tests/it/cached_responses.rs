//! Answers that are kept: by whom, in which form, how long, and what the headers say of it.

use std::{sync::Arc, time::Duration};

use api::State;
use entity::{ConnectionRole, catalogue_version};
use futures_util::future::join_all;
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use poem::http::Method;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    database_proxy::{DatabaseProxy, ProxyMode},
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
    a_stale_response_is_marked_while_it_is_revalidated,
    new_catalogue_versions_are_detected,
    error_responses_are_not_cached,
    uncached_responses_support_etags_and_codings,
);

const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Far more than anything here takes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What an API process has, without what runs beside its requests.
pub(crate) async fn create_state(database: &TestDatabase) -> State {
    State::new(database.connect(ConnectionRole::Api).await, database.connect(ConnectionRole::Watch).await, CACHE_BYTES, None)
}

fn tier(response: &TestResponse) -> &str {
    response.header("cache-status").unwrap()
}

async fn a_repeated_request_is_a_process_cache_hit(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert((0..3).map(|number| NewEvent::titled(&format!("show {number}")))).await;
    let app = TestApp::with_state(&create_state(&database).await);

    let first = app.get("/search?limit=2").await;
    let second = app.get("/search?limit=2").await;

    assert_eq!(tier(&first), "marquee-process; fwd=miss; stored");
    assert_eq!(tier(&second), "marquee-process; hit");
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
    let lists =
        ["/concerts?bandIds=1&limit=2", "/concerts?latitude=1&longitude=2&radius=3", "/performers?q=perf", "/venues?q=hall"];
    for list in lists {
        let (first, second) = (app.get(list).await, app.get(list).await);
        assert_eq!((tier(&first), tier(&second)), ("marquee-process; fwd=miss; stored", "marquee-process; hit"), "{list}");
        assert_eq!(first.body, second.body);
        assert_eq!(first.header("link"), second.header("link"));
        let etag = second.header("etag").unwrap();
        let known = app.send(Method::GET, list, &[("if-none-match", etag)]).await;
        assert_eq!((known.status.as_u16(), known.body.len()), (304, 0), "{list}");
        let head = app.send(Method::HEAD, list, &[]).await;
        assert_eq!(head.header("content-length"), Some(second.body.len().to_string().as_str()), "{list}");
    }
    assert_eq!(app.get(lists[1]).await.json().as_array().map(Vec::len), Some(3));
    catalogue.insert_with_new_version(show(3)).await;
    state.catalogue.ask().await.unwrap();
    assert!(tier(&app.get(lists[1]).await).starts_with("marquee-process; hit; detail=REVALIDATING"));
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    while app.get(lists[1]).await.json().as_array().map(Vec::len) != Some(4) {
        assert!(tokio::time::Instant::now() < deadline, "the new concert is never seen");
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
        assert_eq!(tier(&app.get(same).await), "marquee-process; hit", "{same}");
    }
    for other in [
        "/search?starts_at=2021-02-01&ends_at=2021-02-28",
        "/search?starts_at=2021-02-01&ends_at=2021-02-28&limit=6",
        "/search?starts_at=2021-02-01&limit=5",
        "/search?ends_at=2021-02-28&limit=5",
    ] {
        assert_eq!(tier(&app.get(other).await), "marquee-process; fwd=miss; stored", "{other}");
    }
}

async fn concurrent_identical_requests_run_one_query(database: Arc<TestDatabase>) {
    let app = TestApp::with_state(&create_state(&database).await);
    let responses = join_all((0..50).map(|_| app.get("/search"))).await;

    let stored = responses.iter().filter(|response| tier(response) == "marquee-process; fwd=miss; stored").count();
    assert_eq!(stored, 1, "the others wait for it, or come when it is there");
    assert!(responses.iter().all(|response| response.body == responses[0].body));
}

async fn each_content_coding_is_cached_and_decodes_to_the_same_body(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert((0..300).map(|number| NewEvent::titled(&format!("show {number}")).prices(&[number]))).await;
    let app = TestApp::with_state(&create_state(&database).await);
    let plain = app.get("/search").await;
    assert!(plain.body.len() > 40_000, "some are encoded on another thread");
    let mut validators = vec![plain.header("etag").unwrap().to_owned()];

    for (wanted, coding) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, br;q=0.9", "gzip")] {
        let first = app.send(Method::GET, "/search", &[("accept-encoding", wanted)]).await;
        let second = app.send(Method::GET, "/search", &[("accept-encoding", wanted)]).await;

        assert_eq!(tier(&second), "marquee-process; hit");
        assert_eq!(first.body, second.body);
        for response in [&first, &second] {
            assert_eq!(response.header("content-encoding"), Some(coding));
            assert_eq!(response.header("vary"), Some("accept-encoding"));
            assert_eq!(response.decoded(), plain.body);
            assert!(response.body.len() * 4 < plain.body.len());
        }
        validators.push(first.header("etag").unwrap().to_owned());
    }
    assert_eq!(validators.pop(), Some(validators[1].clone()), "gzip is gzip");
    validators.sort();
    validators.dedup();
    assert_eq!(validators.len(), 4, "each coding has a validator of its own");

    let refused = app.send(Method::GET, "/search", &[("accept-encoding", "identity;q=0")]).await;
    refused.problem(406, "not_acceptable");
}

async fn a_matching_if_none_match_is_304(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    let ask = async |validators: &str, coding: &str| {
        app.send(Method::GET, "/search", &[("if-none-match", validators), ("accept-encoding", coding)]).await
    };
    let first = app.get("/search").await;
    let etag = first.header("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "it is strong: {etag}");
    let zipped = app.send(Method::GET, "/search", &[("accept-encoding", "gzip")]).await;

    for validators in [etag, &format!("W/{etag}"), "*", &format!("\"other\", {etag}")] {
        let known = ask(validators, "identity").await;
        assert_eq!(known.status, 304, "{validators}");
        assert!(known.body.is_empty());
        assert_eq!(known.header("etag"), Some(etag));
        assert_eq!(known.header("cache-control"), Some("public, no-cache"));
        assert_eq!(known.header("vary"), Some("accept-encoding"));
        assert_eq!(known.header("content-type"), None);
    }
    assert_eq!(ask("\"other\"", "identity").await.status, 200);
    assert_eq!(ask(etag, "gzip").await.status, 200, "the bytes that would be sent are others");
    assert_eq!(ask(zipped.header("etag").unwrap(), "gzip").await.status, 304);

    // Another version with the same answer is the same bytes.
    catalogue_version::increment(&catalogue.database).await.unwrap();
    state.catalogue.ask().await.unwrap();
    assert_eq!(ask(etag, "identity").await.status, 304);
}

async fn head_returns_the_headers_without_a_body(database: Arc<TestDatabase>) {
    let app = TestApp::with_state(&create_state(&database).await);
    for path in ["/search", "/providers", "/livez", "/openapi.json"] {
        let whole = app.get(path).await;
        let head = app.send(Method::HEAD, path, &[]).await;
        assert_eq!(head.status, 200, "{path}");
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), Some(whole.body.len().to_string().as_str()), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"));
        assert_eq!(head.header("etag"), whole.header("etag"), "{path}");
    }
}

async fn a_stale_response_is_marked_while_it_is_revalidated(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_with_new_version(NewEvent::titled("first")).await;
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    assert_eq!(app.get("/search").await.titles(), ["first"]);
    catalogue.insert_with_new_version(NewEvent::titled("second")).await;
    assert_eq!(app.get("/search").await.titles(), ["first"], "nobody has told the process");
    state.catalogue.ask().await.unwrap();

    let old = app.get("/search").await;

    assert_eq!(old.titles(), ["first"]);
    assert_eq!(tier(&old), "marquee-process; hit; detail=REVALIDATING");
    assert_eq!(old.header("warning"), Some("110 - \"Response is Stale\""));
    let newer = async {
        loop {
            let response = app.get("/search").await;
            if response.header("warning").is_none() {
                return response;
            }
        }
    };
    let newer = timeout(TIMEOUT, newer).await.unwrap();
    assert_eq!(newer.titles().len(), 2);
    assert_eq!(tier(&newer), "marquee-process; hit");
}

async fn new_catalogue_versions_are_detected(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let state = create_state(&database).await;
    let shutdown = CancellationToken::new();
    state.follow(database.settings.clone(), shutdown.clone());
    for version in 1..=3 {
        catalogue_version::increment(&catalogue.database).await.unwrap();
        let learned = async {
            while state.catalogue.version() != Some(version) {
                tokio::task::yield_now().await;
            }
        };
        timeout(TIMEOUT, learned).await.unwrap();
    }
    shutdown.cancel();
}

async fn error_responses_are_not_cached(database: Arc<TestDatabase>) {
    let app = TestApp::with_state(&create_state(&database).await);
    for _ in 0..2 {
        let refused = app.get("/search?starts_at=soon").await;
        refused.validation_errors();
        assert_eq!(refused.header("cache-status"), None);
        assert_eq!(refused.header("etag"), None);
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
        let known = app.send(Method::GET, path, &[("if-none-match", etag)]).await;
        assert_eq!(known.status, 304, "{path}");
        let packed = app.send(Method::GET, path, &[("accept-encoding", "zstd")]).await;
        assert_eq!(packed.header("content-encoding"), Some("zstd"), "{path}");
        assert_eq!(packed.decoded(), plain.body, "{path}");
        assert_ne!(packed.header("etag"), Some(etag), "{path}");
    }
}

/// On one database: what is tested is that the process notices, which takes ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn restoring_a_backup_invalidates_cached_responses() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let catalogue = CatalogueFixture::new(&database).await;
    for title in ["first", "second", "third"] {
        catalogue.insert_with_new_version(NewEvent::titled(title)).await;
    }
    let state = create_state(&database).await;
    let app = TestApp::with_state(&state);
    let shutdown = CancellationToken::new();
    state.follow(database.settings.clone(), shutdown.clone());
    assert_eq!(app.get("/search").await.titles().len(), 3);

    catalogue.clear().await;
    catalogue.insert([NewEvent::titled("first")]).await;
    let restored = "UPDATE catalogue_version SET version = 1, raised_at = raised_at - 1000";
    sea_orm::ConnectionTrait::execute_unprepared(&catalogue.database, restored).await.unwrap();

    let noticed = async { while app.get("/search").await.titles() != ["first"] {} };
    timeout(TIMEOUT, noticed).await.unwrap();
    assert_eq!(app.get("/search").await.header("warning"), None);
    assert_eq!(tier(&app.get("/search").await), "marquee-process; hit");
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_responses_are_served_while_the_database_is_unavailable() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_with_new_version(NewEvent::titled("show")).await;
    let proxy = DatabaseProxy::start(&database, ProxyMode::Forward).await;
    let state = State::new(proxy.connect().await, proxy.connect_watch().await, CACHE_BYTES, None);
    let shutdown = CancellationToken::new();
    state.follow(proxy.settings(), shutdown.clone());
    let app = TestApp::with_state(&state);
    assert_eq!(app.get("/search").await.titles(), ["show"]);

    for never_asked in ["/search?limit=7", "/search?limit=8"] {
        proxy.set_mode(ProxyMode::Cut).await;
        timeout(TIMEOUT, state.catalogue.went_away()).await.unwrap();
        let kept = app.get("/search").await;
        assert_eq!(kept.titles(), ["show"]);
        assert_eq!(kept.header("warning"), Some("111 - \"Revalidation Failed\""));
        assert_eq!(tier(&kept), "marquee-process; hit; detail=DATABASE_AWAY");
        assert!(kept.header("age").unwrap().parse::<u64>().is_ok());
        app.get(never_asked).await.problem(503, "database_unavailable");

        proxy.set_mode(ProxyMode::Forward).await;
        let back = async { while app.get(never_asked).await.status != 200 {} };
        timeout(TIMEOUT, back).await.expect("it comes back by itself");
        assert_eq!(app.get("/search").await.header("warning"), None);
    }
    shutdown.cancel();
    proxy.set_mode(ProxyMode::Cut).await;
    database.remove().await;
}

/// The queries of those who wait outnumber what may wait: the rest hears so at once, and what is kept is given all the same.
#[tokio::test(flavor = "multi_thread")]
async fn excess_requests_are_shed_while_cache_hits_are_served() {
    let database = TestDatabase::migrated(Backend::Postgres).await;
    let app = TestApp::with_state(&create_state(&database).await);
    assert_eq!(app.get("/search").await.status, 200);
    let locker = database.connect(ConnectionRole::Worker).await;
    sea_orm::ConnectionTrait::execute_unprepared(&locker, "BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let asked = join_all((1..=600).map(|limit| {
        let app = &app;
        async move { app.get(&format!("/search?limit={limit}")).await }
    }));
    let kept = async {
        let kept = app.get("/search").await;
        assert_eq!(tier(&kept), "marquee-process; hit");
    };
    let (responses, ()) = tokio::join!(asked, kept);

    let refused: Vec<&TestResponse> = responses.iter().filter(|response| response.header("retry-after") == Some("1")).collect();
    assert!(refused.len() >= 300, "{} of 600 were refused", refused.len());
    for response in &refused {
        response.problem(503, "overloaded");
    }
    sea_orm::ConnectionTrait::execute_unprepared(&locker, "ROLLBACK").await.unwrap();
    assert_eq!(app.get("/search?limit=599").await.status, 200);
    database.remove().await;
}

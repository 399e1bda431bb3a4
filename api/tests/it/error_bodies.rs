//! Snapshots of the error bodies, provoked through the app.

use std::{fmt::Write, io, num::NonZeroU32, path::Path};

use api::{
    State,
    error::ErrorCode,
    rate_limit::{RateLimiter, RateSettings},
    response::{Cors, CorsSettings},
    server::Readiness,
};
use bytes::Bytes;
use entity::{
    ConnectionRole, UtcInstant,
    alias::AliasKind,
    change::{self, ChangeKind},
};
use futures_util::{StreamExt, stream};
use migration::{
    MigratorTrait,
    testing::{Backend, NextRelease, TestDatabase},
};
use poem::{Body, http::Method};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, prelude::Uuid};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    aliases,
    api_keys::{self, create_key, create_keys_file_path, start_app},
    cached_responses::create_state,
    changes,
    feeds::fill_queue,
    fixtures::{CatalogueFixture, NewEvent},
    rates::{BATCHES, CsvBatch, post_batch, put_places},
    test_app::{TestApp, TestResponse},
    webhooks,
};

/// The first takes a minute of a client that sends nothing; a unit test with a paused clock covers it. The second comes from the
/// HTTP parser; a test with sockets covers it. The third takes thousands of events; a test of lists covers it.
const NOT_PROVOKED: [ErrorCode; 3] = [ErrorCode::BodyTimeout, ErrorCode::HeadersTooLarge, ErrorCode::QueryTooBroad];
const XML: &str = "application/xml";
const KEY: [(&str, &str); 1] = [("idempotency-key", "one")];

#[tokio::test(flavor = "multi_thread")]
async fn error_bodies_match_the_snapshot() {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let mut responses = get_errors(&database).await;
    responses.extend(authentication_errors(&database).await);
    responses.extend(batch_errors(&database).await);
    responses.extend(feed_errors(&database).await);
    responses.extend(availability_errors(&database).await);
    responses.push(get_removed_event().await);
    responses.push(get_unknown_past().await);
    responses.extend(get_moved().await);
    responses.push(compare_currencies().await);
    responses.extend(webhook_conflicts().await);
    responses.push(call_from_another_origin().await);

    let mut snapshot = String::new();
    for code in ErrorCode::ALL {
        let bodies: Vec<Value> = responses.iter().map(redact).filter(|body| body["error"]["code"] == code.name()).collect();
        assert_eq!(bodies.is_empty(), NOT_PROVOKED.contains(code), "{}", code.name());
        for body in bodies {
            writeln!(snapshot, "{}", serde_json::to_string_pretty(&body).unwrap()).unwrap();
        }
    }
    insta::assert_snapshot!(snapshot);
}

async fn webhook_conflicts() -> [TestResponse; 2] {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let app = TestApp::new(&database).await;
    let (path, _) = webhooks::create_webhook(&app, "").await;
    // Which is in the detail.
    webhooks::update(&database.connect(ConnectionRole::Worker).await, "previous_secret_until = 4102444800000000").await;
    let rotated = app.send(Method::POST, &format!("{path}/rotate"), &[]).await;
    for _ in 1..20 {
        webhooks::create_webhook(&app, "").await;
    }
    [rotated, webhooks::create(&app, &json!({ "url": webhooks::URL }), &[]).await]
}

async fn compare_currencies() -> TestResponse {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let catalogue = CatalogueFixture::new(&database).await;
    for (slug, currency) in [("fever", "EUR"), ("london", "GBP")] {
        catalogue.insert_provider(slug, currency, 2).await;
        catalogue.insert([NewEvent::titled(slug).of_provider(slug).starts("2131-07-01T20:00:00")]).await;
    }
    TestApp::new(&database).await.get("/events?max_price=10").await
}

async fn call_from_another_origin() -> TestResponse {
    let cors = Cors::from_settings(&CorsSettings { cors_allowed_origins: vec!["https://app.example".parse().unwrap()] });
    let database = DatabaseConnection::default();
    let app = TestApp::with_state(&State { cors, ..State::new(database.clone(), database, 0, None) });
    let headers = [("origin", "https://elsewhere.example")];
    app.upload(Method::POST, "/mcp", ("application/json", "{}"), &headers).await
}

async fn get_moved() -> Vec<TestResponse> {
    let mut responses = Vec::new();
    for (kind, path) in [(AliasKind::Event, "/events"), (AliasKind::Venue, "/venues")] {
        let database = TestDatabase::migrated(Backend::Sqlite).await;
        let (app, _) = aliases::start_app(&database, kind).await;
        responses.push(app.get(&format!("{path}/{}", aliases::OLD)).await);
    }
    responses
}

fn redact(response: &TestResponse) -> Value {
    let mut body: Value = serde_json::from_slice(&response.body).unwrap();
    body["request_id"] = json!("[request id]");
    body
}

async fn get_errors(database: &TestDatabase) -> Vec<TestResponse> {
    let app = TestApp::with_state(&create_state(database).await);
    let unknown_place = "/rates?date_from=2021-01-01&date_to=2021-01-02&orig_code=AAAAA&dest_code=XXXXX";
    let mut responses = vec![
        app.send(Method::POST, "/search", &[]).await,
        app.get(&format!("/{}", "x".repeat(30_000))).await,
        app.send(Method::GET, "/search", &[("accept-encoding", "identity;q=0")]).await,
    ];
    for uri in [
        "/events/%FF",
        "/search?start_at=soon&limit=0&ends_at=2021-09-31&cursor=x",
        "/unknown/path",
        "/events/00000000-0000-0000-0000-000000000000",
        &format!("/changes?after={}", changes::cursor(1, 0, UtcInstant(0))),
        unknown_place,
    ] {
        responses.push(app.get(uri).await);
    }
    responses.push(app.send(Method::GET, "/search", &[("marquee-min-version", "42")]).await);
    let disconnected = TestApp::with_connection(DatabaseConnection::default());
    responses.push(disconnected.get("/events/00000000-0000-0000-0000-000000000000").await);
    responses
}

async fn get_removed_event() -> TestResponse {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let event = NewEvent::titled("show").id(Uuid::from_u128(1));
    let path = format!("/events/{}", event.row.id);
    CatalogueFixture::new(&database).await.insert([event]).await;
    let app = TestApp::new(&database).await;
    assert_eq!(app.send(Method::DELETE, &format!("{path}?reason=x"), &[]).await.status, 204);
    app.get(&path).await
}

/// An event as of an instant from which the log has no changes.
async fn get_unknown_past() -> TestResponse {
    let database = TestDatabase::migrated(Backend::Sqlite).await;
    let event = NewEvent::titled("show").id(Uuid::from_u128(1));
    let (id, path) = (event.row.id, format!("/events/{}?as_of=2021-01-01T00:00:00Z", event.row.id));
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert([event]).await;
    let change = catalogue.change(ChangeKind::Updated, "fever", id, "{}").await;
    catalogue.release(vec![change]).await;
    let at = UtcInstant(1_612_137_600_000_000);
    change::Entity::update_many().col_expr(change::Column::At, at.into()).exec(&catalogue.database).await.unwrap();
    TestApp::new(&database).await.get(&path).await
}

async fn authentication_errors(database: &TestDatabase) -> Vec<TestResponse> {
    let (_folder, file) = create_keys_file_path();
    let key = create_key(&file, "rates", &["rates"]);
    let app = start_app(database, &file).await;
    let mut responses = Vec::new();
    for authorization in ["", "Bearer mq_unknown", &format!("Bearer {key}")] {
        responses.push(api_keys::put_places(&app, authorization).await);
    }
    responses
}

async fn batch_errors(database: &TestDatabase) -> Vec<TestResponse> {
    let connection = database.connect(ConnectionRole::Api).await;
    let state = State::new(connection.clone(), connection, 0, None);
    let app = TestApp::with_state(&state);
    put_places(&app, &[], &[("AAAAA", "")]).await;
    let batch = |price: &str| CsvBatch::default().add("AAAAA", "AAAAA", "2021-01-30", price);
    let mut responses = vec![
        app.upload(Method::PUT, "/places", ("application/json", "{}"), &[("x-forwarded-for", "192.0.2.7")]).await,
        app.upload(Method::PUT, "/places", ("application/json", "{}"), &[("origin", "https://elsewhere.example")]).await,
        app.upload(Method::PUT, "/places", ("application/json", r#"{"regions":[],"places":[]}"#), &[("if-match", "\"other\"")])
            .await,
        app.upload(Method::PUT, "/places", ("application/json", r#"{"regions":[],"places":[{"code":5}]}"#), &[]).await,
        app.upload(Method::POST, BATCHES, ("text/plain", "x"), &[]).await,
        post_batch(&app, &batch("-1").add("XXXXX", "AAAAA", "2021-09-31", "x"), &[]).await,
    ];
    let interrupted = stream::iter([Ok(Bytes::from_static(b"orig_code")), Err(io::Error::from(io::ErrorKind::ConnectionReset))]);
    responses.push(app.upload(Method::POST, BATCHES, ("text/csv", Body::from_bytes_stream(interrupted)), &[]).await);
    responses.push(post_during_another_batch(&app, &batch("1")).await);
    assert_eq!(post_batch(&app, &batch("1"), &KEY).await.status, 201);
    responses.push(post_batch(&app, &batch("2"), &KEY).await);

    let permits: Vec<_> = std::iter::from_fn(|| state.writer.reserve_batch(&"local".into()).ok()).collect();
    responses.push(post_batch(&app, &batch("1"), &[]).await);
    drop(permits);
    responses
}

/// Sends a batch while the body of another with the same key is incomplete.
async fn post_during_another_batch(app: &TestApp, batch: &CsvBatch) -> TestResponse {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(1);
    let chunks = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    let upload = app.upload(Method::POST, BATCHES, ("text/csv", Body::from_bytes_stream(chunks.boxed())), &KEY);
    let conflict = async {
        // The third chunk fits into the channel when the first is being read, and the key is claimed.
        for chunk in [&b"orig_code,dest_code,day,price\n"[..], b"x", b"x"] {
            sender.send(Ok(Bytes::from_static(chunk))).await.unwrap();
        }
        let response = post_batch(app, batch, &KEY).await;
        drop(sender);
        response
    };
    tokio::join!(upload, conflict).1
}

async fn feed_errors(database: &TestDatabase) -> Vec<TestResponse> {
    let catalogue = CatalogueFixture::new(database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(database).await;
    let feed = "/providers/fever/feed";
    let mut responses = vec![
        app.upload(Method::POST, feed, (XML, "x"), &[("content-encoding", "gzip")]).await,
        app.upload(Method::POST, feed, (XML, vec![b' '; (16 << 20) + 1]), &[]).await,
        app.upload(Method::POST, &format!("{feed}?dry_run=true"), (XML, "<eventList/>"), &[]).await,
    ];
    fill_queue(&catalogue.database).await;
    responses.push(app.upload(Method::POST, feed, (XML, "<eventList/>"), &[]).await);
    responses
}

async fn availability_errors(database: &TestDatabase) -> Vec<TestResponse> {
    let without_schema = TestDatabase::empty(Backend::Sqlite).await;
    let mut responses = vec![TestApp::new(&without_schema).await.get("/readyz").await];
    let damaged = TestDatabase::migrated(Backend::Sqlite).await;
    damaged.connect(ConnectionRole::Worker).await.execute_unprepared("DROP TABLE catalogue_version").await.unwrap();
    responses.push(TestApp::new(&damaged).await.get("/readyz").await);
    let newer = TestDatabase::migrated(Backend::Sqlite).await;
    NextRelease::up(&newer.connect(ConnectionRole::Migrate).await, None).await.unwrap();
    responses.push(TestApp::new(&newer).await.get("/readyz").await);

    responses.extend(storage_errors().await);

    let connection = database.connect(ConnectionRole::Api).await;
    let readiness = Readiness::default();
    readiness.begin_drain();
    let state = State::new(connection.clone(), connection, 0, None);
    responses.push(TestApp::with_state(&State { readiness, ..state.clone() }).get("/readyz").await);

    let settings = RateSettings {
        rate_limit_per_second: NonZeroU32::new(1),
        rate_limit_burst: NonZeroU32::new(1),
        trusted_proxies: Vec::new(),
    };
    let app = TestApp::with_state(&State { rate: RateLimiter::from_settings(&settings), ..state });
    let mut limited = app.get("/openapi.json").await;
    while limited.status != 429 {
        limited = app.get("/openapi.json").await;
    }
    responses.push(limited);
    responses
}

/// The file of a database on SQLite.
pub(crate) fn sqlite_file(database: &TestDatabase) -> &Path {
    Path::new(database.settings.url.expose().trim_start_matches("sqlite://").split('?').next().unwrap())
}

async fn storage_errors() -> [TestResponse; 2] {
    let full = TestDatabase::migrated(Backend::Sqlite).await;
    let connection = full.connect(ConnectionRole::Migrate).await;
    // Simulates a full disk on the only connection of the pool.
    connection.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let regions: Vec<Value> = (0..1_000).map(|region| json!({"slug": format!("r{region}"), "name": "region"})).collect();
    let list = json!({"regions": regions, "places": []}).to_string();
    let full = TestApp::with_connection(connection).upload(Method::PUT, "/places", ("application/json", list), &[]).await;

    let corrupt = TestDatabase::migrated(Backend::Sqlite).await;
    // The migrations are in the log until all connections are closed.
    corrupt.connect(ConnectionRole::Migrate).await.close().await.unwrap();
    let app = TestApp::new(&corrupt).await;
    let file = sqlite_file(&corrupt);
    let mut bytes = std::fs::read(file).unwrap();
    bytes[4096..].fill(0xff);
    std::fs::write(file, bytes).unwrap();
    [full, app.get("/readyz").await]
}

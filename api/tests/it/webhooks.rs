//! `/webhooks`: creating, owning and changing endpoints. Workers deliver to them; their tests have a receiver.

use std::sync::Arc;

use entity::{
    ConnectionRole, UtcInstant,
    change::ChangeKind,
    job::{JobKind, JobState, WebhookJob, WebhookTestJob, queue},
    webhook::{self, AttemptOutcome, DeliveryAttempt, MessageKind, add_attempt},
};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, Statement};
use serde_json::{Value, json};

use crate::{
    api_keys::{create_key, create_keys_file_path, start_app},
    changes::cursor,
    fixtures::CatalogueFixture,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    a_webhook_is_created_listed_and_deleted,
    a_key_sees_its_own_webhooks,
    invalid_webhooks_are_rejected,
    the_number_of_webhooks_is_limited,
    a_secret_is_rotated,
    a_disabled_webhook_is_enabled,
    a_replay_moves_the_position,
    a_webhook_behind_the_log_is_not_enabled,
    a_test_is_queued_once,
    attempts_are_shown,
    regions_are_looked_up,
);

pub(crate) const URL: &str = "https://hooks.example/marquee?token=abc";

pub(crate) async fn create(app: &TestApp, body: &Value, headers: &[(&str, &str)]) -> TestResponse {
    app.upload(Method::POST, "/webhooks", ("application/json", body.to_string()), headers).await
}

/// Creates a webhook, and returns the path of it and the response.
pub(crate) async fn create_webhook(app: &TestApp, query: &str) -> (String, Value) {
    let response = create(app, &json!({ "url": URL, "query": query }), &[]).await;
    assert_eq!(response.status, 201, "{}", response.text());
    (format!("/{}", response.header("location").unwrap()), response.json())
}

pub(crate) async fn update(database: &DatabaseConnection, assignments: &str) {
    let sql = format!("UPDATE webhook SET {assignments}");
    database.execute_raw(Statement::from_string(database.get_database_backend(), sql)).await.unwrap();
}

async fn post(app: &TestApp, path: &str) -> TestResponse {
    app.send(Method::POST, path, &[]).await
}

async fn job_kinds(database: &DatabaseConnection) -> Vec<String> {
    queue::list(database).await.unwrap().into_iter().map(|job| job.kind).collect()
}

async fn a_webhook_is_created_listed_and_deleted(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    let event = uuid::Uuid::from_u128(1);
    catalogue.insert_provider("fever", "EUR", 2).await;
    let change = catalogue.change(ChangeKind::Left, "fever", event, "{}").await;
    catalogue.release(vec![change]).await;
    let (path, created) = create_webhook(&app, "kind=left&city=Barcelona").await;
    let secret = created["data"]["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let webhook = &created["data"]["webhook"];
    assert_eq!(webhook["position"], app.get("/changes?limit=1000").await.json()["meta"]["next"], "it begins now");
    assert_eq!((&webhook["state"], &webhook["owner"], &webhook["url"]), (&json!("active"), &json!("local"), &json!(URL)));
    assert_eq!(webhook["secret_prefix"], secret[..10]);
    for path in ["/webhooks", &path] {
        let response = app.get(path).await;
        assert_eq!(response.header("cache-control").unwrap(), "no-store");
        assert!(!response.text().contains(&secret[11..]), "the secret is shown once");
        assert_eq!(response.json()["error"], Value::Null);
    }
    assert_eq!(app.get("/webhooks").await.json()["data"]["webhooks"], json!([webhook]));
    assert_eq!(app.get(&path).await.json()["data"]["webhook"], *webhook);
    assert_eq!(job_kinds(&catalogue.database).await, [WebhookJob::KIND]);
    for status in [204, 404] {
        assert_eq!(app.send(Method::DELETE, &path, &[]).await.status, status);
    }
    app.get(&path).await.problem(404, "not_found");
    assert_eq!(app.get("/webhooks").await.json()["data"]["webhooks"], json!([]));
}

async fn a_key_sees_its_own_webhooks(database: Arc<TestDatabase>) {
    let (_folder, file) = create_keys_file_path();
    let [one, other] = ["one", "other"].map(|name| format!("Bearer {}", create_key(&file, name, &["webhooks"])));
    let admin = format!("Bearer {}", create_key(&file, "admin", &["admin"]));
    let reader = format!("Bearer {}", create_key(&file, "reader", &["read", "places"]));
    let app = start_app(&database, &file).await;
    let body = json!({ "url": URL });
    create(&app, &body, &[]).await.problem(401, "authentication_required");
    create(&app, &body, &[("authorization", &reader)]).await.problem(403, "missing_scope");
    let created = create(&app, &body, &[("authorization", &one)]).await;
    assert_eq!(created.json()["data"]["webhook"]["owner"], "one");
    let path = format!("/{}", created.header("location").unwrap());
    let count = async |key: &str| {
        let response = app.send(Method::GET, "/webhooks", &[("authorization", key)]).await;
        response.json()["data"]["webhooks"].as_array().unwrap().len()
    };
    assert_eq!((count(&one).await, count(&other).await, count(&admin).await), (1, 0, 1));
    app.get("/webhooks").await.problem(401, "authentication_required");
    for (method, action) in [
        (Method::GET, ""),
        (Method::POST, "/rotate"),
        (Method::POST, "/test"),
        (Method::POST, "/enable"),
        (Method::POST, &*format!("/replay?after={}", cursor(0, 0, UtcInstant(0)))),
        (Method::DELETE, ""),
    ] {
        let response = app.send(method.clone(), &format!("{path}{action}"), &[("authorization", &other)]).await;
        response.problem(404, "not_found");
    }
    assert_eq!(app.send(Method::GET, &path, &[("authorization", &admin)]).await.status, 200);
    assert_eq!(app.send(Method::DELETE, &path, &[("authorization", &admin)]).await.status, 204);
}

async fn invalid_webhooks_are_rejected(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (url, message) in [
        ("http://hooks.example/", "must begin with https://"),
        ("https://127.0.0.1/", "must not refer to 127.0.0.1, which is not a public address"),
        ("https://[fd00::1]/", "must not refer to fd00::1, which is not a public address"),
        ("https://localhost/", "must not refer to the local machine"),
        ("https://user:word@hooks.example/", "must not contain a user name or password: verify the signature instead"),
        ("hooks.example", "must be a URL such as https://hooks.example/marquee"),
    ] {
        let response = create(&app, &json!({ "url": url }), &[]).await;
        assert_eq!(response.validation_errors(), [("url".to_owned(), message.to_owned())]);
    }
    let response = create(&app, &json!({ "url": URL, "query": "kind=x&q=jazz&min_price=1&status=any" }), &[]).await;
    let names: Vec<String> = response.validation_errors().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["kind", "currency", "q"]);
    let expired = json!({ "url": URL, "after": cursor(7, 0, UtcInstant(0)) });
    create(&app, &expired, &[]).await.problem(410, "cursor_expired");
    let null = r#"{"url":"https://hooks.example/","after":null}"#;
    for body in ["", "[]", "{}", null, r#"{"url":"https://hooks.example/","secret":"x"}"#] {
        let response = app.upload(Method::POST, "/webhooks", ("application/json", body.to_owned()), &[]).await;
        response.problem(400, "invalid_body");
    }
    let form = ("application/x-www-form-urlencoded", "url=https://hooks.example/".to_owned());
    app.upload(Method::POST, "/webhooks", form, &[]).await.problem(415, "unsupported_media_type");
    let long = json!({ "url": URL, "query": "x".repeat(40_000) });
    create(&app, &long, &[]).await.problem(413, "body_too_large");
    assert_eq!(app.get("/webhooks").await.json()["data"]["webhooks"], json!([]));
    app.get("/webhooks/x").await.problem(400, "invalid_parameter");
    let replay = post(&app, "/webhooks/00000000-0000-0000-0000-000000000001/replay?after=").await;
    assert_eq!(replay.validation_errors(), [("after".to_owned(), "is required".to_owned())]);
}

async fn the_number_of_webhooks_is_limited(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for _ in 0..20 {
        create_webhook(&app, "").await;
    }
    let problem = create(&app, &json!({ "url": URL }), &[]).await.problem(409, "webhook_limit_reached");
    assert_eq!(problem["detail"], "there may be 20 webhooks per API key; delete one that is not needed any more");
}

async fn a_secret_is_rotated(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let app = TestApp::new(&database).await;
    let (path, created) = create_webhook(&app, "").await;
    let response = post(&app, &format!("{path}/rotate")).await;
    assert_eq!(response.header("cache-control").unwrap(), "no-store");
    let rotated = response.json();
    let [old, new] = [&created, &rotated].map(|body| body["data"]["secret"].as_str().unwrap());
    assert_ne!(old, new);
    let row = webhook::Entity::find().one(&connection).await.unwrap().unwrap();
    assert_eq!((row.secret.expose(), row.previous_secret.unwrap().expose()), (new, old));
    let webhook = &app.get(&path).await.json()["data"]["webhook"];
    assert_eq!(webhook["secret_prefix"], new[..10]);
    assert_eq!(webhook["previous_secret_until"], rotated["data"]["previous_secret_until"]);
    let hours = row.previous_secret_until.unwrap().0 / 3_600_000_000 - row.created_at.0 / 3_600_000_000;
    assert!((23..=25).contains(&hours), "{hours}");
    let problem = post(&app, &format!("{path}/rotate")).await.problem(409, "rotation_in_progress");
    let until = rotated["data"]["previous_secret_until"].as_str().unwrap();
    assert!(problem["detail"].as_str().unwrap().contains(until), "{problem}");
    update(&connection, "previous_secret_until = 1").await;
    assert_eq!(post(&app, &format!("{path}/rotate")).await.status, 200);
    let row = webhook::Entity::find().one(&connection).await.unwrap().unwrap();
    assert_eq!(row.previous_secret.unwrap().expose(), new);
}

async fn a_disabled_webhook_is_enabled(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let app = TestApp::new(&database).await;
    let (path, _) = create_webhook(&app, "").await;
    update(&connection, "state = 'disabled', disabled_reason = 'failing', disabled_at = 5, failures = 9, next_attempt_at = 7")
        .await;
    let disabled = app.get(&path).await.json()["data"]["webhook"]["disabled"].clone();
    assert_eq!((&disabled["reason"], &disabled["since"]), (&json!("failing"), &json!("1970-01-01T00:00:00.000005Z")));
    assert!(disabled["detail"].as_str().unwrap().contains("enable the webhook"));
    let enabled = &post(&app, &format!("{path}/enable")).await.json()["data"];
    assert_eq!((&enabled["state"], &enabled["disabled"], &enabled["failures"]), (&json!("active"), &Value::Null, &json!(0)));
    update(&connection, "state = 'disabled', disabled_reason = 'cursor_expired'").await;
    post(&app, &format!("{path}/enable")).await.problem(410, "cursor_expired");
}

/// A batch is sent as it is stored, so the log need not have it, but what follows.
async fn a_webhook_behind_the_log_is_not_enabled(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(&database).await;
    let (path, _) = create_webhook(&app, "").await;
    for id in 1..=2 {
        let change = catalogue.change(ChangeKind::Left, "fever", uuid::Uuid::from_u128(id), "{}").await;
        catalogue.release(vec![change]).await;
    }
    let first = entity::change::Entity::find().one(&catalogue.database).await.unwrap().unwrap();
    let removed = format!("INSERT INTO change_retention (kind, removed_through) VALUES ('updated', {})", first.version);
    catalogue.database.execute_unprepared(&removed).await.unwrap();
    let end = format!("batch_version = {}, batch_ordinal = {}, batch_at = {}", first.version, i32::MAX, first.at.0);
    update(
        &catalogue.database,
        &format!("batch_id = 'msg_1', batch = '{{}}', {end}, state = 'disabled', disabled_reason = 'gone'"),
    )
    .await;
    assert_eq!(post(&app, &format!("{path}/enable")).await.status, 200);
    update(&catalogue.database, "batch_version = batch_version - 1, state = 'disabled'").await;
    post(&app, &format!("{path}/enable")).await.problem(410, "cursor_expired");
    update(&catalogue.database, "batch_id = NULL").await;
    post(&app, &format!("{path}/enable")).await.problem(410, "cursor_expired");
}

async fn a_replay_moves_the_position(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    for id in 1..=2 {
        let change = catalogue.change(ChangeKind::Left, "fever", uuid::Uuid::from_u128(id), "{}").await;
        catalogue.release(vec![change]).await;
    }
    let app = TestApp::new(&database).await;
    let (path, _) = create_webhook(&app, "").await;
    update(&catalogue.database, "state = 'disabled', disabled_reason = 'cursor_expired', batch_id = 'msg_1', batch = '{}'").await;
    let first = app.get("/changes?limit=1").await.json()["meta"]["next"].as_str().unwrap().to_owned();
    let moved = &post(&app, &format!("{path}/replay?after={first}")).await.json()["data"];
    assert_eq!((&moved["position"], &moved["state"], &moved["pending"]), (&json!(first), &json!("active"), &Value::Null));
    assert_eq!(app.get(&path).await.json()["data"]["webhook"]["position"], json!(first));
    let errors = post(&app, &format!("{path}/replay")).await.validation_errors();
    assert_eq!(errors[0].0, "after");
    let expired = cursor(99, 0, UtcInstant(0));
    post(&app, &format!("{path}/replay?after={expired}")).await.problem(410, "cursor_expired");
}

async fn a_test_is_queued_once(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let app = TestApp::new(&database).await;
    let (path, _) = create_webhook(&app, "").await;
    for _ in 0..2 {
        assert_eq!(post(&app, &format!("{path}/test")).await.status, 202);
    }
    assert_eq!(job_kinds(&connection).await, [WebhookJob::KIND, WebhookTestJob::KIND]);
    for state in ["dead", "queued"] {
        let sql = format!("UPDATE job SET state = '{state}', attempt = 9, run_at = {} WHERE kind = 'webhook_test'", i64::MAX / 2);
        connection.execute_unprepared(&sql).await.unwrap();
        assert_eq!(post(&app, &format!("{path}/test")).await.status, 202);
        let job = queue::list(&connection).await.unwrap().remove(1);
        assert!(job.state == JobState::Queued && job.attempt == 0 && job.run_at.0 < i64::MAX / 2, "{state}: {job:?}");
    }
}

async fn attempts_are_shown(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let app = TestApp::new(&database).await;
    let (path, _) = create_webhook(&app, "").await;
    let attempt = DeliveryAttempt {
        at: UtcInstant(5_000_000),
        message_id: "msg_1".to_owned(),
        kind: MessageKind::Changes,
        changes: 3,
        outcome: AttemptOutcome::Rejected,
        status: Some(500),
        duration_ms: 12,
    };
    update(&connection, &format!("attempts = '{}'", add_attempt("[]", attempt))).await;
    let expected = json!({
        "at": "1970-01-01T00:00:05Z",
        "message_id": "msg_1",
        "kind": "changes",
        "changes": 3,
        "outcome": "rejected",
        "status": 500,
        "duration_ms": 12,
    });
    assert_eq!(app.get(&path).await.json()["data"]["attempts"], json!([expected]));
}

async fn regions_are_looked_up(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let app = TestApp::new(&database).await;
    crate::rates::put_places(&app, &[("catalonia", "")], &[("ESBCN", "catalonia"), ("FRPAR", "")]).await;
    create_webhook(&app, "place=catalonia").await;
    let row = webhook::Entity::find().one(&connection).await.unwrap().unwrap();
    let selection: Value = serde_json::from_str(&row.selection).unwrap();
    assert_eq!(selection["states"]["places"], json!(["ESBCN", "catalonia"]));
}

//! The page of webhooks, and its form.

use std::sync::Arc;

use entity::{
    ConnectionRole, UtcInstant,
    webhook::{self, AttemptOutcome, DeliveryAttempt, MessageKind, WebhookState, add_attempt},
};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::EntityTrait;

use super::{
    super::{html_of, open},
    HOSTILE, assert_escaped, token_of,
};
use crate::{
    test_app::TestApp,
    webhooks::{create_webhook, update},
};

on_every_backend!(webhooks_are_listed_with_their_attempts, a_disabled_webhook_is_enabled);

async fn webhooks_are_listed_with_their_attempts(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let app = TestApp::new(&database).await;
    assert!(open(&app, "/ops/webhooks").await.contains("There are no webhooks."));
    create_webhook(&app, "kind=left").await;
    let html = open(&app, "/ops/webhooks").await;
    assert!(html.contains("healthy") && html.contains("kind=left") && html.contains("<td>never</td>"), "{html}");
    assert!(html.contains("https://hooks.example<") && !html.contains("/marquee") && !html.contains("token=abc"), "{html}");
    let attempt = DeliveryAttempt {
        at: UtcInstant(0),
        message_id: "msg_1".to_owned(),
        kind: MessageKind::Changes,
        changes: 3,
        outcome: AttemptOutcome::Rejected,
        status: Some(503),
        duration_ms: 12,
    };
    let hostile = HOSTILE.replace('\'', "''");
    let attempts = add_attempt("[]", attempt);
    update(
        &connection,
        &format!("owner = '{hostile}', failures = 2, attempts = '{attempts}', batch_id = 'a', batch_changes = 3"),
    )
    .await;
    let html = open(&app, "/ops/webhooks").await;
    assert!(html.contains("rejected 503") && html.contains("3 changes") && html.contains("2 attempts failed"), "{html}");
    assert!(html.contains("MarqueeWebhooksFailing"));
    assert_escaped(&html);
}

async fn a_disabled_webhook_is_enabled(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let app = TestApp::new(&database).await;
    let (path, _) = create_webhook(&app, "").await;
    let id = path.rsplit('/').next().unwrap();
    update(&connection, "state = 'disabled', disabled_reason = 'failing', disabled_at = 5").await;
    let html = open(&app, "/ops/webhooks").await;
    assert!(html.contains("failing: all attempts of three days failed"), "{html}");
    let enable = format!("/ops/webhooks/{id}/enable");
    let form = |token: &str| ("application/x-www-form-urlencoded", format!("token={token}"));
    html_of(&app.upload(Method::POST, &enable, form("x"), &[]).await, 400);
    let token = token_of(&html);
    let response = app.upload(Method::POST, &enable, form(&token), &[]).await;
    let location = format!("../../webhooks?enabled={id}");
    assert_eq!((response.status.as_u16(), response.header("location")), (303, Some(&*location)));
    let row = webhook::Entity::find().one(&connection).await.unwrap().unwrap();
    assert_eq!((row.state, row.disabled_reason), (WebhookState::Active, None));
    assert!(open(&app, &format!("/ops/webhooks?enabled={id}")).await.contains(&format!("Webhook {id} is enabled.")));
    let missing = format!("/ops/webhooks/{}/enable", uuid::Uuid::nil());
    html_of(&app.upload(Method::POST, &missing, form(&token), &[]).await, 404);
    html_of(&app.send(Method::GET, &enable, &[]).await, 405);
}

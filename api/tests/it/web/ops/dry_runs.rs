//! A dry run of a feed: the form, its limits, and the result of a worker.

use std::sync::Arc;

use entity::{UtcInstant, pushed_feed};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::json;

use super::{
    super::{html_of, open},
    HOSTILE, assert_escaped, token_of,
};
use crate::{
    fixtures::CatalogueFixture,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(a_document_is_queued_and_its_result_is_shown, an_invalid_form_is_rejected, only_dry_runs_are_shown);

/// Sends the form as a browser does.
async fn send(app: &TestApp, fields: &[(&str, &str)]) -> TestResponse {
    let part = |(name, value): &(&str, &str)| {
        let file = if *name == "file" { "; filename=\"feed.xml\"\r\ncontent-type: text/xml" } else { "" };
        format!("--line\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
    };
    let body = fields.iter().map(part).collect::<String>() + "--line--\r\n";
    app.upload(Method::POST, "/ops/dry-runs", ("multipart/form-data; boundary=line", body), &[]).await
}

async fn a_document_is_queued_and_its_result_is_shown(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(&database).await;
    let token = token_of(&open(&app, "/ops/dry-runs").await);
    let document = ("document", "<eventList>\r\n</eventList>");
    let response = send(&app, &[("token", &token), ("provider", "fever"), ("mode", "delta"), ("file", ""), document]).await;
    assert_eq!(response.status, 303, "{}", response.text());
    let stored = pushed_feed::Entity::find().one(&catalogue.database).await.unwrap().unwrap();
    assert_eq!(response.header("location"), Some(&*format!("dry-runs/{}", stored.id)));
    assert_eq!(
        (stored.sync_run_id, stored.mode, stored.body.as_deref()),
        (None, pushed_feed::Mode::Delta, Some(document.1.as_bytes()))
    );
    let path = format!("/ops/dry-runs/{}", stored.id);
    let html = open(&app, &path).await;
    assert!(html.contains("Waiting for a worker.") && html.contains("http-equiv=\"refresh\""), "{html}");

    let item = |reason: &str| json!({"line": 3, "column": 7, "base_event_id": HOSTILE, "event_id": null, "reason": reason});
    let outcome = json!({
        "state": "succeeded", "fetched": 3, "inserted": 200, "rejected": 1, "warned": 1,
        "rejects": [item(HOSTILE)], "warnings": [item("price ignored")],
        "changes": [
            {"kind": "inserted", "id": "c4a626ff-9f25-5533-a0a8-2b67472b5ee3", "title": HOSTILE, "start": "2021-06-30T21:00:00"},
            {"kind": "updated", "id": null, "title": "Show", "start": null},
            {"kind": "left", "id": "c4a626ff-9f25-5533-a0a8-2b67472b5ee4", "title": null, "start": null},
        ],
    });
    let mut row = stored.into_active_model();
    (row.settled_at, row.outcome) = (Set(Some(UtcInstant(1))), Set(Some(outcome.to_string())));
    row.update(&catalogue.database).await.unwrap();
    let html = open(&app, &path).await;
    assert_escaped(&html);
    for text in ["The document would change the copy.", "Rejected items", "price ignored", "all dates", "2021-06-30T21:00:00"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert!(html.contains("c4a626ff-9f25-5533-a0a8-2b67472b5ee4") && !html.contains("http-equiv"));
    assert!(open(&app, "/ops/dry-runs").await.contains(&format!("ops{}", &path[4..])));
}

async fn an_invalid_form_is_rejected(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(&database).await;
    let token = token_of(&open(&app, "/ops/dry-runs").await);
    let (token, provider, document) = (("token", token.as_str()), ("provider", "fever"), ("document", "<eventList/>"));
    for (fields, status, reason) in [
        (vec![provider, document], 400, "reload the page"),
        (vec![("token", "0"), provider, document], 400, "reload the page"),
        (vec![token, document], 400, "must be the slug of a provider"),
        (vec![token, ("provider", "unknown"), document], 404, "unknown"),
        (vec![token, provider], 400, "must be a file or a text"),
        (vec![token, provider, document, ("mode", "all")], 400, "must be `snapshot` or `delta`"),
        (vec![token, provider, document, ("other", "")], 400, "must be the form of the page"),
        (vec![document; 9], 400, "must be the form of the page"),
        (vec![token, provider, ("document", &"x".repeat((16 << 20) + 20_000))], 413, "16793600"),
    ] {
        let html = html_of(&send(&app, &fields).await, status);
        assert!(html.contains(reason), "{reason}: {html}");
    }
    let response = app.upload(Method::POST, "/ops/dry-runs", ("text/plain", "x"), &[]).await;
    assert!(html_of(&response, 400).contains("must be the form of the page"));
    assert!(pushed_feed::Entity::find().all(&catalogue.database).await.unwrap().is_empty());
}

async fn only_dry_runs_are_shown(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert_provider("fever", "EUR", 2).await;
    let app = TestApp::new(&database).await;
    let pushed = app.upload(Method::POST, "/providers/fever/feed", ("application/xml", "<eventList/>"), &[]).await;
    assert_eq!(pushed.status, 202);
    html_of(&app.get("/ops/dry-runs/1").await, 404);
    assert!(!open(&app, "/ops/dry-runs").await.contains("Earlier dry runs"));
}

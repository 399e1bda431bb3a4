//! `GET /sync-runs` and the rejects of a run.

use std::sync::Arc;

use entity::sync_run::{self, RunState};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    fixtures::CatalogueFixture,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    returns_every_field_of_a_run,
    a_run_states_its_release_and_its_changes,
    runs_are_sorted_newest_first,
    filters_runs_by_provider_and_state,
    an_unknown_provider_has_no_runs,
    pages_add_up_to_the_whole_list,
    an_unknown_run_is_404,
    rejects_keep_document_order,
    pages_of_rejects_add_up_to_the_whole_list,
    a_run_without_rejects_returns_an_empty_list,
    a_cursor_is_bound_to_its_list,
    reports_invalid_parameters,
);

fn run_ids(response: &TestResponse) -> Vec<i64> {
    let response = response.json();
    response["data"]["sync_runs"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect()
}

fn reject_lines(response: &TestResponse) -> Vec<i64> {
    let response = response.json();
    response["data"]["rejects"].as_array().unwrap().iter().map(|reject| reject["line"].as_i64().unwrap()).collect()
}

/// Requests all pages of a list, and extracts a value from each row.
async fn fetch_pages(app: &TestApp, uri: &str, extract: impl Fn(&TestResponse) -> Vec<i64>) -> Vec<Vec<i64>> {
    app.get_pages(uri).await.iter().map(extract).collect()
}

async fn returns_every_field_of_a_run(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let failed = catalogue.insert_run(&fever, RunState::Failed).await;
    let running = catalogue.insert_run(&fever, RunState::Running).await;
    let app = TestApp::new(&database).await;

    let expected = json!({
        "id": failed.id,
        "provider": "fever",
        "state": "failed",
        "tick": "1969-12-31T23:59:59.750Z",
        "started_at": "1970-01-01T00:00:00Z",
        "ended_at": "1970-01-01T00:00:01.250Z",
        "parse_ms": 7,
        "diff_ms": 8,
        "write_ms": 9,
        "http_status": 503,
        "bytes": 5_000_000_000_i64,
        "fetched": 6,
        "inserted": 1,
        "updated": 2,
        "unchanged": 3,
        "left": 4,
        "rejected": 5,
        "warned": 6,
        "reason_code": "http_status",
        "reason": "the provider answered with status 503",
        "release": null,
        "changes": null,
    });
    let one = app.get(&format!("/sync-runs/{}", failed.id)).await.json();
    assert_eq!(one, json!({ "data": expected, "error": null }));
    let list = app.get("/sync-runs?state=failed").await.json();
    assert_eq!(list, json!({ "data": { "sync_runs": [expected] }, "error": null }));
    let unknown = app.get(&format!("/sync-runs/{}", running.id)).await.json()["data"].clone();
    for key in ["tick", "ended_at", "parse_ms", "diff_ms", "write_ms", "http_status", "bytes", "reason_code", "reason"] {
        assert_eq!(unknown.get(key), Some(&Value::Null), "{key}");
    }
}

async fn a_run_states_its_release_and_its_changes(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let run = catalogue.insert_run(&fever, RunState::Succeeded).await;
    let app = TestApp::new(&database).await;
    for (changes, expected) in
        [(r#"{"price_changed":3,"created":1}"#, json!({ "created": 1, "price_changed": 3 })), ("{}", json!({}))]
    {
        sync_run::Entity::update_many()
            .col_expr(sync_run::Column::Release, 7_i64.into())
            .col_expr(sync_run::Column::Changes, changes.into())
            .exec(&catalogue.database)
            .await
            .unwrap();
        let one = app.get(&format!("/sync-runs/{}", run.id)).await.json();
        assert_eq!((&one["data"]["release"], &one["data"]["changes"]), (&json!(7), &expected));
        assert_eq!(app.get("/sync-runs").await.json()["data"]["sync_runs"][0], one["data"]);
    }
}

async fn runs_are_sorted_newest_first(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let app = TestApp::new(&database).await;
    assert_eq!(app.get("/sync-runs").await.json(), json!({ "data": { "sync_runs": [] }, "error": null }));

    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let mut inserted = Vec::new();
    for state in [RunState::Succeeded, RunState::Failed, RunState::Queued] {
        inserted.insert(0, catalogue.insert_run(&fever, state).await.id);
    }
    let response = app.get("/sync-runs").await;
    assert_eq!((run_ids(&response), response.next()), (inserted, None));
}

async fn filters_runs_by_provider_and_state(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let mut inserted = Vec::new();
    for slug in ["fever", "apollo"] {
        let provider = catalogue.insert_provider(slug, "EUR", 2).await;
        for state in [RunState::Queued, RunState::Running, RunState::Succeeded, RunState::Unchanged, RunState::Failed] {
            inserted.insert(0, (slug, state.name(), catalogue.insert_run(&provider, state).await.id));
        }
    }
    let app = TestApp::new(&database).await;
    for provider in ["fever", "apollo"] {
        let of_provider: Vec<i64> = inserted.iter().filter(|run| run.0 == provider).map(|run| run.2).collect();
        assert_eq!(run_ids(&app.get(&format!("/sync-runs?provider={provider}")).await), of_provider);
        for state in ["queued", "running", "succeeded", "unchanged", "failed"] {
            let both: Vec<i64> = inserted.iter().filter(|run| run.0 == provider && run.1 == state).map(|run| run.2).collect();
            assert_eq!(run_ids(&app.get(&format!("/sync-runs?state={state}&provider={provider}")).await), both);
        }
    }
}

async fn an_unknown_provider_has_no_runs(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    catalogue.insert_run(&fever, RunState::Failed).await;
    let app = TestApp::new(&database).await;
    for slug in ["apollo", "FEVER", "fever%20", "%25", "%F0%9F%8E%AD", "' OR 1=1 --"] {
        let response = app.get(&format!("/sync-runs?provider={}", slug.replace(' ', "+"))).await;
        assert_eq!(run_ids(&response), [0; 0], "{slug}");
    }
}

async fn pages_add_up_to_the_whole_list(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let (fever, apollo) =
        (catalogue.insert_provider("fever", "EUR", 2).await, catalogue.insert_provider("apollo", "EUR", 2).await);
    for _ in 0..4 {
        catalogue.insert_run(&fever, RunState::Failed).await;
        catalogue.insert_run(&apollo, RunState::Failed).await;
        catalogue.insert_run(&fever, RunState::Succeeded).await;
    }
    let app = TestApp::new(&database).await;
    for query in ["", "provider=fever", "state=failed", "provider=fever&state=failed"] {
        let all = run_ids(&app.get(&format!("/sync-runs?{query}")).await);
        for size in 1..=all.len() + 1 {
            let pages = fetch_pages(&app, &format!("/sync-runs?{query}&limit={size}"), run_ids).await;
            assert_eq!(pages.concat(), all, "{query}, pages of {size}");
            assert_eq!(pages.len(), all.len().div_ceil(size), "{query}, pages of {size}");
        }
    }
}

async fn an_unknown_run_is_404(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for path in ["/sync-runs/1", "/sync-runs/9223372036854775807", "/sync-runs/-1", "/sync-runs/1/rejects"] {
        let id = path.split('/').nth(2).unwrap();
        let problem = app.get(path).await.problem(404, "not_found");
        assert_eq!(problem["detail"], format!("sync run `{id}` does not exist"), "{path}");
    }
}

async fn rejects_keep_document_order(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let run = catalogue.insert_run(&fever, RunState::Failed).await;
    let another = catalogue.insert_run(&fever, RunState::Failed).await;
    catalogue.insert_rejects(&run, 3).await;
    catalogue.insert_rejects(&another, 5).await;

    let response = TestApp::new(&database).await.get(&format!("/sync-runs/{}/rejects", run.id)).await;

    let reject = |line: i64, base_event: Option<&str>, event: Option<&str>| {
        json!({
            "severity": "error",
            "line": line,
            "column": 7,
            "base_event_id": base_event,
            "event_id": event,
            "reason": "`event_date` must be an existing date, got `2021-09-31`",
            "raw": "<event event_date=\"2021-09-31\"/>",
        })
    };
    let rejects = [reject(1, None, None), reject(2, Some("291"), None), reject(3, Some("291"), Some("1642"))];
    assert_eq!(response.json(), json!({ "data": { "rejects": rejects }, "error": null }));
    assert_eq!(response.next(), None);
}

async fn pages_of_rejects_add_up_to_the_whole_list(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let run = catalogue.insert_run(&fever, RunState::Failed).await;
    catalogue.insert_rejects(&run, 12).await;
    let app = TestApp::new(&database).await;

    for (size, count) in [(1, 12), (5, 3), (6, 2), (11, 2), (12, 1), (13, 1)] {
        let pages = fetch_pages(&app, &format!("/sync-runs/{}/rejects?limit={size}", run.id), reject_lines).await;
        assert_eq!((pages.len(), pages.concat()), (count, (1..=12).collect()), "pages of {size}");
    }
}

async fn a_run_without_rejects_returns_an_empty_list(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let run = catalogue.insert_run(&fever, RunState::Succeeded).await;
    let response = TestApp::new(&database).await.get(&format!("/sync-runs/{}/rejects", run.id)).await;
    assert_eq!(response.json(), json!({ "data": { "rejects": [] }, "error": null }));
}

async fn a_cursor_is_bound_to_its_list(database: Arc<TestDatabase>) {
    let catalogue = CatalogueFixture::new(&database).await;
    let fever = catalogue.insert_provider("fever", "EUR", 2).await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let run = catalogue.insert_run(&fever, RunState::Failed).await;
        catalogue.insert_rejects(&run, 2).await;
        runs.push(run.id);
    }
    let app = TestApp::new(&database).await;
    let paths = [
        "/sync-runs?".to_owned(),
        "/sync-runs?provider=fever&".to_owned(),
        "/sync-runs?state=failed&".to_owned(),
        format!("/sync-runs/{}/rejects?", runs[0]),
        format!("/sync-runs/{}/rejects?", runs[1]),
    ];
    for from in &paths {
        let next = app.get(&format!("{from}limit=1")).await.next().unwrap();
        let cursor = next.split_once("cursor=").unwrap().1;
        for to in paths.iter().filter(|to| *to != from) {
            let errors = app.get(&format!("{to}cursor={cursor}")).await.validation_errors();
            assert_eq!(errors, [("cursor".to_owned(), "belongs to a request with other filters".to_owned())], "{from} {to}");
        }
    }
}

async fn reports_invalid_parameters(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    for (uri, expected) in [
        ("/sync-runs?state=done", [("state", "must be one of queued, running, succeeded, unchanged, failed, got `done`")]),
        ("/sync-runs?states=failed", [("states", "is not a known parameter; did you mean `state`?")]),
        ("/sync-runs?limit=0", [("limit", "must be an integer between 1 and 50000, got `0`")]),
        ("/sync-runs/newest", [("id", "must be the number of a sync run, got `newest`")]),
        ("/sync-runs/9223372036854775808", [("id", "must be the number of a sync run, got `9223372036854775808`")]),
        ("/sync-runs/newest/rejects", [("id", "must be the number of a sync run, got `newest`")]),
        ("/sync-runs/1?limit=1", [("limit", "is not a known parameter; this operation accepts none")]),
        ("/sync-runs/1/rejects?state=failed", [("state", "is not a known parameter; accepted are severity, limit, cursor")]),
    ] {
        let errors = app.get(uri).await.validation_errors();
        let errors: Vec<(&str, &str)> = errors.iter().map(|(name, message)| (name.as_str(), message.as_str())).collect();
        assert_eq!(errors, expected, "{uri}");
    }
}

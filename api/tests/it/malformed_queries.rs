//! Random query strings and ids are answered or rejected, and never cause an internal error.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use poem::http::{StatusCode, Uri};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    fixtures::{CatalogueFixture, NewEvent},
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    search_handles_any_query_string,
    concerts_performers_and_venues_handle_any_query_string,
    sync_runs_handle_any_query_string,
    path_ids_handle_any_text,
);

const CASES: u32 = 512;

async fn search_handles_any_query_string(database: Arc<TestDatabase>) {
    CatalogueFixture::new(&database).await.insert([NewEvent::titled("show")]).await;
    let app = TestApp::new(&database).await;
    let uris = query_strings(&["starts_at", "ends_at", "limit", "cursor"]).prop_map(|query| format!("/search?{query}"));
    send_random_requests(&app, &uris, |response| match response.status {
        StatusCode::OK => drop(response.titles()),
        _ => drop(response.validation_errors()),
    });
}

async fn concerts_performers_and_venues_handle_any_query_string(database: Arc<TestDatabase>) {
    let show = NewEvent::titled("show").performers(&["1"]).venue("hall", (1.0, 2.0), None);
    CatalogueFixture::new(&database).await.insert([show]).await;
    let app = TestApp::new(&database).await;
    const NAMES: [&str; 9] = ["bandIds", "latitude", "longitude", "radius", "max_price", "q", "starts_at", "limit", "cursor"];
    let paths = prop::sample::select(vec!["/concerts", "/performers", "/venues"]);
    let uris = (paths, query_strings(&NAMES)).prop_map(|(path, query)| format!("{path}?{query}"));
    send_random_requests(&app, &uris, |response| match response.status {
        StatusCode::OK => drop(response.json()),
        _ => drop(response.validation_errors()),
    });
}

async fn sync_runs_handle_any_query_string(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let uris = query_strings(&["provider", "state", "limit", "cursor"]).prop_map(|query| format!("/sync-runs?{query}"));
    send_random_requests(&app, &uris, |response| match response.status {
        StatusCode::OK => drop(response.json()),
        _ => drop(response.validation_errors()),
    });
}

async fn path_ids_handle_any_text(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let paths = prop::sample::select(vec![("/events/", ""), ("/sync-runs/", ""), ("/sync-runs/", "/rejects")]);
    let uris = (paths, values()).prop_map(|((before, after), id)| format!("{before}{id}{after}"));
    send_random_requests(&app, &uris, |response| {
        // An id that is empty or ends with a slash leads to the path without it.
        if response.status == StatusCode::PERMANENT_REDIRECT {
            return;
        }
        let problem: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        let code = problem["error"]["code"].as_str().unwrap();
        let (status, codes) = match response.status {
            // An id with a slash is another path, and one that is not UTF-8 is rejected.
            StatusCode::NOT_FOUND => (404, ["not_found", "path_not_found"]),
            _ => (400, ["invalid_parameter", "bad_request"]),
        };
        assert!(codes.contains(&code), "{problem}");
        response.problem(status, code);
    });
}

/// Sends random requests, except those that are not valid URIs.
fn send_random_requests(app: &TestApp, uris: &impl Strategy<Value = String>, check: impl Fn(&TestResponse)) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    block_in_place(|| {
        TestRunner::new(config).run(uris, |uri| {
            prop_assume!(uri.parse::<Uri>().is_ok());
            check(&Handle::current().block_on(app.get(&uri)));
            Ok(())
        })
    })
    .unwrap();
}

fn query_strings(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let name = prop_oneof![8 => prop::sample::select(names).prop_map(str::to_owned), 1 => texts()];
    let pair = prop_oneof![4 => (name, values()).prop_map(|(name, value)| format!("{name}={value}")), 1 => texts()];
    vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

/// Valid and almost valid dates, numbers and cursors, or any text.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "(0000|1969|2021|9999)-(01|12)-(01|31)(T([01][0-9]|2[0-4]):[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,12})?)?(Z|[+-][0-9]{2}:[0-9]{2}|%2B[0-2][0-9]:00)?",
        "-?[0-9]{1,20}",
        "[A-Za-z0-9_-]{40,48}",
        "AQ[A-Za-z0-9_-]{42}",
        texts(),
    ]
}

/// Any URI characters, and any escaped bytes: text, invalid UTF-8 and control characters.
fn texts() -> impl Strategy<Value = String> {
    let escaped = any::<u8>().prop_map(|byte| format!("%{byte:02X}"));
    let broken_escape = Just("%".to_owned());
    let plain = "[!$'()*+,./0-9:;=@A-Za-z_~-]{1,8}";
    let beyond_ascii = "\\PC{1,3}";
    // PostgreSQL rejects text with NUL.
    let nul = Just("%00".to_owned());
    vec(prop_oneof![4 => escaped, 1 => nul, 1 => broken_escape, 4 => plain, 1 => beyond_ascii], 0..12)
        .prop_map(|parts| parts.concat())
}

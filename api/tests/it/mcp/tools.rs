//! The tools return what their operations return, and errors as results that a model can read.

use std::{future::pending, sync::Arc};

use api::{State, database::reader::ReadSize, error::ApiError};
use entity::{ConnectionRole, UtcInstant, alias::AliasKind, database_now};
use futures_util::future::join_all;
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{DatabaseConnection, prelude::Uuid};
use serde_json::{Value, json};

use super::{call, request};
use crate::{
    aliases,
    fixtures::{CatalogueFixture, NewEvent},
    openapi::build_document,
    recorder::RecordedMetrics,
    test_app::TestApp,
};

on_every_backend!(
    a_search_takes_the_filters_of_events,
    a_search_is_bounded,
    results_are_the_responses_of_the_operations,
    an_id_that_an_event_had_is_followed,
    an_error_is_a_result_with_the_accepted_arguments,
    an_overloaded_database_is_a_result,
);

const DAY: i64 = 24 * 3_600 * 1_000_000;

/// Upcoming events in the order of their starts.
async fn start_app(database: &TestDatabase, titles: &[&str]) -> (TestApp, Vec<Uuid>) {
    let catalogue = CatalogueFixture::new(database).await;
    let mut start = database_now(&catalogue.database).await.unwrap();
    let events: Vec<NewEvent> = titles
        .iter()
        .map(|title| {
            start = UtcInstant(start.0 + DAY);
            NewEvent::titled(title).with(|row| (row.starts_at, row.ends_at) = (start, start))
        })
        .collect();
    let ids = events.iter().map(|event| event.row.id).collect();
    catalogue.insert(events).await;
    (TestApp::new(database).await, ids)
}

fn titles(result: &Value) -> Vec<&str> {
    assert_eq!(result["isError"], false, "{result:#}");
    let events = result["structuredContent"]["data"]["events"].as_array().unwrap();
    events.iter().map(|event| event["title"].as_str().unwrap()).collect()
}

/// The text of a result that is an error, and its problem.
fn error(result: &Value) -> (&str, &Value) {
    assert_eq!(result["isError"], true, "{result:#}");
    (result["content"][0]["text"].as_str().unwrap(), &result["structuredContent"])
}

#[tokio::test]
async fn the_arguments_are_the_documented_parameters() {
    let app = TestApp::with_connection(DatabaseConnection::default());
    let listed = request(&app, "tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    let document = build_document();
    for (tool, path) in [
        ("search_events", "/events"),
        ("get_event", "/events/{id}"),
        ("event_calendar", "/events/calendar"),
        ("list_categories", "/categories"),
    ] {
        let operation = &document["paths"][path]["get"];
        let tool = tools.iter().find(|listed| listed["name"] == tool).unwrap_or_else(|| panic!("{tool} is not listed"));
        assert_eq!((&tool["title"], &tool["annotations"]["readOnlyHint"]), (&operation["summary"], &json!(true)));
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<_> = parameters.filter(|parameter| parameter["in"] != "header").collect();
        let schema = &tool["inputSchema"];
        assert_eq!(schema["properties"].as_object().unwrap().len(), parameters.len());
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap();
            let argument = &schema["properties"][name];
            assert_eq!(argument["description"], parameter["description"], "{name}");
            assert_eq!(argument["type"], parameter["schema"]["type"], "{name}");
            let is_required = schema["required"].as_array().unwrap().contains(&json!(name));
            assert_eq!(json!(is_required), parameter["required"], "{name}");
        }
        assert!(!tool.to_string().contains("\"example\""), "{tool:#}");
    }
    let limit = &tools[0]["inputSchema"]["properties"]["limit"];
    assert_eq!((&limit["default"], &limit["maximum"]), (&json!(20), &json!(100)));
}

async fn a_search_takes_the_filters_of_events(database: Arc<TestDatabase>) {
    let (app, ids) = start_app(&database, &["first", "second", "third"]).await;
    assert_eq!(titles(&call(&app, "search_events", json!({})).await), ["first", "second", "third"]);
    let arguments = json!({ "sort": "-starts_at", "total": true, "limit": 1.0, "provider": ["fever"], "city": null });
    let result = call(&app, "search_events", arguments).await;
    assert_eq!(titles(&result), ["third"]);
    assert_eq!(result["structuredContent"]["meta"]["total"], 3);
    let listed = call(&app, "search_events", json!({ "ids": [ids[1], ids[0]], "fields": ["title"] })).await;
    assert_eq!(listed["structuredContent"]["data"]["events"], json!([{ "title": "first" }, { "title": "second" }]));
    assert_eq!(titles(&call(&app, "search_events", json!({ "listed": "false" })).await), [""; 0]);
    // The text is the same JSON, for clients that do not read structured content.
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"]);
}

async fn a_search_is_bounded(database: Arc<TestDatabase>) {
    let many: Vec<String> = (10..35).map(|number| format!("event {number}")).collect();
    let (app, _) = start_app(&database, &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = call(&app, "search_events", json!({})).await;
    assert_eq!(titles(&first), many[..20]);
    let event = &first["structuredContent"]["data"]["events"][0];
    assert!(event.get("venue").is_some() && event.get("description").is_none(), "{event:#}");

    let next = first["structuredContent"]["meta"]["next"].as_str().unwrap();
    let (_, cursor) = next.split_once("cursor=").unwrap();
    let second = call(&app, "search_events", json!({ "cursor": cursor.split('&').next() })).await;
    assert_eq!(titles(&second), many[20..]);

    for limit in [json!(101), json!("101"), json!(0)] {
        let result = call(&app, "search_events", json!({ "limit": limit })).await;
        assert!(error(&result).0.contains("`limit` must be an integer between 1 and 100, got `"), "{result:#}");
    }
    assert_eq!(titles(&call(&app, "search_events", json!({ "limit": 100 })).await).len(), 25);
}

async fn results_are_the_responses_of_the_operations(database: Arc<TestDatabase>) {
    let (app, ids) = start_app(&database, &["first"]).await;
    let event = format!("/events/{}", ids[0]);
    let days = json!({ "starts_at": "2027-01-01", "ends_at": "2027-12-31" });
    for (tool, arguments, path) in [
        ("get_event", json!({ "id": ids[0] }), event.as_str()),
        ("event_calendar", days, "/events/calendar?starts_at=2027-01-01&ends_at=2027-12-31"),
        ("list_categories", json!({}), "/categories"),
    ] {
        let result = call(&app, tool, arguments).await;
        assert_eq!(result["isError"], false, "{result:#}");
        assert_eq!(result["structuredContent"], app.get(path).await.json());
    }
}

async fn an_id_that_an_event_had_is_followed(database: Arc<TestDatabase>) {
    let (app, target) = aliases::start_app(&database, AliasKind::Event).await;
    for arguments in [json!({ "id": aliases::OLD }), json!({ "id": aliases::OLD, "as_of": "2021-01-01T00:00:00Z" })] {
        let result = call(&app, "get_event", arguments.clone()).await;
        assert_eq!(result["structuredContent"]["data"]["id"], json!(target), "{result:#}");
        assert_eq!(result["structuredContent"].get("meta").is_some(), arguments.get("as_of").is_some());
    }
}

async fn an_error_is_a_result_with_the_accepted_arguments(database: Arc<TestDatabase>) {
    let (app, _) = start_app(&database, &[]).await;
    for (tool, arguments, code, detail) in [
        (
            "search_events",
            json!({ "citty": "Madrid" }),
            "invalid_parameter",
            "`citty` is not a known parameter; did you mean `city`?",
        ),
        ("search_events", json!({ "city": { "name": "Madrid" } }), "invalid_parameter", "`city` must be a text, a number"),
        ("search_events", json!({ "sort": ["price", "title"] }), "invalid_parameter", "`sort` must be given only once"),
        ("search_events", json!({ "country": "Spain" }), "invalid_parameter", "`country` must be"),
        ("search_events", json!({ "city": "x".repeat(30_000) }), "uri_too_long", "at most 24576 bytes"),
        ("get_event", json!({}), "invalid_parameter", "`id` is required"),
        ("get_event", json!({ "id": "../search" }), "invalid_parameter", "`id` must be a UUID as in /search, got `../search`"),
        ("get_event", json!({ "id": Uuid::max(), "x": 1 }), "invalid_parameter", "`x` is not a known parameter"),
        ("get_event", json!({ "id": Uuid::max() }), "not_found", "does not exist"),
    ] {
        let result = call(&app, tool, arguments).await;
        let (text, problem) = error(&result);
        assert!(text.starts_with(&format!("{code}: ")) && text.contains(detail), "{text}");
        assert_eq!(problem["error"]["code"], code);
        assert!(text.ends_with(problem["detail"].as_str().unwrap()), "{text} {problem:#}");
        assert!(!problem["request_id"].as_str().unwrap().is_empty());
    }
}

async fn an_overloaded_database_is_a_result(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Api).await;
    let state = State::new(connection.clone(), connection, 0, None);
    let app = TestApp::with_state(&state);
    let endless =
        join_all((0..60).map(|_| state.reader.read(state.reader.primary(), ReadSize::Small, pending::<Result<(), ApiError>>())));
    let overloaded = async {
        let result = call(&app, "search_events", json!({ "limit": 1 })).await;
        let (text, problem) = error(&result);
        assert_eq!(text, "overloaded: too many requests are waiting; retry later (retry after 1 s)");
        assert_eq!(problem["status"], 503);
    };
    tokio::select! {
        biased;
        _ = endless => panic!("a read that never ends has ended"),
        () = overloaded => {}
    }
}

/// Without a connection the driver panics, as any bug could.
#[tokio::test]
async fn a_panic_is_a_result_that_is_counted() {
    let app = TestApp::with_connection(DatabaseConnection::default());
    let recorder = RecordedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let result = call(&app, "get_event", json!({ "id": Uuid::nil() })).await;
    let (text, problem) = error(&result);
    assert_eq!(text, "internal_error: an internal error occurred; quote the request id when you report it");
    assert_eq!(problem["status"], 500);
    assert_eq!(recorder.counter("marquee_mcp_calls_total{tool=get_event,status=500}"), 1);
}

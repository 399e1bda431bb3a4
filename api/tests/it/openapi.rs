//! The service's description: committed as `openapi.json`, so that a change of the contract shows in a diff. Needs no database.

use std::path::Path;

use api::State;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use crate::{json_schema::violations, test_app::TestApp};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
/// Set to write the file anew instead of comparing.
const UPDATE: &str = "UPDATE_OPENAPI";

/// The description as the code has it now.
pub(crate) fn description() -> Value {
    let text = api::openapi(State::new(DatabaseConnection::default(), DatabaseConnection::default(), 0, None));
    serde_json::from_str(&text).unwrap()
}

/// Each operation with its path and method.
pub(crate) fn operations(description: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = description["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap();
            operations.iter().map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

/// The operations that only read.
pub(crate) fn reads(description: &Value) -> Vec<(&str, &Value)> {
    operations(description).into_iter().filter(|(_, method, _)| *method == "get").map(|(path, _, read)| (path, read)).collect()
}

/// The schema of an operation's good answer; null if it has no body.
pub(crate) fn success_schema(operation: &Value) -> &Value {
    let responses = &operation["responses"];
    let good = ["200", "201", "202", "204"].into_iter().find(|status| responses[status].is_object());
    &responses[good.unwrap_or_else(|| panic!("{operation} has no good answer"))]["content"]["application/json"]["schema"]
}

#[test]
fn openapi_json_matches_the_code() {
    let text = api::openapi(State::new(DatabaseConnection::default(), DatabaseConnection::default(), 0, None));
    let pretty = format!("{}\n", serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(COMMITTED, &pretty).unwrap();
    }
    let committed = std::fs::read_to_string(Path::new(COMMITTED)).unwrap_or_default();
    assert!(
        committed == pretty,
        "openapi.json is not what the code says any more. If the contract was meant to change, run `make openapi` and commit the file"
    );
}

#[tokio::test]
async fn the_openapi_document_is_served() {
    let response = TestApp::with_connection(DatabaseConnection::default()).get("/openapi.json").await;
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(serde_json::from_slice::<Value>(&response.body).unwrap(), description());
}

#[test]
fn every_operation_has_a_unique_id_and_a_summary() {
    let description = description();
    let mut ids: Vec<&str> = Vec::new();
    for (path, method, operation) in operations(&description) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
        assert!(!ids.contains(&id), "{id} stands twice");
        ids.push(id);
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{id} has no summary");
    }
    assert!(ids.contains(&"search") && ids.contains(&"event"), "{ids:?}");
}

#[test]
fn every_success_response_has_a_valid_example() {
    let description = description();
    for (path, _, operation) in operations(&description) {
        let schema = success_schema(operation);
        if schema.is_null() {
            let good = &operation["responses"];
            let is_text = good["200"]["content"]["text/plain; charset=utf-8"].is_object();
            assert!(is_text || good["204"].is_object(), "{path} has no schema of its good answer");
            continue;
        }
        // The example of a bare array is that of its items.
        let is_array = schema["type"] == "array";
        let shown = if is_array { &schema["items"] } else { schema };
        let reference = shown["$ref"].as_str().unwrap_or_else(|| panic!("{path} has a schema without a name"));
        let example = &description.pointer(reference.trim_start_matches('#')).unwrap()["example"];
        assert!(example.is_object(), "{path} has no example");
        let example = if is_array { json!([example]) } else { example.clone() };
        assert_eq!(violations(&description, schema, &example), [""; 0], "{path}");
    }
}

#[test]
fn every_operation_declares_problem_responses() {
    let description = description();
    for (path, _, operation) in operations(&description) {
        for status in ["400", "503", "default"] {
            let content =
                operation["responses"][status]["content"].as_object().unwrap_or_else(|| panic!("{path} has no {status}"));
            let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
            assert_eq!(content.iter().collect::<Vec<_>>(), [(&"application/problem+json".to_owned(), &problem)]);
        }
    }
}

#[test]
fn every_parameter_and_property_is_described() {
    let description = description();
    for (path, _, operation) in operations(&description) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{path}: {}", parameter["name"]);
        }
    }
    for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
        let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for properties in parts.iter().filter_map(|part| part["properties"].as_object()) {
            for (property, schema) in properties {
                let is_described = schema["description"].is_string() || schema.get("$ref").is_some();
                assert!(is_described, "{name}.{property}");
            }
        }
    }
}

//! The OpenAPI document, committed as `openapi.json` so that contract changes appear in a diff. Needs no database.

use std::path::{Path, PathBuf};

use api::State;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use crate::{json_schema::find_violations, test_app::TestApp};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
/// Set to update the file.
const UPDATE: &str = "UPDATE_OPENAPI";

/// The document of the current code.
pub(crate) fn build_document() -> Value {
    let text = api::openapi(State::new(DatabaseConnection::default(), DatabaseConnection::default(), 0, None));
    serde_json::from_str(&text).unwrap()
}

/// Path, method and definition of each operation.
pub(crate) fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap();
            operations.iter().map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

/// Path and definition of each GET operation.
pub(crate) fn read_operations(document: &Value) -> Vec<(&str, &Value)> {
    operations(document).into_iter().filter(|(_, method, _)| *method == "get").map(|(path, _, read)| (path, read)).collect()
}

/// The schema of the success response; null without a JSON body.
pub(crate) fn success_schema(operation: &Value) -> &Value {
    let responses = &operation["responses"];
    let success = ["200", "201", "202", "204"].into_iter().find(|status| responses[status].is_object());
    let content = &responses[success.unwrap_or_else(|| panic!("{operation} has no success response"))]["content"];
    let json = ["application/json", "application/geo+json"].into_iter().find(|media_type| content[media_type].is_object());
    &content[json.unwrap_or_default()]["schema"]
}

#[test]
fn openapi_json_matches_the_code() {
    let text = api::openapi(State::new(DatabaseConnection::default(), DatabaseConnection::default(), 0, None));
    let text = format!("{text}\n");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(COMMITTED, &text).unwrap();
    }
    let committed = std::fs::read_to_string(Path::new(COMMITTED)).unwrap_or_default();
    assert!(
        committed == text,
        "openapi.json is out of date. If the contract was meant to change, run `make openapi` and commit the file"
    );
}

#[tokio::test]
async fn the_openapi_document_is_served() {
    let response = TestApp::with_connection(DatabaseConnection::default()).get("/openapi.json").await;
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(serde_json::from_slice::<Value>(&response.body).unwrap(), build_document());
}

#[test]
fn every_operation_has_a_unique_id_and_a_summary() {
    let document = build_document();
    let mut ids: Vec<&str> = Vec::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
        assert!(!ids.contains(&id), "{id} is not unique");
        ids.push(id);
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{id} has no summary");
    }
    assert!(ids.contains(&"search") && ids.contains(&"event"), "{ids:?}");
}

#[test]
fn every_success_response_has_a_valid_example() {
    let document = build_document();
    for (path, _, operation) in operations(&document) {
        let schema = success_schema(operation);
        if schema.is_null() {
            let responses = &operation["responses"];
            let is_file =
                responses["200"]["content"].as_object().is_some_and(|content| !content.contains_key("application/json"));
            assert!(is_file || responses["204"].is_object(), "{path} has no schema of its success response");
            continue;
        }
        // The example of an array is that of its items.
        let is_array = schema["type"] == "array";
        let component = if is_array { &schema["items"] } else { schema };
        let reference = component["$ref"].as_str().unwrap_or_else(|| panic!("{path} has a schema without a name"));
        let example = &document.pointer(reference.trim_start_matches('#')).unwrap()["example"];
        assert!(example.is_object(), "{path} has no example");
        let example = if is_array { json!([example]) } else { example.clone() };
        assert_eq!(find_violations(&document, schema, &example), [""; 0], "{path}");
    }
}

#[test]
fn every_error_of_an_operation_has_an_example_that_is_valid() {
    let document = build_document();
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    for (path, method, operation) in operations(&document) {
        let errors = operation["responses"].as_object().unwrap().iter().filter(|(status, _)| !is_success(status));
        for (status, response) in errors {
            let content = response["content"].as_object().unwrap();
            assert_eq!(content.keys().collect::<Vec<_>>(), ["application/problem+json"], "{method} {path} {status}");
            let content = &content["application/problem+json"];
            assert_eq!(content["schema"], schema);
            for (code, example) in content["examples"].as_object().unwrap() {
                let problem = &example["value"];
                assert_eq!((&problem["error"]["code"], problem["status"].to_string()), (&json!(code), status.clone()));
                assert_eq!(find_violations(&document, &schema, problem), [""; 0], "{method} {path} {status}");
            }
        }
    }
}

fn is_success(status: &str) -> bool {
    status.starts_with(['2', '3'])
}

#[test]
fn every_parameter_and_property_is_described() {
    let document = build_document();
    for (path, _, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{path}: {}", parameter["name"]);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            let is_described = schema["description"].is_string() || schema.get("$ref").is_some();
            assert!(is_described, "{name}.{property}");
        }
    }
}

/// The rows of docs/openapi-rules.md: operations, text of the error, rule and test.
fn rules() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/openapi-rules.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches(['|', ' ']).split(" | ").map(str::to_owned).collect()).collect()
}

#[test]
fn rules_that_openapi_cannot_express_have_operations_and_tests() {
    let document = build_document();
    let ids: Vec<&str> =
        operations(&document).into_iter().filter_map(|(.., operation)| operation["operationId"].as_str()).collect();
    let sources: String = ["api/src", "api/tests", "rates/src"].iter().map(|folder| read_sources(&root().join(folder))).collect();
    let rules = rules();
    assert!(!rules.is_empty());
    for rule in rules {
        let [listed, _, _, test] = &rule[..] else { panic!("a row has four cells: {rule:?}") };
        for id in listed.split(", ").filter(|id| !["all", "all lists", "all lists of events"].contains(id)) {
            assert!(ids.contains(&id.trim_matches('`')), "{id} is not an operation");
        }
        assert!(sources.contains(&format!("fn {}(", test.trim_matches('`'))), "the test {test} does not exist");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of all files below a folder.
fn read_sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read =
        |path: PathBuf| if path.is_dir() { read_sources(&path) } else { std::fs::read_to_string(path).unwrap_or_default() };
    entries.map(read).collect()
}

//! The behavior of the API matches `openapi.json`: responses match their schemas, and parameters are those declared.

use std::sync::Arc;

use entity::{change::ChangeKind, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use serde_json::{Value, json};

use crate::{
    fixtures::{CatalogueFixture, NewEvent, instant},
    json_schema::find_violations,
    openapi::{build_document, read_operations, success_schema},
    rates::{CsvBatch, import_batch, put_places},
    test_app::TestApp,
    webhooks::create_webhook,
};

on_every_backend!(
    success_responses_match_their_schema,
    error_responses_match_the_problem_schema,
    accepts_exactly_the_declared_parameters,
    declared_bounds_are_enforced,
    examples_of_errors_are_real_bodies,
);

/// Operations that load balancers call with parameters of their own.
const IGNORE_PARAMETERS: [&str; 2] = ["/livez", "/readyz"];

/// Ids that do not exist.
const NO_UUID: &str = "00000000-0000-0000-0000-000000000000";
const NO_ROW: &str = "999999999";

/// Values for the path parameters, from a database with a row of every kind.
struct PathExamples {
    events: [String; 2],
    runs: [String; 3],
    batches: [String; 1],
    performer: [String; 1],
    venue: [String; 1],
    provider: [String; 1],
    webhook: [String; 1],
}

impl PathExamples {
    async fn insert(database: &TestDatabase) -> Self {
        let catalogue = CatalogueFixture::new(database).await;
        let full = NewEvent::titled("full")
            .ends("2021-02-11T00:00:00")
            .prices(&[1, 1_050])
            .performers(&["1", "2"])
            .venue("Sala Apolo", (41.374, 2.169), Some("ESBCN"))
            .zone("9", |zone| (zone.name, zone.capacity, zone.numbered) = (Some("A".to_owned()), Some(1), Some(false)))
            .with(|row| {
                (row.sell_from, row.sell_to) = (Some("2021-01-01".to_owned()), Some("2021-01-02".to_owned()));
                row.last_seen_at = Some(instant("2021-01-01"));
                (row.left_at, row.came_back_at) = (row.last_seen_at, row.last_seen_at);
            });
        let bare = NewEvent::titled("bare").of_provider("another").starts("2021-02-10");
        let ids = [full.row.id, bare.row.id];
        let (performer, venue) = (full.performer_id("1"), full.row.venue_id.unwrap());
        catalogue.insert([full, bare]).await;
        let changed = r#"{"min_price":{"old":null,"new":25.5},"zones":{"old":[],"new":[{"name":"A","price":1}]}}"#;
        let priced = catalogue.change(ChangeKind::PriceChanged, "fever", ids[0], changed).await;
        let created = catalogue.change(ChangeKind::Created, "another", ids[1], "{}").await;
        catalogue.release(vec![priced, created]).await;

        let copied = catalogue.insert_provider("copied", "EUR", 2).await;
        catalogue.set_last_success("copied", instant("2021-01-01")).await;
        let mut runs = Vec::new();
        for state in [RunState::Failed, RunState::Succeeded, RunState::Running] {
            let run = catalogue.insert_run(&copied, state).await;
            catalogue.insert_rejects(&run, 3).await;
            runs.push(run.id.to_string());
        }
        let app = TestApp::new(database).await;
        put_places(&app, &[], &[("ESBCN", "")]).await;
        let batches = [import_batch(&app, &CsvBatch::default().add("ESBCN", "ESBCN", "2021-02-10", "7")).await.to_string()];
        let webhook = create_webhook(&app, "").await.0.rsplit('/').next().unwrap().to_owned();
        Self {
            events: ids.map(|id| id.to_string()),
            runs: runs.try_into().unwrap(),
            batches,
            performer: [performer.to_string()],
            venue: [venue.to_string()],
            provider: ["fever".to_owned()],
            webhook: [webhook],
        }
    }

    /// The paths that match a path template.
    fn expand(&self, path: &str) -> Vec<String> {
        let parameter = if path.contains("{slug}") { "{slug}" } else { "{id}" };
        let Some((before, after)) = path.split_once(parameter) else {
            assert!(!path.contains('{'), "no example for the parameters of {path}");
            // Required parameters.
            let query = match path {
                "/concerts" => "?bandIds=1",
                "/rates" => "?date_from=2021-02-09&date_to=2021-02-10&orig_code=ESBCN&dest_code=ESBCN",
                _ => "",
            };
            return vec![format!("{path}{query}")];
        };
        let (ids, query): (&[String], _) = match (before, after) {
            // Only the first event has a venue.
            ("/events/", "/rates") => (&self.events[..1], "?orig_code=ESBCN"),
            ("/events/", _) => (&self.events, ""),
            ("/rates/batches/", _) => (&self.batches, ""),
            ("/performers/", _) => (&self.performer, ""),
            ("/venues/", _) => (&self.venue, ""),
            ("/providers/", _) => (&self.provider, ""),
            ("/webhooks/", _) => (&self.webhook, ""),
            _ => (&self.runs, ""),
        };
        ids.iter().map(|id| format!("{before}{id}{after}{query}")).collect()
    }
}

async fn success_responses_match_their_schema(database: Arc<TestDatabase>) {
    let examples = PathExamples::insert(&database).await;
    let app = TestApp::new(&database).await;
    let document = build_document();
    for (path, operation) in read_operations(&document) {
        if success_schema(operation).is_null() {
            // The response is a text or a file.
            continue;
        }
        for path in examples.expand(path) {
            let response = app.get(&path).await;
            assert_eq!(response.status, 200, "{path}: {}", response.text());
            let body: Value = serde_json::from_slice(&response.body).unwrap();
            assert_eq!(find_violations(&document, success_schema(operation), &body), [""; 0], "{path}");
        }
    }
}

async fn examples_of_errors_are_real_bodies(database: Arc<TestDatabase>) {
    let examples = PathExamples::insert(&database).await;
    let app = TestApp::new(&database).await;
    let document = build_document();
    let mut compared = 0;
    for (template, operation) in read_operations(&document) {
        let path = &examples.expand(template)[0];
        let has_uuid = ["/events", "/performers", "/venues", "/webhooks"].iter().any(|prefix| template.starts_with(prefix));
        let missing = template.replace("{id}", if has_uuid { NO_UUID } else { NO_ROW }).replace("{slug}", "unknown");
        let query = path.split_once('?').map_or("", |(_, query)| query);
        for (status, code, uri, headers) in [
            ("400", "invalid_parameter", append_query(path, "limit=0"), &[][..]),
            ("404", "not_found", format!("{missing}?{query}"), &[]),
            ("406", "not_acceptable", path.clone(), &[("accept-encoding", "identity;q=0")]),
        ] {
            let example = &operation["responses"][status]["content"]["application/problem+json"]["examples"][code]["value"];
            let is_about_other_parameter = code == "invalid_parameter" && example["errors"][0]["parameter"] != "limit";
            if example.is_null() || is_about_other_parameter {
                continue;
            }
            let mut body: Value = serde_json::from_slice(&app.send(Method::GET, &uri, headers).await.body).unwrap();
            body["request_id"] = example["request_id"].clone();
            assert_eq!(&body, example, "{uri}");
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

/// Appends parameters to a path that may have a query.
fn append_query(path: &str, query: &str) -> String {
    format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
}

async fn error_responses_match_the_problem_schema(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let document = build_document();
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    for path in ["/search?limit=0&limit=0", "/events/x", "/events/c4a626ff-9f25-5533-a0a8-2b67472b5ee3", "/unknown"] {
        let problem: Value = serde_json::from_slice(&app.get(path).await.body).unwrap();
        assert_eq!(find_violations(&document, &schema, &problem), [""; 0], "{path}");
    }
}

async fn accepts_exactly_the_declared_parameters(database: Arc<TestDatabase>) {
    let examples = PathExamples::insert(&database).await;
    let app = TestApp::new(&database).await;
    let document = build_document();
    for (path, operation) in read_operations(&document) {
        if IGNORE_PARAMETERS.contains(&path) {
            continue;
        }
        let path = &examples.expand(path)[0];
        let declared = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "query");
        for parameter in declared {
            let name = parameter["name"].as_str().unwrap();
            // The sample paths contain the required parameters.
            let is_list = parameter["schema"]["type"] == "array";
            let is_required = path.contains(&format!("{name}=")) && !is_list;
            assert_eq!(parameter["required"], is_required, "{path}: {name}");
            if is_list {
                let items = &parameter["schema"]["items"];
                let value = items["enum"][0].as_str().or(items["example"].as_str()).unwrap_or("1");
                assert_eq!(
                    app.get(&append_query(path, &format!("{name}={value}&{name}={value}"))).await.status,
                    200,
                    "{path}: {name}"
                );
                continue;
            }
            // Repeated, because even a parameter that is ignored must report that.
            let errors = app.get(&append_query(path, &format!("{name}=1&{name}=1"))).await.validation_errors();
            let is_about_area = |message: &str| message.contains("must be given together");
            assert!(errors.iter().all(|(parameter, message)| parameter == name || is_about_area(message)), "{path}: {errors:?}");
            assert!(errors.iter().any(|(_, message)| message == "must be given only once"), "{path}: {errors:?}");
        }
        let errors = app.get(&append_query(path, "undeclared=1")).await.validation_errors();
        assert!(errors[0].0 == "undeclared" && errors[0].1.contains("is not a known parameter"), "{path}: {errors:?}");
    }
}

async fn declared_bounds_are_enforced(database: Arc<TestDatabase>) {
    let examples = PathExamples::insert(&database).await;
    let app = TestApp::new(&database).await;
    let document = build_document();
    let mut bounded = 0;
    for (path, operation) in read_operations(&document) {
        let path = &examples.expand(path)[0];
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            if parameter["in"] != "query" || schema["type"] != "integer" {
                continue;
            }
            bounded += 1;
            let bound = |keyword: &str| schema[keyword].as_f64().unwrap();
            for (value, status) in
                [(bound("minimum") - 1.0, 400), (bound("minimum"), 200), (bound("maximum"), 200), (bound("maximum") + 1.0, 400)]
            {
                let response = app.get(&append_query(path, &format!("{name}={value}"))).await;
                assert_eq!(response.status, status, "{path}?{name}={value}");
            }
        }
    }
    assert!(bounded > 0);
}

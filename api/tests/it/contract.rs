//! What the service does is what its description says: real answers fit their schemas, and parameters are those declared.

use std::sync::Arc;

use entity::sync_run::RunState;
use migration::{on_every_backend, testing::TestDatabase};
use serde_json::{Value, json};

use crate::{
    fixtures::{CatalogueFixture, NewEvent, instant},
    json_schema::violations,
    openapi::{description, reads, success_schema},
    rates::{CsvBatch, import_batch, put_places},
    test_app::TestApp,
};

on_every_backend!(
    success_responses_match_their_schema,
    error_responses_match_the_problem_schema,
    accepts_exactly_the_declared_parameters,
    declared_bounds_are_enforced,
);

/// Parameters that may be repeated.
const LISTS: [&str; 1] = ["bandIds"];

/// What stands for the parameters in the paths of a catalogue with one of everything.
struct Places {
    events: [String; 2],
    runs: [String; 3],
    batches: [String; 1],
}

impl Places {
    async fn made_in(database: &TestDatabase) -> Self {
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
        let events = [full.row.id.to_string(), bare.row.id.to_string()];
        catalogue.insert([full, bare]).await;

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
        Self { events, runs: runs.try_into().unwrap(), batches }
    }

    /// The real paths of a path of the description.
    fn of(&self, path: &str) -> Vec<String> {
        let Some((before, after)) = path.split_once("{id}") else {
            assert!(!path.contains('{'), "what stands for the parameters of {path}?");
            // Some want to be asked for something.
            let question = match path {
                "/concerts" => "?bandIds=1",
                "/rates" => "?date_from=2021-02-09&date_to=2021-02-10&orig_code=ESBCN&dest_code=ESBCN",
                _ => "",
            };
            return vec![format!("{path}{question}")];
        };
        let (ids, question): (&[String], _) = match (before, after) {
            // The other one has no venue.
            ("/events/", "/rates") => (&self.events[..1], "?orig_code=ESBCN"),
            ("/events/", _) => (&self.events, ""),
            ("/rates/batches/", _) => (&self.batches, ""),
            _ => (&self.runs, ""),
        };
        ids.iter().map(|id| format!("{before}{id}{after}{question}")).collect()
    }
}

async fn success_responses_match_their_schema(database: Arc<TestDatabase>) {
    let places = Places::made_in(&database).await;
    let app = TestApp::new(&database).await;
    let description = description();
    for (path, operation) in reads(&description) {
        if success_schema(operation).is_null() {
            // It answers in plain text.
            continue;
        }
        for path in places.of(path) {
            let response = app.get(&path).await.json();
            assert_eq!(violations(&description, success_schema(operation), &response), [""; 0], "{path}");
        }
    }
}

/// A path with more of a query.
fn with(path: &str, query: &str) -> String {
    format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })
}

async fn error_responses_match_the_problem_schema(database: Arc<TestDatabase>) {
    let app = TestApp::new(&database).await;
    let description = description();
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    for path in ["/search?limit=0&limit=0", "/events/x", "/events/c4a626ff-9f25-5533-a0a8-2b67472b5ee3", "/nope"] {
        let problem: Value = serde_json::from_slice(&app.get(path).await.body).unwrap();
        assert_eq!(violations(&description, &schema, &problem), [""; 0], "{path}");
    }
}

async fn accepts_exactly_the_declared_parameters(database: Arc<TestDatabase>) {
    let places = Places::made_in(&database).await;
    let app = TestApp::new(&database).await;
    let description = description();
    for (path, operation) in reads(&description) {
        let path = &places.of(path)[0];
        let declared = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "query");
        for parameter in declared {
            let name = parameter["name"].as_str().unwrap();
            assert_eq!(parameter["required"], false, "{path}: {name}");
            if LISTS.contains(&name) {
                assert_eq!(app.get(&with(path, &format!("{name}=1&{name}=1"))).await.status, 200, "{path}: {name}");
                continue;
            }
            // Given twice, so that a parameter that is not read at all shows itself, too.
            let errors = app.get(&with(path, &format!("{name}=1&{name}=1"))).await.validation_errors();
            let is_of_place = |message: &str| message.contains("a place is");
            assert!(errors.iter().all(|(of, message)| of == name || is_of_place(message)), "{path}: {errors:?}");
            assert!(errors.iter().any(|(_, message)| message == "is given more than once"), "{path}: {errors:?}");
        }
        let errors = app.get(&with(path, "undeclared=1")).await.validation_errors();
        assert!(errors[0].0 == "undeclared" && errors[0].1.contains("is not known"), "{path}: {errors:?}");
    }
}

async fn declared_bounds_are_enforced(database: Arc<TestDatabase>) {
    let places = Places::made_in(&database).await;
    let app = TestApp::new(&database).await;
    let description = description();
    let mut bounded = 0;
    for (path, operation) in reads(&description) {
        let path = &places.of(path)[0];
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            if schema["type"] != "integer" {
                continue;
            }
            bounded += 1;
            let bound = |keyword: &str| schema[keyword].as_f64().unwrap();
            for (value, status) in
                [(bound("minimum") - 1.0, 400), (bound("minimum"), 200), (bound("maximum"), 200), (bound("maximum") + 1.0, 400)]
            {
                let response = app.get(&with(path, &format!("{name}={value}"))).await;
                assert_eq!(response.status, status, "{path}?{name}={value}");
            }
        }
    }
    assert!(bounded > 0);
}

//! Links to events, and ids of performers, after the ids of a provider are read from another property.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::SimCatalogue;
use serde_json::{Value, json};
use worker::sync::identity;

use crate::deployment::{Deployment, SLUG, format_entry};

on_every_backend!(links_and_ids_survive_another_id_from);

/// A concert of a publisher, with a title and `@id`s that have this version.
fn document(version: usize) -> String {
    json!([{
        "@type": "MusicEvent",
        "@id": format!("https://a.example/{version}/1"),
        "identifier": "jazz",
        "name": format!("Jazz {version}"),
        "startDate": "2131-07-01T20:00:00",
        "location": {
            "@id": format!("https://a.example/{version}/2"),
            "identifier": "hall",
            "name": "Hall",
            "latitude": 41.5,
            "longitude": 2.5,
        },
        "performer": {"@id": format!("band{version}"), "identifier": "duo", "name": "Duo"},
    }])
    .to_string()
}

async fn links_and_ids_survive_another_id_from(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SimCatalogue::default()).await;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("feed.json");
    let entry = format_entry(SLUG, &deployment.url, "0 0 0 1 1 *").replace("event-list-xml", "schema-org-json");
    let run = |command: &str, version: usize| {
        std::fs::write(&file, document(version)).unwrap();
        let mut worker = deployment.worker_command(&[command, SLUG, "--from", file.to_str().unwrap()]);
        worker.output().unwrap()
    };
    deployment.write_providers(&entry);
    assert!(run("sync", 1).status.success());
    let api = deployment.start_api();
    let (_, search) = api.get("/search").await;
    let id = search["data"]["events"][0]["id"].as_str().unwrap().to_owned();
    let before = (api.get("/performers").await, api.get("/concerts?bandIds=band1").await, api.get("/venues").await);
    assert_eq!(before.1.1.as_array().map(Vec::len), Some(1), "{}", before.1.1);

    deployment.write_providers(&format!("{entry}id_from = \"identifier\"\n"));
    assert!(!run("sync", 1).status.success(), "it would import everything again");
    for (command, version) in [("rekey", 1), ("sync", 1), ("sync", 2)] {
        let output = run(command, version);
        assert!(output.status.success(), "{output:?}");
        let (status, event) = api.get(&format!("/events/{id}")).await;
        assert_eq!((status, &event["data"]["id"], &event["data"]["left"]), (200, &json!(id), &Value::Null), "{event}");
        let key = identity::event_id(SLUG, "jazz", "jazz#2131-07-01T20:00:00");
        let (status, moved) = api.get(&format!("/events/{key}")).await;
        assert_eq!((status, &moved["error"]["code"]), (308, &json!("event_moved")), "{moved}");
        assert_eq!(api.get("/search").await.1["data"]["events"].as_array().unwrap().len(), 1);
        let now = (api.get("/performers").await, api.get("/concerts?bandIds=band1").await, api.get("/venues").await);
        assert_eq!(now, before);
    }
}

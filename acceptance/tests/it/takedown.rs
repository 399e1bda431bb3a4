//! Removals for legal reasons, with the real programs: two APIs, a worker, polled and pushed feeds.

use std::{sync::Arc, time::Duration};

use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::SimCatalogue;
use serde_json::{Value, json};

use crate::{
    deployment::{ApiProcess, Deployment, SLUG, format_entry},
    wait::eventually,
};

on_every_backend!(a_removed_event_does_not_return, a_purged_provider_does_not_return);

const CATALOGUE: SimCatalogue = SimCatalogue {
    seed: 5,
    events: 30,
    zones: 2,
    churn: 30.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap(),
    details: false,
};
/// The state bound after which every process knows a takedown: the polling interval of the version, and a margin for a busy machine.
const BOUND: Duration = Duration::from_secs(10);
const SEARCHES: [&str; 2] = ["/search", "/search?starts_at=2030-01-01"];

async fn list_ids(api: &ApiProcess, path: &str) -> Vec<String> {
    let (status, body) = api.get(path).await;
    assert_eq!(status, 200, "{body}");
    body["data"]["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

/// Waits for a run that began after now.
async fn wait_for_next_run(api: &ApiProcess) -> Value {
    let runs = async || api.get("/sync-runs?limit=10").await.1["data"]["sync_runs"].as_array().unwrap().clone();
    let newest = runs().await.first().map_or(0, |run| run["id"].as_i64().unwrap());
    eventually("another run ends", async || {
        let runs = runs().await;
        runs.into_iter().find(|run| run["id"].as_i64().unwrap() > newest && run["ended_at"].is_string())
    })
    .await
}

async fn push(api: &ApiProcess, query: &str, document: &str) -> Value {
    let headers = [("Content-Type", "application/xml")];
    let (status, response) = api.send("POST", &format!("/providers/{SLUG}/feed{query}"), &headers, document).await.unwrap();
    assert_eq!(status, 202, "{response}");
    let run = response["data"]["sync_run"].as_i64().unwrap();
    eventually("the run ends", async || {
        let (_, run) = api.get(&format!("/sync-runs/{run}")).await;
        Some(run["data"].clone()).filter(|run| run["ended_at"].is_string())
    })
    .await
}

/// A feed that contains an event at a price.
fn feed_with(event: &Value, price: &str) -> String {
    let provider = &event["provider"];
    let (base_event, event) = (provider["base_event_id"].as_str().unwrap(), provider["event_id"].as_str().unwrap());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><eventList version=\"1.0\"><output>\
         <base_event base_event_id=\"{base_event}\" sell_mode=\"online\" title=\"It returned\">\
         <event event_id=\"{event}\" event_start_date=\"2031-06-30T21:00:00\" event_end_date=\"2031-06-30T22:00:00\">\
         <zone zone_id=\"1\" capacity=\"9\" price=\"{price}\" name=\"A\"/></event></base_event></output></eventList>"
    )
}

async fn assert_removed(api: &ApiProcess, ids: &[&str]) {
    for id in ids {
        let (status, body) = api.get(&format!("/events/{id}")).await;
        assert_eq!((status, &body["error"]["code"]), (410, &json!("event_removed")), "{body}");
    }
    for path in SEARCHES {
        let listed = list_ids(api, path).await;
        assert!(!listed.is_empty() && !ids.iter().any(|id| listed.contains(&(*id).to_owned())), "{listed:?}");
    }
}

async fn a_removed_event_does_not_return(database: Arc<TestDatabase>) {
    // The provider is polled every second, and changes all the time.
    let deployment = Deployment::new(database, CATALOGUE).await;
    assert!(deployment.sync());
    let (one, two) = (deployment.start_api(), deployment.start_api());
    let ids = list_ids(&one, "/search").await;
    let [by_request, by_command] = [ids[0].as_str(), ids[1].as_str()];
    let (_, event) = one.get(&format!("/events/{by_request}")).await;
    for (api, path) in [&one, &two].into_iter().flat_map(|api| SEARCHES.map(|path| (api, path))) {
        assert!(list_ids(api, path).await.contains(&ids[0]), "it is cached");
    }

    let (status, body) = one.send("DELETE", &format!("/events/{by_request}?reason=case%2012"), &[], "").await.unwrap();
    assert_eq!(status, 204, "{body}");
    assert_removed(&one, &[by_request]).await;
    let knows = async { while list_ids(&two, "/search").await.contains(&ids[0]) {} };
    tokio::time::timeout(BOUND, knows).await.expect("the other process knows the takedown");
    assert_removed(&two, &[by_request]).await;
    let mut command = deployment.worker_command(&["purge", "--event", by_command, "--reason", "case 13"]);
    assert!(command.status().unwrap().success());
    let knows = async { while list_ids(&one, "/search").await.contains(&ids[1]) {} };
    tokio::time::timeout(BOUND, knows).await.expect("the process knows the takedown of the command");

    let _worker = deployment.start_worker("worker");
    for _ in 0..2 {
        let run = wait_for_next_run(&one).await;
        assert_ne!(run["state"], "failed", "{run}");
        assert_removed(&one, &[by_request, by_command]).await;
    }
    let run = push(&one, "?mode=delta", &feed_with(&event["data"], "20.00")).await;
    assert_eq!((&run["inserted"], &run["unchanged"]), (&json!(0), &json!(1)), "{run}");
    for api in [&one, &two] {
        assert_removed(api, &[by_request, by_command]).await;
    }
}

async fn a_purged_provider_does_not_return(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, SimCatalogue { churn: 0.0, ..CATALOGUE }).await;
    deployment.write_providers(&[SLUG, "other"].map(|slug| format_entry(slug, &deployment.url, "* * * * * *")).concat());
    for slug in [SLUG, "other"] {
        assert!(deployment.worker_command(&["sync", slug]).status().unwrap().success());
    }
    let api = deployment.start_api();
    let all = list_ids(&api, "/search").await;
    let _worker = deployment.start_worker("worker");
    wait_for_next_run(&api).await;

    let purge = ["purge", "--provider", SLUG, "--reason", "case 13", "--yes"];
    assert!(deployment.worker_command(&purge).status().unwrap().success());
    let knows = async { while list_ids(&api, "/search").await.len() * 2 != all.len() {} };
    tokio::time::timeout(BOUND, knows).await.expect("the process knows the purge");
    let remaining = list_ids(&api, "/search").await;
    for id in &all {
        let (status, _) = api.get(&format!("/events/{id}")).await;
        assert_eq!(status, if remaining.contains(id) { 200 } else { 410 }, "{id}");
    }
    eventually("a sync is refused", async || {
        let (_, runs) = api.get(&format!("/sync-runs?provider={SLUG}&limit=1")).await;
        (runs["data"]["sync_runs"][0]["reason_code"] == "provider_purged").then_some(())
    })
    .await;
    assert_eq!(list_ids(&api, "/search").await, remaining);
}

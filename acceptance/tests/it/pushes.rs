//! Documents that a provider pushes, through the real programs: accepted by the API, applied by a worker, found by a search.

use std::{sync::Arc, time::Duration};

use entity::{ConnectionRole, pushed_feed, sync_run};
use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::{InjectedFault, SimCatalogue};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::{
    house::{Api, House, SLUG, entry},
    patience::eventually,
};

on_every_backend!(
    a_pushed_snapshot_is_found_and_what_it_lacks_has_left,
    a_delta_says_nothing_of_what_it_does_not_hold,
    a_dry_run_says_what_would_change_and_changes_nothing,
    a_document_that_cannot_be_trusted_fails_its_run,
    the_same_key_is_the_same_push,
    without_a_worker_a_push_waits,
    a_copy_can_be_asked_for_now,
    a_push_while_the_provider_is_polled_comes_after_the_poll,
);

const XML: (&str, &str) = ("Content-Type", "application/xml");

/// A catalogue of base events, each with one event in 2031.
fn feed(base_events: &[(&str, &str)]) -> String {
    let body: String = base_events
        .iter()
        .map(|(id, title)| {
            format!(
                "<base_event base_event_id=\"{id}\" sell_mode=\"online\" title=\"{title}\">\
                 <event event_id=\"1\" event_start_date=\"2031-06-30T21:00:00\" event_end_date=\"2031-06-30T22:00:00\">\
                 <zone zone_id=\"1\" capacity=\"9\" price=\"20.00\" name=\"A\"/></event></base_event>\n"
            )
        })
        .collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList version=\"1.0\"><output>\n{body}</output></eventList>\n")
}

/// A house whose provider is never polled, with an API and perhaps a worker.
async fn house(database: Arc<TestDatabase>) -> House {
    let house = House::new(database, SimCatalogue { events: 3, ..SimCatalogue::default() }).await;
    house.write_providers(&entry(SLUG, &house.url, "0 0 0 1 1 *"));
    // The provider is known from here on.
    assert!(house.sync());
    house
}

async fn push(api: &Api, query: &str, headers: &[(&str, &str)], document: &str) -> (u16, Value) {
    let headers = [&[XML], headers].concat();
    api.send("POST", &format!("/providers/{SLUG}/feed{query}"), &headers, document).await.unwrap()
}

/// Pushes, and waits for the end of the run.
async fn pushed(api: &Api, query: &str, document: &str) -> Value {
    let (status, answer) = push(api, query, &[], document).await;
    assert_eq!(status, 202, "{answer}");
    ended(api, answer["data"]["sync_run"].as_i64().unwrap()).await
}

async fn ended(api: &Api, run: i64) -> Value {
    eventually("the run ends", async || {
        let (_, run) = api.get(&format!("/sync-runs/{run}")).await;
        Some(run["data"].clone()).filter(|run| run["ended_at"].is_string())
    })
    .await
}

async fn titles(api: &Api) -> Vec<String> {
    let (status, found) = api.get("/search?starts_at=2031-01-01&ends_at=2031-12-31").await;
    assert_eq!(status, 200, "{found}");
    let mut titles: Vec<String> =
        found["data"]["events"].as_array().unwrap().iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect();
    titles.sort_unstable();
    titles
}

async fn found(api: &Api, expected: &[&str]) {
    eventually("the search finds it", async || (titles(api).await == expected).then_some(())).await;
}

async fn a_pushed_snapshot_is_found_and_what_it_lacks_has_left(database: Arc<TestDatabase>) {
    let house = house(database).await;
    let (api, _worker) = (house.api(), house.run("worker"));
    let run = pushed(&api, "", &feed(&[("a", "One"), ("b", "Two")])).await;
    assert_eq!((&run["state"], &run["inserted"], &run["left"]), (&json!("succeeded"), &json!(2), &json!(3)), "{run}");
    found(&api, &["One", "Two"]).await;
    let run = pushed(&api, "?mode=snapshot", &feed(&[("b", "New Two")])).await;
    assert_eq!((&run["updated"], &run["left"]), (&json!(1), &json!(1)), "{run}");
    // What has left is still found, with its latest values.
    found(&api, &["New Two", "One"]).await;
    let run = pushed(&api, "", &feed(&[("b", "New Two")])).await;
    assert_eq!(run["state"], "unchanged");
}

async fn a_delta_says_nothing_of_what_it_does_not_hold(database: Arc<TestDatabase>) {
    let house = house(database).await;
    let (api, _worker) = (house.api(), house.run("worker"));
    pushed(&api, "", &feed(&[("a", "One"), ("b", "Two")])).await;
    let run = pushed(&api, "?mode=delta", &feed(&[("b", "New Two"), ("c", "Three")])).await;
    assert_eq!((&run["inserted"], &run["updated"], &run["left"]), (&json!(1), &json!(1), &json!(0)), "{run}");
    found(&api, &["New Two", "One", "Three"]).await;
    // The same snapshot as before is news again: the copy is no document's any more.
    let run = pushed(&api, "", &feed(&[("a", "One"), ("b", "Two")])).await;
    assert_eq!((&run["updated"], &run["left"]), (&json!(1), &json!(1)), "{run}");
}

async fn a_dry_run_says_what_would_change_and_changes_nothing(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let house = house(database.clone()).await;
    let (api, _worker) = (house.api(), house.run("worker"));
    pushed(&api, "", &feed(&[("a", "One"), ("b", "Two")])).await;
    let runs = sync_run::Entity::find().count(&connection).await.unwrap();
    let document = feed(&[("b", "New Two"), ("c", "Three")]);
    let document = document.replace("</output>", "<base_event base_event_id=\"d\" sell_mode=\"online\" title=\"D\"><event event_id=\"9\" event_start_date=\"2031-09-31T21:00:00\" event_end_date=\"2031-10-01T22:00:00\"/></base_event></output>");
    let (status, answer) = push(&api, "?dry_run=true", &[], &document).await;
    let told = &answer["data"];
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (&told["state"], &told["inserted"], &told["updated"], &told["left"]),
        (&json!("succeeded"), &json!(1), &json!(1), &json!(1)),
        "{told}"
    );
    assert_eq!((&told["rejected"], &told["rejects"][0]["event_id"]), (&json!(1), &json!("9")), "{told}");
    assert!(told["rejects"][0]["reason"].as_str().unwrap().contains("2031-09-31"), "{told}");
    let (_, delta) = push(&api, "?dry_run=true&mode=delta", &[], &feed(&[("b", "New Two")])).await;
    assert_eq!((&delta["data"]["updated"], &delta["data"]["left"]), (&json!(1), &json!(0)), "{delta}");
    let (_, broken) = push(&api, "?dry_run=true", &[], "<nothing/>").await;
    assert_eq!((&broken["data"]["state"], &broken["data"]["reason_code"]), (&json!("failed"), &json!("wrong_root")), "{broken}");

    assert_eq!(titles(&api).await, ["One", "Two"]);
    assert_eq!(sync_run::Entity::find().count(&connection).await.unwrap(), runs);
    let unsettled = pushed_feed::Entity::find().all(&connection).await.unwrap();
    assert!(unsettled.iter().all(|document| document.sync_run_id.is_some() && document.body.is_none()), "{unsettled:?}");
}

async fn a_document_that_cannot_be_trusted_fails_its_run(database: Arc<TestDatabase>) {
    let house = house(database).await;
    let (api, _worker) = (house.api(), house.run("worker"));
    pushed(&api, "", &feed(&[("a", "One")])).await;
    let whole = feed(&[("a", "Two")]);
    let run = pushed(&api, "", &whole[..whole.len() - 20]).await;
    assert_eq!((&run["state"], &run["reason_code"]), (&json!("failed"), &json!("truncated")), "{run}");
    let run = pushed(&api, "", &whole).await;
    assert_eq!(run["state"], "succeeded", "the next one is none the worse for it: {run}");
    found(&api, &["Two"]).await;
}

async fn the_same_key_is_the_same_push(database: Arc<TestDatabase>) {
    let house = house(database).await;
    let (api, _worker) = (house.api(), house.run("worker"));
    let key = [("Idempotency-Key", "once")];
    let (status, first) = push(&api, "", &key, &feed(&[("a", "One")])).await;
    assert_eq!(status, 202);
    assert_eq!(push(&api, "", &key, &feed(&[("a", "One")])).await, (202, first.clone()));
    ended(&api, first["data"]["sync_run"].as_i64().unwrap()).await;
    assert_eq!(push(&api, "", &key, &feed(&[("a", "One")])).await, (202, first), "also when it is done");
    for (query, document) in [("", feed(&[("a", "Two")])), ("?mode=delta", feed(&[("a", "One")]))] {
        let (status, answer) = push(&api, query, &key, &document).await;
        assert_eq!((status, &answer["error"]["code"]), (422, &json!("idempotency_key_reused")), "{answer}");
    }
    let (status, answer) = push(&api, "?mode=all&dry_run=yes", &[], "x").await;
    assert_eq!((status, answer["errors"].as_array().unwrap().len()), (400, 2), "{answer}");
    let (status, answer) = api.send("POST", "/providers/nobody/feed", &[XML], "x").await.unwrap();
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("not_found")), "{answer}");
    let (status, answer) = push(&api, "", &[("Content-Encoding", "gzip")], "x").await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("invalid_body")), "{answer}");
}

async fn without_a_worker_a_push_waits(database: Arc<TestDatabase>) {
    let house = house(database).await;
    let api = house.api();
    let mut runs = Vec::new();
    for title in ["One", "Two", "Three"] {
        let (status, answer) = push(&api, "", &[], &feed(&[("a", title)])).await;
        assert_eq!(status, 202, "{answer}");
        runs.push(answer["data"]["sync_run"].as_i64().unwrap());
        let (_, run) = api.get(&format!("/sync-runs/{}", runs[runs.len() - 1])).await;
        assert_eq!(run["data"]["state"], "queued");
    }
    let _worker = house.run("worker");
    for run in runs {
        assert_eq!(ended(&api, run).await["state"], "succeeded");
    }
    found(&api, &["Three"]).await;
}

async fn a_copy_can_be_asked_for_now(database: Arc<TestDatabase>) {
    let house = house(database).await;
    let api = house.api();
    house.provider.serve_document(feed(&[("a", "Polled")]));
    let sync = async || api.send("POST", &format!("/providers/{SLUG}/sync"), &[], "").await.unwrap();
    let (status, first) = sync().await;
    assert_eq!(status, 202, "{first}");
    assert_eq!(sync().await, (202, first.clone()), "one that waits is enough");
    let _worker = house.run("worker");
    ended(&api, first["data"]["sync_run"].as_i64().unwrap()).await;
    found(&api, &["Polled"]).await;
    assert_eq!(api.send("POST", "/providers/nobody/sync", &[], "").await.unwrap().0, 404);
}

async fn a_push_while_the_provider_is_polled_comes_after_the_poll(database: Arc<TestDatabase>) {
    let house = house(database).await;
    let (api, _worker) = (house.api(), house.run("worker"));
    house.provider.serve_document(feed(&[("a", "Polled"), ("b", "Polled, too")]));
    house.provider.fail_next([InjectedFault::Latency(Duration::from_secs(2))]);
    let (_, poll) = api.send("POST", &format!("/providers/{SLUG}/sync"), &[], "").await.unwrap();
    let poll = poll["data"]["sync_run"].as_i64().unwrap();
    eventually("the poll runs", async || {
        let (_, run) = api.get(&format!("/sync-runs/{poll}")).await;
        (run["data"]["state"] == "running").then_some(())
    })
    .await;
    let (status, pushed) = push(&api, "?mode=delta", &[], &feed(&[("a", "Pushed")])).await;
    assert_eq!(status, 202, "a poll under way keeps nobody from pushing: {pushed}");
    let (poll, pushed) = (ended(&api, poll).await, ended(&api, pushed["data"]["sync_run"].as_i64().unwrap()).await);
    assert_eq!((&poll["state"], &pushed["state"]), (&json!("succeeded"), &json!("succeeded")));
    assert!(poll["ended_at"].as_str() <= pushed["started_at"].as_str(), "{poll} {pushed}");
    found(&api, &["Polled, too", "Pushed"]).await;
}

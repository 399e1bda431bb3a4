//! Pushed documents: accepted by the API, applied by a worker, returned by a search.

use std::{sync::Arc, time::Duration};

use entity::{ConnectionRole, pushed_feed, sync_run};
use migration::{on_every_backend, testing::TestDatabase};
use provider_sim::{InjectedFault, SimCatalogue};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::{
    deployment::{ApiProcess, Deployment, SLUG, format_entry},
    wait::eventually,
};

on_every_backend!(
    a_snapshot_removes_the_events_that_it_does_not_contain,
    a_delta_removes_nothing,
    a_dry_run_reports_changes_without_applying_them,
    implausible_prices_are_refused,
    an_invalid_document_fails_its_run,
    an_idempotency_key_identifies_a_push,
    a_push_without_a_worker_stays_queued,
    a_sync_can_be_requested,
    a_push_during_a_poll_is_applied_after_it,
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

/// A deployment whose provider is never polled.
async fn deploy(database: Arc<TestDatabase>) -> Deployment {
    let deployment = Deployment::new(database, SimCatalogue { events: 3, ..SimCatalogue::default() }).await;
    deployment.write_providers(&format_entry(SLUG, &deployment.url, "0 0 0 1 1 *"));
    // Creates the row of the provider.
    assert!(deployment.sync());
    deployment
}

async fn push(api: &ApiProcess, query: &str, headers: &[(&str, &str)], document: &str) -> (u16, Value) {
    let headers = [&[XML], headers].concat();
    api.send("POST", &format!("/providers/{SLUG}/feed{query}"), &headers, document).await.unwrap()
}

/// Pushes a document and returns its completed run.
async fn push_and_wait(api: &ApiProcess, query: &str, document: &str) -> Value {
    let (status, response) = push(api, query, &[], document).await;
    assert_eq!(status, 202, "{response}");
    wait_for_run(api, response["data"]["sync_run"].as_i64().unwrap()).await
}

async fn wait_for_run(api: &ApiProcess, run: i64) -> Value {
    eventually("the run ends", async || {
        let (_, run) = api.get(&format!("/sync-runs/{run}")).await;
        Some(run["data"].clone()).filter(|run| run["ended_at"].is_string())
    })
    .await
}

async fn titles(api: &ApiProcess) -> Vec<String> {
    let (status, body) = api.get("/search?starts_at=2031-01-01&ends_at=2031-12-31").await;
    assert_eq!(status, 200, "{body}");
    let mut titles: Vec<String> =
        body["data"]["events"].as_array().unwrap().iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect();
    titles.sort_unstable();
    titles
}

async fn expect_titles(api: &ApiProcess, expected: &[&str]) {
    eventually("the search returns the expected titles", async || (titles(api).await == expected).then_some(())).await;
}

async fn a_snapshot_removes_the_events_that_it_does_not_contain(database: Arc<TestDatabase>) {
    let deployment = deploy(database).await;
    let (api, _worker) = (deployment.start_api(), deployment.start_worker("worker"));
    let run = push_and_wait(&api, "", &feed(&[("a", "One"), ("b", "Two")])).await;
    assert_eq!((&run["state"], &run["inserted"], &run["left"]), (&json!("succeeded"), &json!(2), &json!(3)), "{run}");
    expect_titles(&api, &["One", "Two"]).await;
    let run = push_and_wait(&api, "?mode=snapshot", &feed(&[("b", "New Two")])).await;
    assert_eq!((&run["updated"], &run["left"]), (&json!(1), &json!(1)), "{run}");
    // Removed events stay searchable, with their latest values.
    expect_titles(&api, &["New Two", "One"]).await;
    let run = push_and_wait(&api, "", &feed(&[("b", "New Two")])).await;
    assert_eq!(run["state"], "unchanged");
}

async fn a_delta_removes_nothing(database: Arc<TestDatabase>) {
    let deployment = deploy(database).await;
    let (api, _worker) = (deployment.start_api(), deployment.start_worker("worker"));
    push_and_wait(&api, "", &feed(&[("a", "One"), ("b", "Two")])).await;
    let run = push_and_wait(&api, "?mode=delta", &feed(&[("b", "New Two"), ("c", "Three")])).await;
    assert_eq!((&run["inserted"], &run["updated"], &run["left"]), (&json!(1), &json!(1), &json!(0)), "{run}");
    expect_titles(&api, &["New Two", "One", "Three"]).await;
    // The snapshot is not skipped as unchanged: after the delta, the copy no longer matches it.
    let run = push_and_wait(&api, "", &feed(&[("a", "One"), ("b", "Two")])).await;
    assert_eq!((&run["updated"], &run["left"]), (&json!(1), &json!(1)), "{run}");
}

async fn implausible_prices_are_refused(database: Arc<TestDatabase>) {
    let deployment = deploy(database).await;
    let (api, _worker) = (deployment.start_api(), deployment.start_worker("worker"));
    let ids: Vec<String> = (0..12).map(|id| id.to_string()).collect();
    let euros = feed(&ids.iter().map(|id| (id.as_str(), "Show")).collect::<Vec<_>>());
    push_and_wait(&api, "", &euros).await;
    let cents = euros.replace("20.00", "2000.00");
    for mode in ["snapshot", "delta"] {
        let (_, dry_run) = push(&api, &format!("?dry_run=true&mode={mode}"), &[], &cents).await;
        assert_eq!((&dry_run["data"]["state"], &dry_run["data"]["reason_code"]), (&json!("failed"), &json!("price_jump")));
        let run = push_and_wait(&api, &format!("?mode={mode}"), &cents).await;
        assert_eq!((&run["state"], &run["reason_code"]), (&json!("failed"), &json!("price_jump")), "{run}");
    }
    let run = push_and_wait(&api, "?mode=delta", &euros).await;
    assert_eq!((&run["state"], &run["unchanged"]), (&json!("unchanged"), &json!(12)), "{run}");
}

async fn a_dry_run_reports_changes_without_applying_them(database: Arc<TestDatabase>) {
    let connection = database.connect(ConnectionRole::Worker).await;
    let deployment = deploy(database.clone()).await;
    let (api, _worker) = (deployment.start_api(), deployment.start_worker("worker"));
    push_and_wait(&api, "", &feed(&[("a", "One"), ("b", "Two")])).await;
    let runs = sync_run::Entity::find().count(&connection).await.unwrap();
    let document = feed(&[("b", "New Two"), ("c", "Three")]);
    let document = document.replace("</output>", "<base_event base_event_id=\"d\" sell_mode=\"online\" title=\"D\"><event event_id=\"9\" event_start_date=\"2031-09-31T21:00:00\" event_end_date=\"2031-10-01T22:00:00\"/></base_event></output>");
    let (status, response) = push(&api, "?dry_run=true", &[], &document).await;
    let report = &response["data"];
    assert_eq!(status, 200, "{response}");
    assert_eq!(
        (&report["state"], &report["inserted"], &report["updated"], &report["left"]),
        (&json!("succeeded"), &json!(1), &json!(1), &json!(1)),
        "{report}"
    );
    assert_eq!((&report["rejected"], &report["rejects"][0]["event_id"]), (&json!(1), &json!("9")), "{report}");
    assert!(report["rejects"][0]["reason"].as_str().unwrap().contains("2031-09-31"), "{report}");
    let changes = report["changes"].as_array().unwrap().iter();
    let mut changes: Vec<_> =
        changes.map(|change| (change["kind"].as_str().unwrap(), change["title"].as_str().unwrap())).collect();
    changes.sort_unstable();
    assert_eq!(changes, [("inserted", "Three"), ("left", "One"), ("updated", "New Two")], "{report}");
    let without_price = feed(&[("c", "Three")]).replace("price=\"20.00\"", "price=\"x\"");
    let (_, warned) = push(&api, "?dry_run=true&mode=delta", &[], &without_price).await;
    let warnings = warned["data"]["warnings"].as_array().unwrap();
    assert_eq!((&warned["data"]["warned"], warnings.len()), (&json!(1), 1), "{warned}");
    assert!(warnings[0]["reason"].as_str().unwrap().contains("`x`"), "{warned}");
    let (_, delta) = push(&api, "?dry_run=true&mode=delta", &[], &feed(&[("b", "New Two")])).await;
    assert_eq!((&delta["data"]["updated"], &delta["data"]["left"]), (&json!(1), &json!(0)), "{delta}");
    let (_, broken) = push(&api, "?dry_run=true", &[], "<nothing/>").await;
    assert_eq!((&broken["data"]["state"], &broken["data"]["reason_code"]), (&json!("failed"), &json!("wrong_root")), "{broken}");

    assert_eq!(titles(&api).await, ["One", "Two"]);
    assert_eq!(sync_run::Entity::find().count(&connection).await.unwrap(), runs);
    let pushes = pushed_feed::Entity::find().all(&connection).await.unwrap();
    assert!(pushes.iter().all(|push| push.sync_run_id.is_some() && push.body.is_none()), "a dry run leaves no row: {pushes:?}");
}

async fn an_invalid_document_fails_its_run(database: Arc<TestDatabase>) {
    let deployment = deploy(database).await;
    let (api, _worker) = (deployment.start_api(), deployment.start_worker("worker"));
    push_and_wait(&api, "", &feed(&[("a", "One")])).await;
    let whole = feed(&[("a", "Two")]);
    let run = push_and_wait(&api, "", &whole[..whole.len() - 20]).await;
    assert_eq!((&run["state"], &run["reason_code"]), (&json!("failed"), &json!("truncated")), "{run}");
    let run = push_and_wait(&api, "", &whole).await;
    assert_eq!(run["state"], "succeeded", "the next document is applied: {run}");
    expect_titles(&api, &["Two"]).await;
}

async fn an_idempotency_key_identifies_a_push(database: Arc<TestDatabase>) {
    let deployment = deploy(database).await;
    let (api, _worker) = (deployment.start_api(), deployment.start_worker("worker"));
    let key = [("Idempotency-Key", "once")];
    let (status, first) = push(&api, "", &key, &feed(&[("a", "One")])).await;
    assert_eq!(status, 202);
    assert_eq!(push(&api, "", &key, &feed(&[("a", "One")])).await, (202, first.clone()));
    wait_for_run(&api, first["data"]["sync_run"].as_i64().unwrap()).await;
    assert_eq!(push(&api, "", &key, &feed(&[("a", "One")])).await, (202, first), "also after it is completed");
    for (query, document) in [("", feed(&[("a", "Two")])), ("?mode=delta", feed(&[("a", "One")]))] {
        let (status, response) = push(&api, query, &key, &document).await;
        assert_eq!((status, &response["error"]["code"]), (422, &json!("idempotency_key_reused")), "{response}");
    }
    let (status, response) = push(&api, "?mode=all&dry_run=yes", &[], "x").await;
    assert_eq!((status, response["errors"].as_array().unwrap().len()), (400, 2), "{response}");
    let (status, response) = api.send("POST", "/providers/nobody/feed", &[XML], "x").await.unwrap();
    assert_eq!((status, &response["error"]["code"]), (404, &json!("not_found")), "{response}");
    let (status, response) = push(&api, "", &[("Content-Encoding", "gzip")], "x").await;
    assert_eq!((status, &response["error"]["code"]), (400, &json!("invalid_body")), "{response}");
}

async fn a_push_without_a_worker_stays_queued(database: Arc<TestDatabase>) {
    let deployment = deploy(database).await;
    let api = deployment.start_api();
    let mut runs = Vec::new();
    for title in ["One", "Two", "Three"] {
        let (status, response) = push(&api, "", &[], &feed(&[("a", title)])).await;
        assert_eq!(status, 202, "{response}");
        runs.push(response["data"]["sync_run"].as_i64().unwrap());
        let (_, run) = api.get(&format!("/sync-runs/{}", runs[runs.len() - 1])).await;
        assert_eq!(run["data"]["state"], "queued");
    }
    let _worker = deployment.start_worker("worker");
    for run in runs {
        assert_eq!(wait_for_run(&api, run).await["state"], "succeeded");
    }
    expect_titles(&api, &["Three"]).await;
}

async fn a_sync_can_be_requested(database: Arc<TestDatabase>) {
    let deployment = deploy(database).await;
    let api = deployment.start_api();
    deployment.provider.serve_document(feed(&[("a", "Polled")]));
    let sync = async || api.send("POST", &format!("/providers/{SLUG}/sync"), &[], "").await.unwrap();
    let (status, first) = sync().await;
    assert_eq!(status, 202, "{first}");
    assert_eq!(sync().await, (202, first.clone()), "a queued sync is not queued again");
    let _worker = deployment.start_worker("worker");
    wait_for_run(&api, first["data"]["sync_run"].as_i64().unwrap()).await;
    expect_titles(&api, &["Polled"]).await;
    assert_eq!(api.send("POST", "/providers/nobody/sync", &[], "").await.unwrap().0, 404);
}

async fn a_push_during_a_poll_is_applied_after_it(database: Arc<TestDatabase>) {
    let deployment = deploy(database).await;
    let (api, _worker) = (deployment.start_api(), deployment.start_worker("worker"));
    deployment.provider.serve_document(feed(&[("a", "Polled"), ("b", "Polled, too")]));
    deployment.provider.fail_next([InjectedFault::Latency(Duration::from_secs(2))]);
    let (_, poll) = api.send("POST", &format!("/providers/{SLUG}/sync"), &[], "").await.unwrap();
    let poll = poll["data"]["sync_run"].as_i64().unwrap();
    eventually("the poll has started", async || {
        let (_, run) = api.get(&format!("/sync-runs/{poll}")).await;
        (run["data"]["state"] != "queued").then_some(())
    })
    .await;
    let (status, pushed) = push(&api, "?mode=delta", &[], &feed(&[("a", "Pushed")])).await;
    assert_eq!(status, 202, "a running poll does not prevent pushes: {pushed}");
    let (poll, pushed) = (wait_for_run(&api, poll).await, wait_for_run(&api, pushed["data"]["sync_run"].as_i64().unwrap()).await);
    assert_eq!((&poll["state"], &pushed["state"]), (&json!("succeeded"), &json!("succeeded")));
    assert!(poll["ended_at"].as_str() <= pushed["started_at"].as_str(), "{poll} {pushed}");
    expect_titles(&api, &["Polled, too", "Pushed"]).await;
}

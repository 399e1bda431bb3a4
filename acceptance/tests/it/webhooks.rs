//! Webhooks with the real programs: a polled provider that changes all the time, an API, workers, and a receiver.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use entity::ConnectionRole;
use migration::{
    on_every_backend,
    testing::{Backend, TestDatabase},
};
use provider_sim::{ReceivedMessage, ReceiverReply, SimCatalogue, WebhookReceiver};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::{
    deployment::{ApiProcess, Deployment},
    wait::{eventually, eventually_all},
};

on_every_backend!(
    all_changes_are_delivered_although_workers_are_killed,
    removed_content_is_not_delivered,
    a_receiver_that_hangs_delays_no_sync,
    private_addresses_are_refused_by_default,
);

/// Half of the events change with each poll.
const CATALOGUE: SimCatalogue = SimCatalogue {
    seed: 7,
    events: 60,
    zones: 2,
    churn: 50.0,
    anchor: chrono::NaiveDate::from_ymd_opt(2031, 1, 1).unwrap(),
    details: false,
};
const PRIVATE: (&str, &str) = ("WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "true");
/// Longer than any message takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

async fn create(api: &ApiProcess, url: &str, query: &str) -> String {
    let body = json!({ "url": url, "query": query }).to_string();
    let headers = [("Content-Type", "application/json")];
    let (status, created) = api.send("POST", "/webhooks", &headers, &body).await.unwrap();
    assert_eq!(status, 201, "{created}");
    format!("/webhooks/{}", created["data"]["webhook"]["id"].as_str().unwrap())
}

async fn find(api: &ApiProcess, path: &str) -> Value {
    let (status, body) = api.get(path).await;
    assert_eq!(status, 200, "{body}");
    body["data"].clone()
}

/// The changes of the log after a position.
async fn read_log(api: &ApiProcess, query: &str, position: &str) -> Vec<Value> {
    let (mut changes, mut after) = (Vec::new(), position.to_owned());
    loop {
        let (_, page) = api.get(&format!("/changes?limit=1000&after={after}&{query}")).await;
        changes.extend(page["data"]["changes"].as_array().unwrap().iter().cloned());
        after = page["meta"]["next"].as_str().unwrap().to_owned();
        if page["meta"]["has_more"] == false {
            return changes;
        }
    }
}

/// The changes of messages, without repetitions of the same message, which must be equal.
fn changes_of(messages: &[ReceivedMessage]) -> Vec<Value> {
    let (mut known, mut changes) = (HashSet::new(), Vec::new());
    for message in messages {
        if known.insert(message.id().to_owned()) {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            changes.extend(body["data"]["changes"].as_array().unwrap().iter().cloned());
        } else {
            let first = messages.iter().find(|first| first.id() == message.id()).unwrap();
            assert_eq!(first.body, message.body, "a repeated message is unchanged");
        }
    }
    changes
}

async fn all_changes_are_delivered_although_workers_are_killed(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, CATALOGUE).await;
    assert!(deployment.sync());
    let api = deployment.start_api_with(&[PRIVATE]);
    let [all, selected] = [WebhookReceiver::start().await.unwrap(), WebhookReceiver::start().await.unwrap()];
    let query = "kind=price_changed,sold_out";
    let (path, filtered) = (create(&api, &all.url, "").await, create(&api, &selected.url, query).await);
    let [start, start_of_filtered] = [find(&api, &path).await, find(&api, &filtered).await]
        .map(|found| found["webhook"]["position"].as_str().unwrap().to_owned());
    for round in 0..3 {
        // The worker is killed while it waits for the response, which the receiver never sends.
        all.script([ReceiverReply::Silence]);
        let count = all.count();
        let worker = deployment.start_worker_with(&format!("worker {round}"), &[PRIVATE]);
        tokio::time::timeout(PATIENCE, all.wait_for(count + 1)).await.expect("a message");
        drop(worker);
    }
    let _worker = deployment.start_worker_with("last worker", &[PRIVATE]);
    eventually_all("messages", all.count() + 10, async || all.count()).await;
    deployment.provider.freeze();
    let mut repeated = 0;
    for (path, receiver, query, start) in [(&path, &all, "", &start), (&filtered, &selected, query, &start_of_filtered)] {
        let expected = eventually("all changes are delivered", async || {
            let expected = read_log(&api, query, start).await;
            (changes_of(&receiver.messages()).len() >= expected.len()).then_some(expected)
        })
        .await;
        assert!(expected.len() > 30, "{}", expected.len());
        assert_eq!(changes_of(&receiver.messages()), expected, "the same JSON as `/changes`, in its order");
        let ids: HashSet<String> = receiver.messages().iter().map(|message| message.id().to_owned()).collect();
        repeated += receiver.count() - ids.len();
        eventually("the last message is recorded", async || find(&api, path).await["webhook"]["pending"].is_null().then_some(()))
            .await;
        assert_eq!(find(&api, path).await["attempts"][0]["outcome"], "delivered");
    }
    assert!(repeated >= 3, "{repeated} messages were sent again");
}

async fn removed_content_is_not_delivered(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, CATALOGUE).await;
    assert!(deployment.sync());
    let api = deployment.start_api_with(&[PRIVATE]);
    let receiver = WebhookReceiver::start().await.unwrap();
    receiver.always(ReceiverReply::Status(500, ""));
    let path = create(&api, &receiver.url, "").await;
    let _worker = deployment.start_worker_with("worker", &[PRIVATE]);
    tokio::time::timeout(PATIENCE, receiver.wait_for(1)).await.expect("a message");
    let first = receiver.messages().remove(0);
    let changes = changes_of(std::slice::from_ref(&first));
    let event = changes.iter().find(|change| change["changed"] != json!({})).unwrap()["event_id"].as_str().unwrap().to_owned();
    let (status, body) = api.send("DELETE", &format!("/events/{event}?reason=case%2012"), &[], "").await.unwrap();
    assert_eq!(status, 204, "{body}");
    let sent = receiver.count();
    receiver.always(ReceiverReply::Status(204, ""));
    let (status, _) = api.send("POST", &format!("{path}/enable"), &[], "").await.unwrap();
    assert_eq!(status, 200);
    tokio::time::timeout(PATIENCE, receiver.wait_for(sent + 1)).await.expect("the message again");
    let again = receiver.messages().remove(sent);
    assert_eq!(again.id(), first.id());
    for (before, after) in changes.iter().zip(changes_of(std::slice::from_ref(&again))) {
        let is_removed = before["event_id"] == event.as_str();
        assert_eq!(after["cursor"], before["cursor"]);
        assert_eq!(after["changed"], if is_removed { json!({}) } else { before["changed"].clone() });
    }
}

async fn a_receiver_that_hangs_delays_no_sync(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, CATALOGUE).await;
    assert!(deployment.sync());
    let api = deployment.start_api_with(&[PRIVATE]);
    let [hanging, other] = [WebhookReceiver::start().await.unwrap(), WebhookReceiver::start().await.unwrap()];
    hanging.always(ReceiverReply::Silence);
    for _ in 0..10 {
        create(&api, &hanging.url, "").await;
    }
    create(&api, &other.url, "").await;
    let _worker = deployment.start_worker_with("worker", &[PRIVATE]);
    tokio::time::timeout(PATIENCE, hanging.wait_for(10)).await.expect("all messages");
    let (polls, messages, begun_at) = (deployment.provider.poll(), other.count(), Instant::now());
    eventually_all("messages", messages + 3, async || other.count()).await;
    let elapsed = begun_at.elapsed();
    assert!(deployment.provider.poll() >= polls, "the provider is polled");
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
}

/// Otherwise many deliveries would delay syncs.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_have_their_own_connections() {
    let database = Arc::new(TestDatabase::migrated(Backend::Postgres).await);
    let connection = database.connect(ConnectionRole::Api).await;
    let deployment = Deployment::new(database, CATALOGUE).await;
    assert!(deployment.sync());
    let api = deployment.start_api_with(&[PRIVATE]);
    let receivers = WebhookReceiver::start().await.unwrap();
    for _ in 0..15 {
        create(&api, &receivers.url, "").await;
    }
    let _worker = deployment.start_worker_with("worker", &[PRIVATE]);
    tokio::time::timeout(PATIENCE, receivers.wait_for(60)).await.expect("messages");
    let statement = "SELECT CAST(count(*) AS INT) AS count FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'marquee-worker-webhooks'";
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, statement)).await.unwrap().unwrap();
    let count: i32 = row.try_get("", "count").unwrap();
    assert!((1..=4).contains(&count), "{count}");
}

async fn private_addresses_are_refused_by_default(database: Arc<TestDatabase>) {
    let deployment = Deployment::new(database, CATALOGUE).await;
    assert!(deployment.sync());
    let receiver = WebhookReceiver::start().await.unwrap();
    let api = deployment.start_api();
    let body = json!({ "url": receiver.url }).to_string();
    let headers = [("Content-Type", "application/json")];
    let (status, problem) = api.send("POST", "/webhooks", &headers, &body).await.unwrap();
    assert_eq!((status, &problem["errors"][0]["parameter"]), (400, &json!("url")), "{problem}");
    // A worker checks it again: the operator may have changed the setting.
    let lenient = deployment.start_api_with(&[PRIVATE]);
    let path = create(&lenient, &receiver.url, "").await;
    let worker = deployment.start_worker("worker");
    let attempt = eventually("an attempt", async || {
        Some(find(&lenient, &path).await["attempts"][0].clone()).filter(|attempt| !attempt.is_null())
    })
    .await;
    assert_eq!((&attempt["outcome"], receiver.count()), (&json!("address_refused"), 0));
    let metrics = worker.metrics().await;
    assert!(metrics.contains(r#"marquee_webhook_attempts_total{kind="changes",outcome="address_refused"} 1"#), "{metrics}");
    assert!(!worker.read_log().contains("whsec_") && !worker.read_log().contains("/hook"), "{}", worker.read_log());
}

//! What is pushed, as far as the API goes: stored and queued in one transaction, or refused with nothing left.

use std::{io::Write, sync::Arc};

use entity::{UtcInstant, job, pushed_feed, sync_run};
use flate2::{Compression, write::GzEncoder};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait, PaginatorTrait};

use crate::{
    catalogue::Catalogue,
    service::{Answer, Service},
};

on_every_backend!(
    what_is_accepted_is_stored_and_queued,
    what_cannot_be_accepted_leaves_nothing,
    a_full_queue_takes_no_more,
    a_dry_run_without_a_worker_says_so_and_leaves_nothing,
    dry_runs_that_wait_for_a_worker_keep_nobody_from_pushing,
);

const FEED: &str = "/providers/fever/feed";

async fn house(database: &TestDatabase) -> (Service, DatabaseConnection) {
    let catalogue = Catalogue::of(database).await;
    catalogue.provider("fever", "EUR", 2).await;
    (Service::on(database).await, catalogue.database)
}

async fn push(service: &Service, body: impl Into<poem::Body>, headers: &[(&str, &str)]) -> Answer {
    service.upload(Method::POST, FEED, ("application/xml", body), headers).await
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn counts(database: &DatabaseConnection) -> [u64; 3] {
    [
        pushed_feed::Entity::find().count(database).await.unwrap(),
        sync_run::Entity::find().count(database).await.unwrap(),
        job::Entity::find().count(database).await.unwrap(),
    ]
}

async fn what_is_accepted_is_stored_and_queued(database: Arc<TestDatabase>) {
    let (service, database) = house(&database).await;
    let body = gzipped(b"<eventList/>");
    let answer = push(&service, body.clone(), &[("content-encoding", "x-gzip")]).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let run = answer.json()["data"]["sync_run"].as_i64().unwrap();
    assert_eq!(
        (answer.header("location"), answer.header("retry-after")),
        (Some(format!("/sync-runs/{run}").as_str()), Some("1"))
    );
    assert_eq!(service.get(answer.header("location").unwrap()).await.json()["data"]["state"], "queued");
    let stored = pushed_feed::Entity::find().one(&database).await.unwrap().unwrap();
    assert_eq!((stored.body, stored.coding.as_str(), stored.sync_run_id), (Some(body), "gzip", Some(run)));
    let job = job::Entity::find_by_id(stored.job_id).one(&database).await.unwrap().unwrap();
    assert_eq!((job.kind.as_str(), job.lane.as_str(), job.in_order), ("push", "sync/fever", true));
}

async fn what_cannot_be_accepted_leaves_nothing(database: Arc<TestDatabase>) {
    let (service, database) = house(&database).await;
    push(&service, "", &[]).await.problem(400, "invalid_body");
    for coding in ["gzip", "br", "zstd"] {
        push(&service, "<eventList/>", &[("content-encoding", coding)]).await.problem(400, "invalid_body");
    }
    push(&service, "x", &[("content-encoding", "deflate")]).await.problem(415, "unsupported_media_type");
    push(&service, vec![b' '; (16 << 20) + 1], &[]).await.problem(413, "body_too_large");
    // 300 MB in a few hundred KB.
    let bomb = zstd::stream::encode_all(std::io::Read::take(std::io::repeat(b' '), 300 << 20), 1).unwrap();
    push(&service, bomb, &[("content-encoding", "zstd")]).await.problem(413, "body_too_large");
    let nobody = service.upload(Method::POST, "/providers/nobody/feed", ("application/xml", "x"), &[]).await;
    nobody.problem(404, "not_found");
    let path = format!("{FEED}?mode=all&dry_run=1&made=up");
    let answer = service.upload(Method::POST, &path, ("application/xml", "x"), &[]).await;
    let named: Vec<String> = answer.mistakes().into_iter().map(|(parameter, _)| parameter).collect();
    assert_eq!(named, ["made", "mode", "dry_run"]);
    assert_eq!(counts(&database).await, [0, 0, 0]);
}

async fn a_full_queue_takes_no_more(database: Arc<TestDatabase>) {
    let (service, database) = house(&database).await;
    let provider_id = entity::provider::Entity::find().one(&database).await.unwrap().unwrap().id;
    let waiting = |job_id| pushed_feed::ActiveModel {
        provider_id: Set(provider_id),
        job_id: Set(job_id),
        mode: Set(pushed_feed::Mode::Delta),
        coding: Set(String::new()),
        body_hash: Set(String::new()),
        accepted_at: Set(UtcInstant::now()),
        ..Default::default()
    };
    pushed_feed::Entity::insert_many((1_000..2_000).map(waiting)).exec_without_returning(&database).await.unwrap();
    let answer = push(&service, "<eventList/>", &[]).await;
    answer.problem(503, "queue_full");
    assert_eq!(answer.header("retry-after"), Some("10"));
    pushed_feed::Entity::delete_by_id(1).exec(&database).await.unwrap();
    assert_eq!(push(&service, "<eventList/>", &[]).await.status, 202);
}

async fn a_dry_run_without_a_worker_says_so_and_leaves_nothing(database: Arc<TestDatabase>) {
    let (service, database) = house(&database).await;
    let path = format!("{FEED}?dry_run=true");
    service.upload(Method::POST, &path, ("application/xml", "<eventList/>"), &[]).await.problem(503, "worker_unavailable");
    assert_eq!(counts(&database).await[..2], [0, 0], "the job alone is left, and finds nothing to do");
}

async fn dry_runs_that_wait_for_a_worker_keep_nobody_from_pushing(database: Arc<TestDatabase>) {
    let (service, database) = house(&database).await;
    let path = format!("{FEED}?dry_run=true");
    // More than bodies may be held at a time.
    let dry_run = || service.upload(Method::POST, &path, ("application/xml", "<eventList/>"), &[]);
    let dry_runs = futures_util::future::join_all((0..10).map(|_| dry_run()));
    let pushed = async {
        while counts(&database).await[0] < 10 {
            tokio::task::yield_now().await;
        }
        push(&service, "<eventList/>", &[]).await
    };
    // The dry runs are given up as soon as the push is answered.
    let pushed = tokio::select! {
        pushed = pushed => pushed,
        _ = dry_runs => panic!("the push waited for the dry runs"),
    };
    assert_eq!(pushed.status, 202, "{}", pushed.text());
}

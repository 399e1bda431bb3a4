//! Pushed feeds in the API: stored and queued in one transaction, or rejected without a trace.

use std::{io::Write, sync::Arc};

use entity::{UtcInstant, job, pushed_feed, sync_run};
use flate2::{Compression, write::GzEncoder};
use migration::{on_every_backend, testing::TestDatabase};
use poem::http::Method;
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait, PaginatorTrait};

use crate::{
    fixtures::CatalogueFixture,
    test_app::{TestApp, TestResponse},
};

on_every_backend!(
    an_accepted_feed_is_stored_and_queued,
    a_rejected_feed_leaves_no_rows,
    a_full_queue_rejects_feeds,
    a_dry_run_without_a_worker_is_503_and_leaves_no_rows,
    waiting_dry_runs_do_not_block_pushes,
);

const FEED: &str = "/providers/fever/feed";

async fn start_app_with_provider(database: &TestDatabase) -> (TestApp, DatabaseConnection) {
    let catalogue = CatalogueFixture::new(database).await;
    catalogue.insert_provider("fever", "EUR", 2).await;
    (TestApp::new(database).await, catalogue.database)
}

async fn push_feed(app: &TestApp, body: impl Into<poem::Body>, headers: &[(&str, &str)]) -> TestResponse {
    app.upload(Method::POST, FEED, ("application/xml", body), headers).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Inserts as many waiting feeds of the only provider as the queue accepts.
pub(crate) async fn fill_queue(database: &DatabaseConnection) {
    let provider = entity::provider::Entity::find().one(database).await.unwrap().unwrap();
    let waiting_feed = |job_id| pushed_feed::ActiveModel {
        provider_id: Set(provider.id),
        job_id: Set(job_id),
        mode: Set(pushed_feed::Mode::Delta),
        coding: Set(String::new()),
        body_hash: Set(String::new()),
        accepted_at: Set(UtcInstant::now()),
        ..Default::default()
    };
    let feeds = (1_000..2_000).map(waiting_feed);
    pushed_feed::Entity::insert_many(feeds).exec_without_returning(database).await.unwrap();
}

async fn count_rows(database: &DatabaseConnection) -> [u64; 3] {
    [
        pushed_feed::Entity::find().count(database).await.unwrap(),
        sync_run::Entity::find().count(database).await.unwrap(),
        job::Entity::find().count(database).await.unwrap(),
    ]
}

async fn an_accepted_feed_is_stored_and_queued(database: Arc<TestDatabase>) {
    let (app, database) = start_app_with_provider(&database).await;
    let body = gzip(b"<eventList/>");
    let response = push_feed(&app, body.clone(), &[("content-encoding", "x-gzip")]).await;
    assert_eq!(response.status, 202, "{}", response.text());
    let run = response.json()["data"]["sync_run"].as_i64().unwrap();
    assert_eq!(
        (response.header("location"), response.header("retry-after")),
        (Some(format!("../../sync-runs/{run}").as_str()), Some("1"))
    );
    assert_eq!(app.get(&response.location()).await.json()["data"]["state"], "queued");
    let stored = pushed_feed::Entity::find().one(&database).await.unwrap().unwrap();
    assert_eq!((stored.body, stored.coding.as_str(), stored.sync_run_id), (Some(body), "gzip", Some(run)));
    let job = job::Entity::find_by_id(stored.job_id).one(&database).await.unwrap().unwrap();
    assert_eq!((job.kind.as_str(), job.lane.as_str(), job.in_order), ("push", "sync/fever", true));
}

async fn a_rejected_feed_leaves_no_rows(database: Arc<TestDatabase>) {
    let (app, database) = start_app_with_provider(&database).await;
    push_feed(&app, "", &[]).await.problem(400, "invalid_body");
    for coding in ["gzip", "br", "zstd"] {
        push_feed(&app, "<eventList/>", &[("content-encoding", coding)]).await.problem(400, "invalid_body");
    }
    push_feed(&app, "x", &[("content-encoding", "deflate")]).await.problem(415, "unsupported_media_type");
    push_feed(&app, vec![b' '; (16 << 20) + 1], &[]).await.problem(413, "body_too_large");
    // 300 MiB of blanks compress to a few hundred KB.
    let bomb = zstd::stream::encode_all(std::io::Read::take(std::io::repeat(b' '), 300 << 20), 1).unwrap();
    push_feed(&app, bomb, &[("content-encoding", "zstd")]).await.problem(413, "body_too_large");
    let response = app.upload(Method::POST, "/providers/unknown/feed", ("application/xml", "x"), &[]).await;
    response.problem(404, "not_found");
    let path = format!("{FEED}?mode=all&dry_run=1&made=up");
    let response = app.upload(Method::POST, &path, ("application/xml", "x"), &[]).await;
    let parameters: Vec<String> = response.validation_errors().into_iter().map(|(parameter, _)| parameter).collect();
    assert_eq!(parameters, ["mode", "dry_run", "made"]);
    assert_eq!(count_rows(&database).await, [0, 0, 0]);
}

async fn a_full_queue_rejects_feeds(database: Arc<TestDatabase>) {
    let (app, database) = start_app_with_provider(&database).await;
    fill_queue(&database).await;
    let response = push_feed(&app, "<eventList/>", &[]).await;
    response.problem(503, "queue_full");
    assert_eq!(response.header("retry-after"), Some("10"));
    pushed_feed::Entity::delete_by_id(1).exec(&database).await.unwrap();
    assert_eq!(push_feed(&app, "<eventList/>", &[]).await.status, 202);
}

async fn a_dry_run_without_a_worker_is_503_and_leaves_no_rows(database: Arc<TestDatabase>) {
    let (app, database) = start_app_with_provider(&database).await;
    let path = format!("{FEED}?dry_run=true");
    app.upload(Method::POST, &path, ("application/xml", "<eventList/>"), &[]).await.problem(503, "worker_unavailable");
    assert_eq!(count_rows(&database).await[..2], [0, 0], "only the job is left, and has nothing to do");
}

async fn waiting_dry_runs_do_not_block_pushes(database: Arc<TestDatabase>) {
    let (app, database) = start_app_with_provider(&database).await;
    let path = format!("{FEED}?dry_run=true");
    // More than the number of bodies that may be in memory.
    let dry_run = || app.upload(Method::POST, &path, ("application/xml", "<eventList/>"), &[]);
    let dry_runs = futures_util::future::join_all((0..10).map(|_| dry_run()));
    let pushed = async {
        while count_rows(&database).await[0] < 10 {
            tokio::task::yield_now().await;
        }
        push_feed(&app, "<eventList/>", &[]).await
    };
    // The dry runs are cancelled as soon as the push has its response.
    let pushed = tokio::select! {
        pushed = pushed => pushed,
        _ = dry_runs => panic!("the push waited for the dry runs"),
    };
    assert_eq!(pushed.status, 202, "{}", pushed.text());
}

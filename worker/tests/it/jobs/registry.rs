//! Every kind is claimed and run through the registry, including jobs that the previous release enqueued.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use entity::{
    ConnectionRole, UtcInstant, datum,
    job::{Claim, JobKind, queue as jobs},
    sync_run::RunState,
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, DatabaseConnection, EntityTrait, Statement};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use worker::{
    jobs::{
        JobContext, JobOutcome, delivery_registry, registry,
        registry::{Handler, Registry},
        runner::Runner,
    },
    sync::FeedSource,
};

use super::{LONG, TestJob};
use crate::{
    copy::runs_of,
    entries, fixtures,
    patience::{eventually, in_time},
};

on_every_backend!(runs_the_jobs_of_the_previous_release);

/// The rows that the previous release wrote for each kind.
const PREVIOUS_JOBS: [(&str, &str, &str, &str); 4] = [
    ("sync", "sync/northstage/1000000", "sync/northstage", r#"{"provider":"northstage"}"#),
    ("push", "push/northstage/42bb1cc0", "sync/northstage", r#"{"provider":"northstage"}"#),
    ("datum", "datum/1", "datum", "1"),
    ("tidy", "tidy", "tidy", ""),
];

async fn insert_previous(database: &DatabaseConnection, (kind, key, lane, payload): (&str, &str, &str, &str)) {
    let sql = r#"INSERT INTO job (kind, "key", lane, payload, state, run_at, attempt, max_attempts, epoch, created_at, in_order)
        VALUES ($1, $2, $3, $4, 'queued', 1, 0, 1, 0, 1, $5)"#;
    let values = [kind.into(), key.into(), lane.into(), payload.into(), (kind == "push").into()];
    database.execute_raw(Statement::from_sql_and_values(database.get_database_backend(), sql, values)).await.unwrap();
}

async fn runs_the_jobs_of_the_previous_release(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let datum = datum::ActiveModel { data: Set("hello".to_owned()), accepted_at: Set(UtcInstant::now()), ..Default::default() };
    let datum = datum.insert(&database).await.unwrap();
    assert_eq!(datum.id, 1);
    for job in PREVIOUS_JOBS {
        insert_previous(&database, job).await;
    }
    let entry = entries::entry("northstage", "http://127.0.0.1:1/feed", "");
    let source = FeedSource::File(fixtures::path("three_polls/first.xml"));
    let context = JobContext::new(database.clone(), entries::unchanging(vec![entry]), source);
    let runner = Runner::new(database.clone(), registry(), context, LONG, Arc::new(Notify::new()));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let running = tokio::spawn(async move { runner.run(&stopped).await });
    eventually("all jobs are done", async || {
        let jobs = jobs::list(&database).await.unwrap();
        assert!(jobs.iter().all(|job| job.reason.is_none()), "{jobs:?}");
        jobs.is_empty().then_some(())
    })
    .await;
    stop.cancel();
    assert!(in_time("the runner", running).await.unwrap());
    assert_eq!(runs_of(&database, "northstage").await[0].state, RunState::Succeeded);
    assert!(datum::Entity::find_by_id(1).one(&database).await.unwrap().unwrap().processed_at.is_some());
}

#[test]
fn claims_every_registered_kind_and_its_previous_names() {
    assert_eq!(
        registry().kinds(),
        [
            "boundary",
            "boundary_backfill",
            "cleanup",
            "datum",
            "listing_backfill",
            "name_backfill",
            "push",
            "sync",
            "tidy",
            "totals_backfill",
            "words_backfill"
        ]
    );
    assert_eq!(delivery_registry().kinds(), ["webhook", "webhook_test"]);
}

/// Stores the payloads of the jobs that were run.
type Payloads = Mutex<Vec<String>>;

#[derive(Serialize, Deserialize)]
struct OtherJob(HashMap<String, i32>);

impl JobKind for OtherJob {
    const KIND: &'static str = "other";
    const MAX_ATTEMPTS: i32 = 1;

    fn key(&self) -> String {
        String::new()
    }

    fn lane(&self) -> String {
        String::new()
    }
}

impl Handler<Payloads> for OtherJob {
    async fn run(self, payloads: &Payloads, _: &Claim) -> JobOutcome {
        payloads.lock().unwrap().push(format!("{:?}", self.0));
        JobOutcome::Done
    }
}

impl Handler<Payloads> for TestJob {
    async fn run(self, payloads: &Payloads, _: &Claim) -> JobOutcome {
        payloads.lock().unwrap().push(self.key);
        JobOutcome::Done
    }
}

fn claim_of(kind: &str, payload: &str) -> Claim {
    Claim { id: 1, kind: kind.to_owned(), lane: String::new(), payload: payload.to_owned(), attempt: 1, epoch: 1 }
}

#[tokio::test]
async fn dispatches_a_job_to_the_handler_of_its_kind() {
    let registry = Registry::default().with::<TestJob>().with::<OtherJob>();
    let payloads = Payloads::default();
    assert_eq!(registry.dispatch(&payloads, &claim_of("other", r#"{"a":1}"#)).await, JobOutcome::Done);
    assert_eq!(registry.dispatch(&payloads, &claim_of("test", r#"{"key":"k","lane":"l"}"#)).await, JobOutcome::Done);
    assert_eq!(*payloads.lock().unwrap(), [r#"{"a": 1}"#, "k"]);
}

#[tokio::test]
async fn a_job_with_an_invalid_payload_fails() {
    let registry = Registry::default().with::<TestJob>();
    let outcome = registry.dispatch(&Payloads::default(), &claim_of("test", "[]")).await;
    let JobOutcome::Failed { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.starts_with("the payload is not a valid `test` job: "), "{reason}");
}

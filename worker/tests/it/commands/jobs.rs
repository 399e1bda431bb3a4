//! `marquee-worker jobs`.

use entity::{
    ConnectionRole,
    job::{self, JobState, SyncJob, queue as jobs},
};
use sea_orm::{ConnectionTrait, EntityTrait};

use super::{SLUG, Sandbox};

#[tokio::test]
async fn lists_and_retries_a_dead_job() {
    let sandbox = Sandbox::new().await;
    let database = sandbox.database.connect(ConnectionRole::Worker).await;
    let empty = sandbox.run(&["jobs", "list"]);
    assert_eq!((empty.code, empty.stdout.lines().count()), (Some(0), 1), "{}", empty.stdout);
    assert_eq!(sandbox.run(&["jobs", "list", "--json"]).stdout.trim(), "[]");

    let id = jobs::enqueue(&database, &SyncJob::new(SLUG, "now")).await.unwrap().unwrap();
    database.execute_unprepared("UPDATE job SET max_attempts = 1").await.unwrap();
    let claim = jobs::claim(&database, &["sync"], "a/1", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(sandbox.run(&["jobs", "retry", &id.to_string()]).code, Some(1), "it is running");
    jobs::retry(&database, &claim, std::time::Duration::ZERO, "unavailable").await.unwrap();
    let listed = sandbox.run(&["jobs", "list"]).stdout;
    let line = listed.lines().nth(1).unwrap();
    for word in ["sync/northstage", "dead", "1/1", "unavailable"] {
        assert!(line.contains(word), "{line}");
    }
    let listed: serde_json::Value = serde_json::from_str(&sandbox.run(&["jobs", "list", "--json"]).stdout).unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&id.into(), &"dead".into()));

    assert_eq!(sandbox.run(&["jobs", "retry", &id.to_string()]).code, Some(0));
    assert_eq!(job::Entity::find_by_id(id).one(&database).await.unwrap().unwrap().state, JobState::Queued);
}

#[tokio::test]
async fn a_job_that_does_not_exist_cannot_be_retried() {
    let output = Sandbox::new().await.run(&["jobs", "retry", "7"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""));
    assert!(output.error_message().contains("job 7 is not dead or queued"), "{}", output.stderr);
}

//! `marquee-worker jobs`.

use entity::{
    ConnectionRole,
    job::{self, JobState, SyncJob, queue as jobs},
};
use sea_orm::{ConnectionTrait, EntityTrait};

use super::{Office, SLUG};

#[tokio::test]
async fn what_was_given_up_is_listed_and_can_be_retried() {
    let office = Office::new().await;
    let database = office.database.connect(ConnectionRole::Worker).await;
    let empty = office.told(&["jobs", "list"]);
    assert_eq!((empty.code, empty.stdout.lines().count()), (Some(0), 1), "{}", empty.stdout);
    assert_eq!(office.told(&["jobs", "list", "--json"]).stdout.trim(), "[]");

    let id = jobs::enqueue(&database, &SyncJob::new(SLUG, "now")).await.unwrap().unwrap();
    database.execute_unprepared("UPDATE job SET max_attempts = 1").await.unwrap();
    let claim = jobs::claim(&database, &["sync"], "a/1", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(office.told(&["jobs", "retry", &id.to_string()]).code, Some(1), "it runs");
    jobs::retry(&database, &claim, std::time::Duration::ZERO, "out of luck").await.unwrap();
    let listed = office.told(&["jobs", "list"]).stdout;
    let line = listed.lines().nth(1).unwrap();
    for word in ["sync/northstage", "dead", "1/1", "out of luck"] {
        assert!(line.contains(word), "{line}");
    }
    let listed: serde_json::Value = serde_json::from_str(&office.told(&["jobs", "list", "--json"]).stdout).unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&id.into(), &"dead".into()));

    assert_eq!(office.told(&["jobs", "retry", &id.to_string()]).code, Some(0));
    assert_eq!(job::Entity::find_by_id(id).one(&database).await.unwrap().unwrap().state, JobState::Queued);
}

#[tokio::test]
async fn a_job_that_is_not_there_cannot_be_retried() {
    let told = Office::new().await.told(&["jobs", "retry", "7"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""));
    assert!(told.last_words().contains("no job 7 is dead or waits"), "{}", told.stderr);
}

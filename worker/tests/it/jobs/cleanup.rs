//! Rows are deleted when their retention period is over.

use std::{sync::Arc, time::Duration};

use entity::{
    ConnectionRole, UtcInstant, datum,
    job::{JobKind, RetryOutcome, queue as jobs},
    release::{self, Cause},
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveValue::Set, EntityTrait, IntoActiveModel};
use worker::jobs::cleanup::{CleanupJob, RETENTION, delete_expired};

use super::LONG;

on_every_backend!(deletes_only_rows_older_than_the_retention_period, a_failed_cleanup_does_not_prevent_the_next_one);

async fn deletes_only_rows_older_than_the_retention_period(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let before = |age: Duration| UtcInstant(UtcInstant::now().0 - i64::try_from(age.as_micros()).unwrap());
    let minute = Duration::from_secs(60);
    let datum =
        |data: &str, age| datum::ActiveModel { data: Set(data.to_owned()), accepted_at: Set(before(age)), ..Default::default() };
    let data = [datum("old", RETENTION + minute), datum("young", RETENTION - minute), datum("new", Duration::ZERO)];
    datum::Entity::insert_many(data).exec_without_returning(&database).await.unwrap();
    let release = |version, age| release::Model {
        version,
        raised_at: before(age),
        cause: Cause::Places.name().to_owned(),
        cause_id: None,
        action: None,
        footprint: "{\"parts\":[]}".to_owned(),
    };
    let releases = [release(1, RETENTION + minute), release(2, RETENTION - minute)].map(IntoActiveModel::into_active_model);
    release::Entity::insert_many(releases).exec_without_returning(&database).await.unwrap();
    assert_eq!(delete_expired(&database).await.unwrap(), 2);
    let releases = release::list_after(&database, 0, 10).await.unwrap();
    assert_eq!(releases.into_iter().map(|release| release.version).collect::<Vec<_>>(), [2]);
    let remaining = datum::Entity::find().all(&database).await.unwrap();
    assert_eq!(remaining.into_iter().map(|datum| datum.data).collect::<Vec<_>>(), ["young", "new"]);
    assert_eq!(delete_expired(&database).await.unwrap(), 0);
}

async fn a_failed_cleanup_does_not_prevent_the_next_one(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let [first, second] = [1, 2].map(|hour| CleanupJob::new(UtcInstant(hour * 3_600_000_000)));
    assert!(jobs::enqueue(&database, &first).await.unwrap().is_some());
    let claim = jobs::claim(&database, &[CleanupJob::KIND], "w", LONG).await.unwrap().unwrap();
    assert_eq!(jobs::retry(&database, &claim, Duration::ZERO, "database unavailable").await.unwrap(), RetryOutcome::Dead);

    assert!(jobs::enqueue(&database, &second).await.unwrap().is_some());
    assert_eq!(jobs::enqueue(&database, &second).await.unwrap(), None, "once in the whole deployment");
    assert!(jobs::claim(&database, &[CleanupJob::KIND], "w", LONG).await.unwrap().is_some());
}

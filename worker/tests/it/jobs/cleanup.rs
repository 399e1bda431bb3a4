//! Rows are deleted when their retention period is over.

use std::{sync::Arc, time::Duration};

use entity::{
    ConnectionRole, UtcInstant,
    change::{self, ChangeKind},
    change_retention, datum,
    job::{JobKind, RetryOutcome, queue as jobs},
    release::{self, Cause},
};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveValue::Set, EntityTrait, IntoActiveModel, QueryOrder};
use worker::jobs::cleanup::{CleanupJob, RETENTION, delete_expired};

use super::LONG;

on_every_backend!(
    deletes_only_rows_older_than_the_retention_period,
    a_failed_cleanup_does_not_prevent_the_next_one,
    removes_changes_in_steps_and_records_through_which_version,
);

fn before(age: Duration) -> UtcInstant {
    UtcInstant::now() - age
}

async fn deletes_only_rows_older_than_the_retention_period(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
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

/// More changes than a step removes, in one release.
async fn removes_changes_in_steps_and_records_through_which_version(database: Arc<TestDatabase>) {
    const OLD_UPDATES: i32 = 5_000;
    let database = database.connect(ConnectionRole::Worker).await;
    let minute = Duration::from_secs(60);
    let change = |version, ordinal, kind: ChangeKind, at| change::Model {
        version,
        ordinal,
        at,
        kind,
        provider_id: 1,
        event_id: uuid::Uuid::nil(),
        changed: "{}".to_owned(),
        states: None,
    };
    let (updated, created) = (ChangeKind::Updated, ChangeKind::Created);
    let expired = |kind: ChangeKind| before(kind.retention() + minute);
    let mut rows = vec![change(1, 0, created, expired(created)), change(2, 0, updated, expired(created))];
    rows.extend((0..OLD_UPDATES).map(|ordinal| change(3, ordinal, updated, expired(updated))));
    rows.push(change(3, OLD_UPDATES, created, expired(updated)));
    rows.push(change(4, 0, updated, before(updated.retention() - minute)));
    // Its clock was wrong, but it is later in the log than one that is retained.
    rows.push(change(5, 0, updated, expired(updated)));
    for rows in rows.chunks(1_000) {
        let rows = rows.iter().cloned().map(IntoActiveModel::into_active_model);
        change::Entity::insert_many(rows).exec_without_returning(&database).await.unwrap();
    }

    assert_eq!(delete_expired(&database).await.unwrap(), u64::try_from(OLD_UPDATES).unwrap() + 2);

    let remaining = change::Entity::find().order_by_asc(change::Column::Version).all(&database).await.unwrap();
    let remaining: Vec<_> = remaining.iter().map(|change| (change.version, change.kind)).collect();
    assert_eq!(remaining, [(3, created), (4, updated), (5, updated)]);
    let removed = async || {
        let removed = change_retention::Entity::find().all(&database).await.unwrap();
        let mut removed: Vec<_> = removed.into_iter().map(|removed| (removed.kind, removed.removed_through)).collect();
        removed.sort();
        removed
    };
    assert_eq!(removed().await, [(created, 1), (updated, 3)]);
    assert_eq!(delete_expired(&database).await.unwrap(), 0);
    assert_eq!(removed().await, [(created, 1), (updated, 3)]);

    // A job that lost its lease, and removes an older change after the one that took over.
    let late = change(2, 7, updated, expired(updated)).into_active_model();
    change::Entity::insert(late).exec_without_returning(&database).await.unwrap();
    assert_eq!(delete_expired(&database).await.unwrap(), 1);
    assert_eq!(removed().await, [(created, 1), (updated, 3)], "it never decreases");
}

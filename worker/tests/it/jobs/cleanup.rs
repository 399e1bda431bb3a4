//! Rows are deleted when their retention period is over.

use std::{sync::Arc, time::Duration};

use entity::{ConnectionRole, UtcInstant, datum};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveValue::Set, EntityTrait};
use worker::jobs::cleanup::{RETENTION, delete_expired};

on_every_backend!(deletes_only_rows_older_than_the_retention_period);

async fn deletes_only_rows_older_than_the_retention_period(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let before = |age: Duration| UtcInstant(UtcInstant::now().0 - i64::try_from(age.as_micros()).unwrap());
    let minute = Duration::from_secs(60);
    let datum =
        |data: &str, age| datum::ActiveModel { data: Set(data.to_owned()), accepted_at: Set(before(age)), ..Default::default() };
    let data = [datum("old", RETENTION + minute), datum("young", RETENTION - minute), datum("new", Duration::ZERO)];
    datum::Entity::insert_many(data).exec_without_returning(&database).await.unwrap();
    assert_eq!(delete_expired(&database).await.unwrap(), 1);
    let remaining = datum::Entity::find().all(&database).await.unwrap();
    assert_eq!(remaining.into_iter().map(|datum| datum.data).collect::<Vec<_>>(), ["young", "new"]);
    assert_eq!(delete_expired(&database).await.unwrap(), 0);
}

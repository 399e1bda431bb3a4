//! What the probe was given is dropped when its time is over.

use std::{sync::Arc, time::Duration};

use entity::{ConnectionRole, UtcInstant, datum};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveValue::Set, EntityTrait};
use worker::jobs::tidying::{KEPT_FOR, drop_old};

on_every_backend!(what_is_older_than_its_time_is_dropped);

async fn what_is_older_than_its_time_is_dropped(database: Arc<TestDatabase>) {
    let database = database.connect(ConnectionRole::Worker).await;
    let before = |age: Duration| UtcInstant(UtcInstant::now().0 - i64::try_from(age.as_micros()).unwrap());
    let minute = Duration::from_secs(60);
    let datum =
        |data: &str, age| datum::ActiveModel { data: Set(data.to_owned()), accepted_at: Set(before(age)), ..Default::default() };
    let data = [datum("old", KEPT_FOR + minute), datum("young", KEPT_FOR - minute), datum("new", Duration::ZERO)];
    datum::Entity::insert_many(data).exec_without_returning(&database).await.unwrap();
    assert_eq!(drop_old(&database).await.unwrap(), 1);
    let left = datum::Entity::find().all(&database).await.unwrap();
    assert_eq!(left.into_iter().map(|datum| datum.data).collect::<Vec<_>>(), ["young", "new"]);
    assert_eq!(drop_old(&database).await.unwrap(), 0);
}

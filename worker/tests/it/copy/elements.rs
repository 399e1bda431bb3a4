//! Elements with bytes that were read before are not parsed again, and have the same result as if they were.

use std::{collections::BTreeMap, sync::Arc};

use entity::base_event;
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr};
use worker::sync::Counts;

use super::Copying;
use crate::feeds::{event, feed, online};

on_every_backend!(
    known_elements_are_not_parsed,
    elements_with_warnings_and_rejects_are_parsed_each_time,
    elements_of_an_earlier_copy_are_learned,
    a_copy_that_another_program_has_changed_is_read_again,
    other_settings_read_everything_again,
);

fn show(id: &str) -> String {
    online(id, &[event(&format!("{id}1"), &["5.00", "7.00"]), event(&format!("{id}2"), &["9.00"])])
}

/// The stored hashes of elements by the ids of their base events.
async fn hashes(copying: &Copying) -> BTreeMap<String, Option<i64>> {
    let rows = base_event::Entity::find().all(&copying.database).await.unwrap();
    rows.into_iter().map(|row| (row.source_id, row.element_hash)).collect()
}

async fn find(copying: &Copying, id: &str) -> base_event::Model {
    let row = base_event::Entity::find().filter(base_event::Column::SourceId.eq(id)).one(&copying.database).await.unwrap();
    row.unwrap()
}

/// Exchanges the hashes of two rows, so that each is found by the bytes of the other: whether bytes are parsed becomes visible.
async fn exchange(copying: &Copying, ids: [&str; 2]) {
    let [one, other] = [find(copying, ids[0]).await, find(copying, ids[1]).await];
    let bytes = |row: &base_event::Model| row.element_hash.unwrap() ^ row.content_hash.unwrap();
    for (row, other) in [(&one, &other), (&other, &one)] {
        let mut update = row.clone().into_active_model();
        update.element_hash = Set(Some(bytes(other) ^ row.content_hash.unwrap()));
        update.element_events = Set(Some(5));
        update.update(&copying.database).await.unwrap();
    }
}

async fn known_elements_are_not_parsed(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[show("1"), show("2"), show("3")])).await;
    assert!(hashes(&copying).await.values().all(Option::is_some));
    exchange(&copying, ["1", "2"]).await;
    let counts = copying.accept(feed(&[show("3"), show("2"), show("1"), show("4")])).await;
    assert_eq!(counts, Counts { fetched: 14, inserted: 2, unchanged: 12, ..Counts::default() }, "with the counts of the rows");
}

async fn elements_with_warnings_and_rejects_are_parsed_each_time(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let warned = show("1").replacen("price=\"9.00\"", "price=\"9.00\" numbered=\"perhaps\"", 1);
    let rejected = show("2").replacen("2031-", "2031-99-", 1);
    let repeated = online("3", &[event("31", &["5.00"]), event("31", &["6.00"])]);
    let base_events = [warned, rejected, repeated, show("4")];
    let first = copying.sync(feed(&base_events)).await.unwrap().counts;
    let stored: Vec<String> = hashes(&copying).await.into_iter().filter(|(_, hash)| hash.is_some()).map(|(id, _)| id).collect();
    assert_eq!(stored, ["4"], "{first:?}");
    let mut reversed = base_events;
    reversed.reverse();
    let again = copying.sync(feed(&reversed)).await.unwrap().counts;
    assert_eq!((again.rejected, again.warned, again.fetched), (first.rejected, first.warned, first.fetched));
    assert!(again.rejected > 0 && again.warned > 1, "{again:?}");
}

async fn elements_of_an_earlier_copy_are_learned(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[show("1"), show("2")])).await;
    let stored = hashes(&copying).await;
    let none = Expr::value(Option::<i64>::None);
    let forgetting = base_event::Entity::update_many().col_expr(base_event::Column::ElementHash, none);
    forgetting.exec(&copying.database).await.unwrap();
    let version = copying.version().await;
    copying.accept(feed(&[show("2"), show("1")])).await;
    assert_eq!((hashes(&copying).await, copying.version().await), (stored, version));
}

/// A program that does not know elements changes the content, and leaves the hash of the bytes.
async fn a_copy_that_another_program_has_changed_is_read_again(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[show("1"), show("2")])).await;
    let before = copying.tables().await;
    let row = find(&copying, "1").await;
    let (title, content_hash) = (Set("Another".to_owned()), Set(row.content_hash.map(|hash| hash + 1)));
    base_event::ActiveModel { title, content_hash, ..row.into_active_model() }.update(&copying.database).await.unwrap();
    copying.accept(feed(&[show("2"), show("1")])).await;
    assert_eq!(copying.tables().await.base_events, before.base_events);
}

async fn other_settings_read_everything_again(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(feed(&[show("1"), show("2")])).await;
    let (stored, before) = (hashes(&copying).await, copying.tables().await);
    let mut elsewhere = Copying::with(&database, "time_zone = \"America/Bogota\"").await;
    assert_eq!(elsewhere.accept(feed(&[show("2"), show("1")])).await.updated, 4);
    let after = elsewhere.tables().await;
    assert!(before.events.iter().zip(&after.events).all(|(old, new)| old.starts_at != new.starts_at));
    assert!(hashes(&elsewhere).await.iter().all(|(id, hash)| hash.is_some() && *hash != stored[id]));
    // Back: the bytes have the former meaning again.
    elsewhere.entry = copying.entry.clone();
    assert_eq!(elsewhere.accept(feed(&[show("1"), show("2")])).await.updated, 4);
    let starts = |events: &[entity::event::Model]| events.iter().map(|event| event.starts_at).collect::<Vec<_>>();
    assert_eq!(starts(&elsewhere.tables().await.events), starts(&before.events));
}

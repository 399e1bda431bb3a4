//! A damaged feed is copied whole or not at all, and no event is ever deleted.

use std::{collections::HashSet, sync::Arc};

use migration::{on_every_backend, testing::TestDatabase};
use proptest::{prelude::Strategy, strategy::ValueTree, test_runner::TestRunner};
use uuid::Uuid;
use worker::{provider::item::ParsedFeed, sync::identity};

use super::{Copying, Tables};
use crate::{
    fixtures,
    format::{
        any_bytes::{mutate, mutation},
        parse,
    },
};

on_every_backend!(a_feed_truncated_at_any_byte_changes_nothing, a_mutated_feed_is_copied_whole_or_not_at_all,);

async fn a_feed_truncated_at_any_byte_changes_nothing(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(fixtures::bytes("three_polls/first.xml")).await;
    let before = copying.tables().await;
    let whole = fixtures::bytes("sound/small.xml");
    let end_of_root = whole.len() - 1;
    for length in 0..end_of_root {
        copying.sync(&whole[..length]).await.expect_err(&format!("truncated after {length} bytes"));
    }
    assert_eq!(copying.tables().await, before);
}

/// What never changes of an event.
fn identities(tables: &Tables) -> HashSet<(Uuid, String)> {
    tables.events.iter().map(|event| (event.id, event.source_id.clone())).collect()
}

/// Asserts that the copy has every event of the feed.
fn assert_whole(tables: &Tables, feed: &ParsedFeed) {
    let present: HashSet<Uuid> = tables.events.iter().filter(|event| event.left_at.is_none()).map(|event| event.id).collect();
    for base_event in &feed.base_events {
        for event in &base_event.events {
            let id = identity::event_id(super::SLUG, &base_event.source_id, &event.source_id);
            assert!(present.contains(&id), "{}/{} is missing", base_event.source_id, event.source_id);
        }
    }
}

async fn a_mutated_feed_is_copied_whole_or_not_at_all(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(fixtures::bytes("three_polls/first.xml")).await;
    let mut runner = TestRunner::deterministic();
    let mutations = proptest::collection::vec(mutation(), 1..3);
    let (mut accepted, mut rejected) = (0, 0);
    for _ in 0..150 {
        let document = mutate(fixtures::bytes("three_polls/second.xml"), &mutations.new_tree(&mut runner).unwrap().current());
        let before = copying.tables().await;
        let outcome = copying.sync(&document).await;
        let after = copying.tables().await;
        assert!(
            identities(&after).is_superset(&identities(&before)),
            "an event was deleted: {}",
            String::from_utf8_lossy(&document)
        );
        match outcome {
            Ok(_) => {
                accepted += 1;
                assert_whole(&after, &parse(&document).unwrap());
            }
            Err(_) => {
                rejected += 1;
                assert_eq!(after, before, "{}", String::from_utf8_lossy(&document));
            }
        }
    }
    assert!(accepted > 10 && rejected > 20, "{accepted} accepted, {rejected} rejected");
}

//! An untrusted document changes nothing, and the ledger has the reason.

use std::sync::Arc;

use entity::sync_run::RunState;
use migration::{on_every_backend, testing::TestDatabase};
use worker::sync::FeedSource;

use super::{Copying, sync_now};
use crate::fixtures;

on_every_backend!(
    an_untrusted_document_does_not_change_the_copy,
    an_untrusted_first_document_leaves_the_copy_empty,
    a_document_over_the_size_limit_is_rejected,
    a_missing_file_is_a_failed_run,
    the_next_valid_document_is_accepted_also_if_it_is_the_previous_one,
);

async fn an_untrusted_document_does_not_change_the_copy(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(fixtures::bytes("three_polls/first.xml")).await;
    let (tables, provider) = (copying.tables().await, copying.provider().await);
    let untrusted = fixtures::untrusted();
    for document in &untrusted {
        let refusal = copying.sync(&document.bytes).await.expect_err(&document.name);
        assert_eq!(refusal.code(), document.code, "{}", document.name);
        let run = copying.last_run().await;
        assert_eq!((run.state, run.reason_code), (RunState::Failed, Some(document.code.clone())), "{}", document.name);
        assert_eq!(run.reason, Some(refusal.to_string()), "{}", document.name);
        assert!(run.ended_at.is_some(), "{}", document.name);
        assert!(copying.last_rejects().await.is_empty(), "{}", document.name);
        assert_eq!(copying.tables().await, tables, "{}", document.name);
        assert_eq!(copying.provider().await, provider, "{}", document.name);
    }
    assert_eq!(copying.runs().await.len(), 1 + untrusted.len());
}

async fn an_untrusted_first_document_leaves_the_copy_empty(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let refusal = copying.sync(fixtures::bytes("untrusted/truncated/exactly_between_two_tags.xml")).await.unwrap_err();
    assert_eq!(refusal.code(), "truncated");
    let tables = copying.tables().await;
    assert_eq!((tables.version, tables.base_events.len(), tables.events.len()), (0, 0, 0));
    assert_eq!(copying.provider().await.last_success_at, None);
}

async fn a_document_over_the_size_limit_is_rejected(database: Arc<TestDatabase>) {
    let document = fixtures::bytes("three_polls/first.xml");
    let copying = Copying::with(&database, &format!("max_body_bytes = {}", document.len())).await;
    copying.accept(&document).await;
    let tables = copying.tables().await;
    let mut longer = fixtures::bytes("three_polls/first.xml");
    longer.push(b'\n');
    assert_eq!(copying.sync(longer).await.unwrap_err().code(), "too_large");
    let run = copying.last_run().await;
    assert_eq!((run.state, run.reason_code.as_deref()), (RunState::Failed, Some("too_large")));
    assert!(run.reason.unwrap().contains(&document.len().to_string()), "the reason contains the limit");
    assert_eq!(copying.tables().await, tables);
}

async fn a_missing_file_is_a_failed_run(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let missing = FeedSource::File(fixtures::path("missing.xml"));
    let refusal = sync_now(&copying.database, &copying.entry, &missing).await.unwrap_err();
    assert_eq!((refusal.code(), copying.last_run().await.reason_code.as_deref()), ("unreadable_file", Some("unreadable_file")));
}

async fn the_next_valid_document_is_accepted_also_if_it_is_the_previous_one(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    copying.accept(fixtures::bytes("three_polls/first.xml")).await;
    copying.sync(fixtures::bytes("untrusted/malformed/feed.json")).await.unwrap_err();
    assert_eq!(copying.sync(fixtures::bytes("three_polls/first.xml")).await.unwrap().state, RunState::Unchanged);
    copying.sync(fixtures::bytes("untrusted/malformed/feed.json")).await.unwrap_err();
    assert_eq!(copying.accept(fixtures::bytes("three_polls/second.xml")).await.updated, 2);
    let states: Vec<RunState> = copying.runs().await.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Succeeded, RunState::Failed, RunState::Unchanged, RunState::Failed, RunState::Succeeded]);
}

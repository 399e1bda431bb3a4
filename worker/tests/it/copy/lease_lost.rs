//! A worker that lost its lease: its late document never replaces the newer copy.

use std::sync::Arc;

use entity::{job, sync_run::RunState};
use migration::{on_every_backend, testing::TestDatabase};
use sea_orm::ConnectionTrait;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use worker::{
    provider::fetch,
    sync::{self, FeedSource},
};

use super::{Copying, hold};
use crate::feeds::{event, feed, online};

on_every_backend!(
    a_late_document_changes_nothing,
    a_late_document_equal_to_an_older_copy_changes_nothing,
    a_sync_whose_lease_is_lost_before_it_starts_changes_no_run,
    a_write_after_the_lease_is_lost_is_rolled_back,
);

async fn a_late_document_changes_nothing(database: Arc<TestDatabase>) {
    assert_rejected(&database, "5.00").await;
}

/// Its hash is that of the previous copy, which has been replaced.
async fn a_late_document_equal_to_an_older_copy_changes_nothing(database: Arc<TestDatabase>) {
    assert_rejected(&database, "4.00").await;
}

async fn a_sync_whose_lease_is_lost_before_it_starts_changes_no_run(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let late = hold(&copying.database, "northstage").await;
    lose(&copying, &late).await;
    copying.accept(at_price("6.00")).await;
    let runs = copying.runs().await;
    let missing = FeedSource::File("nowhere".into());
    let refusal = sync::sync(&copying.database, &copying.entry, &missing, &late).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.is_internal()), ("lease_lost", true));
    assert_eq!(copying.runs().await, runs);
}

/// The copy is unchanged, so only the epoch check detects the loss.
async fn a_write_after_the_lease_is_lost_is_rolled_back(database: Arc<TestDatabase>) {
    for price in ["4.00", "5.00"] {
        let copying = Copying::new(&database).await;
        if copying.version().await == 0 {
            copying.accept(at_price("4.00")).await;
        }
        let tables = copying.tables().await;
        let outcome = late_poll(&copying, price, async |_| {}).await;
        assert_eq!(outcome.unwrap_err().code(), "lease_lost", "{price}");
        assert_eq!(copying.tables().await, tables, "{price}");
    }
}

/// Makes the lease expire and another worker take over.
async fn lose(copying: &Copying, claim: &job::Claim) {
    let lost = format!("UPDATE job SET epoch = epoch + 1, state = 'queued' WHERE id = {}", claim.id);
    copying.database.execute_unprepared(&lost).await.unwrap();
}

fn at_price(price: &str) -> String {
    feed(&[online("1", &[event("1", &[price])])])
}

/// A copy at 4.00, and a poll with `price` whose response arrives after another worker has taken over and copied a file at 6.00.
async fn assert_rejected(database: &TestDatabase, price: &str) {
    let copying = Copying::new(database).await;
    copying.accept(at_price("4.00")).await;
    let outcome = late_poll(&copying, price, async |copying| {
        copying.accept(at_price("6.00")).await;
    })
    .await;

    assert_eq!(outcome.unwrap_err().code(), "lease_lost");
    assert_eq!(copying.event("1").await.min_price, Some(600));
    let runs = copying.runs().await;
    let codes: Vec<Option<&str>> = runs.iter().map(|run| run.reason_code.as_deref()).collect();
    assert_eq!(codes, [None, Some("abandoned"), None], "the worker that took over closed the run, and it stays closed");
    assert_eq!(runs[2].state, RunState::Succeeded);
    assert_eq!(copying.accept(at_price(price)).await.updated, 1, "the next poll reads it although its hash is known");
}

/// A poll that loses its lease, and `takeover` runs, before the provider responds with `price`.
async fn late_poll(
    copying: &Copying,
    price: &str,
    takeover: impl AsyncFnOnce(&Copying),
) -> Result<sync::SyncReport, sync::SyncError> {
    let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut entry = copying.entry.clone();
    entry.url = format!("http://{}/feed", provider.local_addr().unwrap()).parse().unwrap();
    let claim = hold(&copying.database, &entry.slug).await;
    let source = FeedSource::Provider(fetch::build_client().unwrap());
    // On the heap: the stack of a test has two syncs, one within the other.
    let poll = Box::pin(sync::sync(&copying.database, &entry, &source, &claim));
    let respond = async {
        let (mut connection, _) = provider.accept().await.unwrap();
        lose(copying, &claim).await;
        Box::pin(takeover(copying)).await;
        let mut request = [0; 1024];
        assert!(connection.read(&mut request).await.unwrap() > 0);
        let document = at_price(price);
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", document.len());
        connection.write_all((head + &document).as_bytes()).await.unwrap();
    };
    tokio::join!(poll, respond).0
}

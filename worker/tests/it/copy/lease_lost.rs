//! A worker that was away for longer than its lease: its late document never goes over the newer copy, nor passes for it.

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
    the_very_document_of_an_older_copy_changes_nothing,
    a_sync_whose_lease_is_gone_before_it_begins_touches_no_run,
    a_write_whose_lease_went_meanwhile_is_rolled_back,
);

async fn a_late_document_changes_nothing(database: Arc<TestDatabase>) {
    assert_refused(&database, "5.00").await;
}

/// It is known by its hash, and the copy it is known from is gone.
async fn the_very_document_of_an_older_copy_changes_nothing(database: Arc<TestDatabase>) {
    assert_refused(&database, "4.00").await;
}

async fn a_sync_whose_lease_is_gone_before_it_begins_touches_no_run(database: Arc<TestDatabase>) {
    let copying = Copying::new(&database).await;
    let late = hold(&copying.database, "northstage").await;
    lose(&copying, &late).await;
    copying.took(at_price("6.00")).await;
    let runs = copying.runs().await;
    let nowhere = FeedSource::File("nowhere".into());
    let refusal = sync::sync(&copying.database, &copying.entry, &nowhere, &late).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.is_internal()), ("lease_lost", true));
    assert_eq!(copying.runs().await, runs);
}

/// Nobody has copied anything meanwhile, so only the fence can tell.
async fn a_write_whose_lease_went_meanwhile_is_rolled_back(database: Arc<TestDatabase>) {
    for price in ["4.00", "5.00"] {
        let copying = Copying::new(&database).await;
        if copying.version().await == 0 {
            copying.took(at_price("4.00")).await;
        }
        let tables = copying.tables().await;
        let outcome = late_poll(&copying, price, async |_| {}).await;
        assert_eq!(outcome.unwrap_err().code(), "lease_lost", "{price}");
        assert_eq!(copying.tables().await, tables, "{price}");
    }
}

/// Takes a lease away, as time and another worker would.
async fn lose(copying: &Copying, claim: &job::Claim) {
    let lost = format!("UPDATE job SET epoch = epoch + 1, state = 'queued' WHERE id = {}", claim.id);
    copying.database.execute_unprepared(&lost).await.unwrap();
}

fn at_price(price: &str) -> String {
    feed(&[online("1", &[event("1", &[price])])])
}

/// A copy at 4.00; a poll that is answered with `price`, but only after another worker has taken over and copied a file at 6.00.
async fn assert_refused(database: &TestDatabase, price: &str) {
    let copying = Copying::new(database).await;
    copying.took(at_price("4.00")).await;
    let outcome = late_poll(&copying, price, async |copying| {
        copying.took(at_price("6.00")).await;
    })
    .await;

    assert_eq!(outcome.unwrap_err().code(), "lease_lost");
    assert_eq!(copying.event("1").await.min_price, Some(600));
    let runs = copying.runs().await;
    let codes: Vec<Option<&str>> = runs.iter().map(|run| run.reason_code.as_deref()).collect();
    assert_eq!(codes, [None, Some("abandoned"), None], "whoever took over has closed its run, and it stays so");
    assert_eq!(runs[2].state, RunState::Succeeded);
    assert_eq!(copying.took(at_price(price)).await.updated, 1, "the next poll reads it, whatever it was known by");
}

/// A poll whose lease is lost, and `meanwhile` happens, before the provider answers with `price`.
async fn late_poll(
    copying: &Copying,
    price: &str,
    meanwhile: impl AsyncFnOnce(&Copying),
) -> Result<sync::Report, sync::SyncError> {
    let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut entry = copying.entry.clone();
    entry.url = format!("http://{}/feed", provider.local_addr().unwrap()).parse().unwrap();
    let claim = hold(&copying.database, &entry.slug).await;
    let source = FeedSource::Provider(fetch::build_client().unwrap());
    let poll = sync::sync(&copying.database, &entry, &source, &claim);
    let answer = async {
        let (mut connection, _) = provider.accept().await.unwrap();
        lose(copying, &claim).await;
        meanwhile(copying).await;
        let mut request = [0; 1024];
        assert!(connection.read(&mut request).await.unwrap() > 0);
        let document = at_price(price);
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", document.len());
        connection.write_all((head + &document).as_bytes()).await.unwrap();
    };
    tokio::join!(poll, answer).0
}

//! Two runs of one provider at once: an older document never goes over a newer copy, nor passes for it.

use std::sync::Arc;

use migration::{on_every_backend, testing::TestDatabase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use worker::{
    provider::fetch,
    sync::{self, Source},
};

use super::Copying;
use crate::feeds::{event, feed, online};

on_every_backend!(
    a_document_that_was_overtaken_changes_nothing,
    the_very_document_of_the_copy_that_was_overtaken_changes_nothing
);

async fn a_document_that_was_overtaken_changes_nothing(database: Arc<TestDatabase>) {
    assert_overtaken(&database, "5.00").await;
}

/// It is known by its hash, and the copy it is known from is gone.
async fn the_very_document_of_the_copy_that_was_overtaken_changes_nothing(database: Arc<TestDatabase>) {
    assert_overtaken(&database, "4.00").await;
}

fn at_price(price: &str) -> String {
    feed(&[online("1", &[event("1", &[price])])])
}

/// A copy at 4.00; a poll that is answered with `price`, but only after a file at 6.00 went in.
async fn assert_overtaken(database: &TestDatabase, price: &str) {
    let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut copying = Copying::new(database).await;
    copying.entry.url = format!("http://{}/feed", provider.local_addr().unwrap()).parse().unwrap();
    copying.took(at_price("4.00")).await;

    let source = Source::Provider(fetch::client().unwrap());
    let poll = sync::sync(&copying.database, &copying.entry, &source);
    let overtake = async {
        let (mut connection, _) = provider.accept().await.unwrap();
        copying.took(at_price("6.00")).await;
        let mut request = [0; 1024];
        assert!(connection.read(&mut request).await.unwrap() > 0);
        let document = at_price(price);
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", document.len());
        connection.write_all((head + &document).as_bytes()).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(poll, overtake);

    assert_eq!(outcome.unwrap_err().code(), "superseded");
    assert_eq!(copying.event("1").await.min_price, Some(600));
    assert_eq!(copying.took(at_price(price)).await.updated, 1, "the next poll reads it, whatever it was known by");
}
